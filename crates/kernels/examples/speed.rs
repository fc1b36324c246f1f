//! How long a forward pass takes, natively and in WebAssembly, with random weights.
//!
//! ```sh
//! cargo run --release -p sightline-kernels --example speed [NETWORK ..]
//! RUSTFLAGS="-C target-feature=+simd128" cargo build --release -p sightline-kernels --example speed --target wasm32-unknown-unknown
//! node crates/kernels/examples/speed.mjs plain=PATH/speed.wasm
//! ```

use std::cell::RefCell;
use std::collections::HashMap;

use sightline_kernels::{Memory, Network};

const SIDE: usize = 224;
const CHANNELS: usize = 3;

/// Uniform from -1 to 1, of a linear congruence: what comes out is only timed.
fn random(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / (1 << 23) as f32 - 1.0
}

struct Run {
    network: Network,
    pictures: Vec<f32>,
    memory: Memory,
}

impl Run {
    fn new(name: &str, batch: usize) -> Self {
        let split = name.find("-").expect("family-variant");
        let (family, variant) = (&name[..split], &name[split + 1..]);
        let mut state = 1;
        let parameters = Network::parameters(family, variant, CHANNELS).expect("a known network");
        let mut values = HashMap::new();
        for (name, shape) in parameters {
            let count: usize = shape.iter().product();
            let inputs = count / shape[0];
            let scale = (6.0 / inputs as f32).sqrt();
            let of = |x: f32| match shape.len() {
                1 => 1.0 + 0.1 * x,
                _ => scale * x,
            };
            let random: Vec<f32> = (0..count).map(|_| of(random(&mut state))).collect();
            values.insert(name, (shape, random));
        }
        let find = |name: &str| values.get(name).cloned();
        let network = Network::new(family, variant, CHANNELS, &find).expect("all parameters");
        let length = batch * CHANNELS * SIDE * SIDE;
        Self {
            network,
            pictures: (0..length).map(|_| random(&mut state)).collect(),
            memory: Memory::default(),
        }
    }

    /// One forward pass; the sum of the feature maps' magnitudes.
    fn pass(&mut self) -> f64 {
        let maps = self
            .network
            .feature_maps(&self.pictures, [SIDE; 2], &mut self.memory);
        maps.values.iter().map(|x| f64::from(x.abs())).sum()
    }
}

const NETWORKS: [&str; 5] = [
    "efficientnet-lite0",
    "densenet-121",
    "efficientnet-b0",
    "mnasnet-1_0",
    "vgg-19",
];

thread_local! {
    static PREPARED: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// Prepares the network of a number in the order of [`NETWORKS`].
#[unsafe(no_mangle)]
pub extern "C" fn prepare(network: usize, batch: usize) {
    PREPARED.set(Some(Run::new(NETWORKS[network], batch)));
}

/// One forward pass of what was prepared.
#[unsafe(no_mangle)]
pub extern "C" fn pass() -> f64 {
    PREPARED.with_borrow_mut(|run| run.as_mut().map_or(f64::NAN, Run::pass))
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &&str| words.is_empty() || words.iter().any(|word| word == name);
    for name in NETWORKS.into_iter().filter(wanted) {
        for batch in [1, 8] {
            let mut run = Run::new(name, batch);
            run.pass();
            let mut seconds: Vec<f64> = (0..9)
                .map(|_| {
                    let start = std::time::Instant::now();
                    run.pass();
                    start.elapsed().as_secs_f64()
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            let [least, median] = [seconds[0], seconds[4]].map(|seconds| 1e3 * seconds);
            println!("{name}, batch {batch}: median of 9 {median:.1} ms, least {least:.1} ms");
        }
    }
}
