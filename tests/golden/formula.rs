//! Weights and inputs of the golden networks, which `README.md` in this folder gives formulas for, and their JSON.

use serde_json::Value;

/// A JSON array (of numbers) as numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().expect("an array");
    array
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

pub fn sizes(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|v| v as usize).collect()
}

/// The generator of the golden README: FNV-1a of the tensor's name seeds SplitMix64; values in [-1, 1).
pub struct Generator(u64);

impl Generator {
    pub fn new(name: &str, case_seed: u64) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash ^ case_seed)
    }

    pub fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 * 2f64.powi(-52) - 1.0
    }

    pub fn take(mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.draw()).collect()
    }
}

pub fn seed(case: &Value) -> u64 {
    let text = case["case_seed"].as_str().expect("a seed");
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal seed")
}

/// A parameter of a golden network. A weight of one side is a normalisation's.
pub fn parameter(case: &Value, name: &str, shape: &[usize], is_final: bool) -> Vec<f32> {
    let kind = name.rsplit('.').next().unwrap_or_default();
    let count = shape.iter().product();
    let draws = Generator::new(name, seed(case)).take(count).into_iter();
    let gain = || match &case["gain"] {
        Value::Object(gains) => {
            let gain = gains.iter().find(|(prefix, _)| name.starts_with(*prefix));
            gain.and_then(|(_, gain)| gain.as_f64())
        }
        gain => gain.as_f64(),
    };
    let values: Vec<f32> = match (kind, shape.len()) {
        ("weight", 1) => draws.map(|u| (1.0 + 0.1 * u) as f32).collect(),
        ("running_var", _) => draws.map(|u| (1.0 + 0.5 * u.abs()) as f32).collect(),
        ("weight", _) => {
            let fan_in: usize = shape[1..].iter().product();
            let gain = if is_final { Some(1.0) } else { gain() };
            let scale = (3.0 / fan_in as f64).sqrt() * gain.expect("a gain");
            draws.map(|u| (u * scale) as f32).collect()
        }
        _ => draws.map(|u| (0.1 * u) as f32).collect(),
    };
    if let Some(check) = case["tensor_check"].get(name) {
        assert_eq!(sizes(&check["shape"]), shape, "{name}");
        for (value, expected) in values.iter().zip(numbers(&check["first3"])) {
            assert!(
                (f64::from(*value) - expected).abs() < 1e-7,
                "{name}: {value} {expected}"
            );
        }
    }
    values
}

/// The input of a golden network, `input` or `input2`: values, and channels, height and width.
pub fn input(case: &Value, name: &str) -> (Vec<f32>, [usize; 3]) {
    let shape = sizes(&case["input_shape"]);
    let [channels, height, width] = [shape[1], shape[2], shape[3]];
    let seed = seed(case);
    let coarse = Generator::new(&format!("{name}.coarse"), seed).take(channels * 8 * 8);
    let fine = Generator::new(name, seed).take(channels * height * width);
    let mut values = Vec::with_capacity(fine.len());
    for c in 0..channels {
        for i in 0..height {
            for j in 0..width {
                let coarse = coarse[(c * 8 + i * 8 / height) * 8 + j * 8 / width];
                let fine = fine[(c * height + i) * width + j];
                values.push((1.5 * coarse + 0.5 * fine) as f32);
            }
        }
    }
    (values, [channels, height, width])
}

/// The largest absolute difference; panics if the lengths differ.
pub fn max_difference(ours: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let differences = ours
        .iter()
        .zip(expected)
        .map(|(a, b)| (f64::from(*a) - b).abs());
    differences.fold(0.0, |worst, d| {
        if d.is_nan() {
            f64::INFINITY
        } else {
            worst.max(d)
        }
    })
}
