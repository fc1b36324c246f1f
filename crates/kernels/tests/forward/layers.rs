//! Each kernel against 64-bit loops, over odd shapes.

use proptest::prelude::*;
use sightline_kernels::Activation;
use sightline_kernels::crew::{Crew, Threads};
use sightline_kernels::depthwise::Depthwise;
use sightline_kernels::direct::{Direct, Planes};
use sightline_kernels::map::Map;
use sightline_kernels::norm::Norm;
use sightline_kernels::pointwise::{Pointwise, PreNorm};
use sightline_kernels::shape::{Padding, Window};
use sightline_kernels::simd::{LANES, Set, Task, Vector, dispatch};
use sightline_kernels::winograd::Winograd;

use crate::reference::{Laid, Picture, Random, convolve, error, pool, relu, silu};

const EXACT: f64 = 1e-5;
/// Winograd's transforms lose some bits.
const TRANSFORMED: f64 = 5e-5;

fn activation() -> impl Strategy<Value = Activation> {
    use Activation::{Identity, Relu, Relu6, Silu};
    prop::sample::select(vec![Identity, Relu, Relu6, Silu])
}

fn set() -> impl Strategy<Value = Set> {
    prop::sample::select(Set::at_hand())
}

fn apply(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => silu(x),
    }
}

/// Random maps, as both sides have them.
fn maps(
    random: &mut Random,
    channels: usize,
    [height, width]: [usize; 2],
) -> (Map, Picture, Vec<f32>) {
    let values = random.values(channels * height * width);
    let map = Map::from_planes(channels, height, width, &values);
    (map, Picture::new(channels, height, width, &values), values)
}

/// A crew in whose memory another layer has left what it left.
fn used() -> Crew {
    let mut crew = Crew::default();
    let (x, _, _) = maps(&mut Random::new(1), 9, [30, 31]);
    let conv = Winograd::new(
        &[f32::NAN; 81 * 9],
        [9, 9],
        window(3, 1, Some(1)),
        &[0.0; 9],
    );
    let mut out = Map::new(9, 30, 31);
    conv.forward(
        x.view(),
        Activation::Identity,
        out.part_mut(0..9),
        &mut crew,
    );
    crew
}

fn window(kernel: usize, stride: usize, side: Option<usize>) -> Window {
    let padding = side.map_or(Padding::Same, Padding::Each);
    Window {
        kernel,
        stride,
        padding,
    }
}

/// Where a kernel is to write: the first channels are not its own.
fn target(like: &Picture) -> Map {
    Map::new(LANES + like.channels, like.height, like.width)
}

/// The written channels are as expected, and those before them are still 0.
fn agrees(found: &Map, expected: &Picture, most: f64) {
    let view = found.view();
    let mut planes = vec![0.0; view.channels * view.height * view.width];
    view.to_planes(&mut planes);
    let (before, written) = planes.split_at(LANES * view.height * view.width);
    assert!(before.iter().all(|x| *x == 0.0));
    let error = error(written, &expected.values);
    assert!(error <= most, "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn pointwise_convolutions(
        (inputs, outputs) in (1usize..70, 1usize..40),
        (height, width) in (1usize..12, 1usize..12),
        activation in activation(),
        residual: bool,
        set in set(),
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let (x, picture, _) = maps(&mut random, inputs, [height, width]);
        let (before, other, _) = maps(&mut random, outputs, [height, width]);
        let (weights, bias) = (random.values(outputs * inputs), random.values(outputs));
        let laid = Laid { kernel: 1, stride: 1, side: Some(0) };
        let mut expected = convolve(&picture, &weights, outputs, false, laid);
        expected = expected.by_channel(|channel, x| x + f64::from(bias[channel]));
        if residual {
            expected = expected.plus(&other);
        }
        expected = expected.map(|x| apply(activation, x));
        let conv = Pointwise::new(&weights, [outputs, inputs], &bias);
        let mut out = target(&expected);
        let residual = residual.then(|| before.view());
        let part = out.part_mut(LANES..LANES + outputs);
        set.during(|| conv.forward(x.view(), residual, activation, part, &mut used()));
        agrees(&out, &expected, EXACT);
    }

    #[test]
    fn normalised_inputs_and_halved_ones(
        (inputs, outputs) in (1usize..70, 1usize..40),
        (height, width) in (2usize..14, 2usize..14),
        halve: bool,
        set in set(),
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let (x, picture, _) = maps(&mut random, inputs, [height, width]);
        let (weights, bias) = (random.values(outputs * inputs), random.values(outputs));
        let norm = Norm { slope: random.values(inputs), offset: random.values(inputs) };
        let inner = picture.by_channel(|c, x| relu(f64::from(norm.slope[c]) * x + f64::from(norm.offset[c])));
        let laid = Laid { kernel: 1, stride: 1, side: Some(0) };
        let mut expected = convolve(&inner, &weights, outputs, false, laid);
        expected = expected.by_channel(|channel, x| x + f64::from(bias[channel]));
        if halve {
            // As DenseNet has it: the mean after the convolution.
            let laid = Laid { kernel: 2, stride: 2, side: Some(0) };
            expected = pool(&expected, laid, 0.0, |sum, x| sum + x / 4.0);
        }
        let conv = Pointwise::new(&weights, [outputs, inputs], &bias);
        let mut out = target(&expected);
        let part = out.part_mut(LANES..LANES + outputs);
        let norm = PreNorm::new(&norm);
        set.during(|| conv.forward_normalised(x.view(), &norm, halve, Activation::Identity, part, &mut used()));
        agrees(&out, &expected, EXACT);
    }

    #[test]
    fn winograd_convolutions(
        (inputs, outputs) in (1usize..40, 1usize..40),
        (height, width) in (1usize..20, 1usize..20),
        activation in activation(),
        side in prop::sample::select(vec![Some(0), Some(1), Some(2), None]),
        set in set(),
        seed: u64,
    ) {
        prop_assume!(side != Some(0) || (height > 2 && width > 2));
        let mut random = Random::new(seed);
        let (x, picture, _) = maps(&mut random, inputs, [height, width]);
        let (weights, bias) = (random.values(outputs * inputs * 9), random.values(outputs));
        let laid = Laid { kernel: 3, stride: 1, side };
        let mut expected = convolve(&picture, &weights, outputs, false, laid);
        expected = expected.by_channel(|channel, x| apply(activation, x + f64::from(bias[channel])));
        let conv = Winograd::new(&weights, [outputs, inputs], window(3, 1, side), &bias);
        let mut out = target(&expected);
        set.during(|| conv.forward(x.view(), activation, out.part_mut(LANES..LANES + outputs), &mut used()));
        agrees(&out, &expected, TRANSFORMED);
    }

    #[test]
    fn direct_convolutions_of_pictures_and_maps(
        (inputs, outputs) in (1usize..14, 1usize..24),
        (height, width) in (7usize..20, 7usize..20),
        (kernel, stride) in (1usize..8, 1usize..4),
        side in prop::sample::select(vec![Some(0), Some(1), Some(3), None]),
        activation in activation(),
        set in set(),
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let (x, picture, values) = maps(&mut random, inputs, [height, width]);
        let weights = random.values(outputs * inputs * kernel * kernel);
        let bias = random.values(outputs);
        let mut expected = convolve(&picture, &weights, outputs, false, Laid { kernel, stride, side });
        expected = expected.by_channel(|channel, x| apply(activation, x + f64::from(bias[channel])));
        let (channels, window) = ([outputs, inputs], window(kernel, stride, side));
        let mut out = target(&expected);
        let conv = Direct::new(&weights, channels, window, &bias);
        set.during(|| conv.forward(x.view(), activation, out.part_mut(LANES..LANES + outputs), &mut used()));
        agrees(&out, &expected, EXACT);
        let mut out = target(&expected);
        let conv = Direct::of_planes(&weights, channels, window, &bias);
        let x = Planes { channels: inputs, height, width, values: &values };
        set.during(|| conv.forward_planes(x, activation, out.part_mut(LANES..LANES + outputs), &mut used()));
        agrees(&out, &expected, EXACT);
    }

    #[test]
    fn depthwise_convolutions_and_expansions(
        (inputs, outputs) in (1usize..20, 1usize..40),
        (height, width) in (5usize..32, 5usize..32),
        (kernel, stride) in (1usize..6, 1usize..4),
        side in prop::sample::select(vec![Some(0), Some(1), Some(2), None]),
        activation in activation(),
        set in set(),
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let laid = Laid { kernel, stride, side };
        let weights = random.values(outputs * kernel * kernel);
        let bias = random.values(outputs);
        let conv = Depthwise::new(&weights, outputs, window(kernel, stride, side), &bias);
        let of = |x: &Picture| {
            let y = convolve(x, &weights, outputs, true, laid);
            y.by_channel(|channel, x| apply(activation, x + f64::from(bias[channel])))
        };
        let (x, picture, _) = maps(&mut random, outputs, [height, width]);
        let expected = of(&picture);
        let mut out = target(&expected);
        set.during(|| conv.forward(x.view(), activation, out.part_mut(LANES..LANES + outputs), &mut used()));
        agrees(&out, &expected, EXACT);

        let (x, picture, _) = maps(&mut random, inputs, [height, width]);
        let (wide, shift) = (random.values(outputs * inputs), random.values(outputs));
        let expand = Pointwise::new(&wide, [outputs, inputs], &shift);
        let inner = convolve(&picture, &wide, outputs, false, Laid { kernel: 1, stride: 1, side: Some(0) });
        let expected = of(&inner.by_channel(|channel, x| apply(activation, x + f64::from(shift[channel]))));
        let mut out = target(&expected);
        let part = out.part_mut(LANES..LANES + outputs);
        set.during(|| conv.forward_expanded(x.view(), &expand, activation, part, &mut used()));
        agrees(&out, &expected, EXACT);
    }

    #[test]
    fn pooled_maps(
        channels in 1usize..20,
        (height, width) in (3usize..16, 3usize..16),
        (kernel, stride) in (1usize..4, 1usize..4),
        side in 0usize..2,
        set in set(),
        seed: u64,
    ) {
        let side = side.min(kernel - 1);
        let (x, picture, _) = maps(&mut Random::new(seed), channels, [height, width]);
        let laid = Laid { kernel, stride, side: Some(side) };
        let expected = pool(&picture, laid, f64::NEG_INFINITY, f64::max);
        let mut out = target(&expected);
        let part = out.part_mut(LANES..LANES + channels);
        set.during(|| sightline_kernels::pool::max(x.view(), window(kernel, stride, Some(side)), part, &mut Threads::default()));
        agrees(&out, &expected, 0.0);
        let means = set.during(|| sightline_kernels::pool::mean(x.view(), &mut Threads::default()));
        let pixels = height * width;
        let expected: Vec<f64> =
            picture.values.chunks(pixels).map(|plane| plane.iter().sum::<f64>() / pixels as f64).collect();
        prop_assert!(error(&means, &expected) <= EXACT);
    }

    #[test]
    fn exponentials_and_sigmoids(x in -80f32..80f32, set in set()) {
        struct Both<'a>(f32, &'a mut [f32], &'a mut [f32]);
        impl Task for Both<'_> {
            #[inline(always)]
            fn run<V: Vector>(self) {
                assert!(self.1.len() >= LANES && self.2.len() >= LANES);
                // SAFETY: both have room for a vector.
                unsafe {
                    V::splat(self.0).exp().store(self.1.as_mut_ptr());
                    V::splat(self.0).sigmoid().store(self.2.as_mut_ptr());
                }
            }
        }
        let (mut exp, mut sigmoid) = ([0.0; LANES], [0.0; LANES]);
        set.during(|| dispatch(Both(x, &mut exp, &mut sigmoid)));
        let x = f64::from(x);
        prop_assert!((f64::from(exp[0]) / x.exp() - 1.0).abs() <= 2e-7);
        prop_assert!((f64::from(sigmoid[0]) / crate::reference::sigmoid(x) - 1.0).abs() <= 1e-6);
    }
}
