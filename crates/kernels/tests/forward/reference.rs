//! Layers and networks in straight loops of 64-bit floats, and random numbers for them.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Uniform from -1 to 1.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn value(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }
}

/// `[channels, height, width]`.
#[derive(Clone, Debug)]
pub struct Picture {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Picture {
    pub fn new(channels: usize, height: usize, width: usize, values: &[f32]) -> Self {
        assert_eq!(values.len(), channels * height * width);
        let values = values.iter().map(|value| f64::from(*value)).collect();
        Self {
            channels,
            height,
            width,
            values,
        }
    }

    /// 0 outside.
    fn at(&self, channel: usize, y: isize, x: isize) -> f64 {
        let inside =
            (0..self.height as isize).contains(&y) && (0..self.width as isize).contains(&x);
        if inside {
            self.values[(channel * self.height + y as usize) * self.width + x as usize]
        } else {
            0.0
        }
    }

    pub fn map(mut self, of: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|value| *value = of(*value));
        self
    }

    pub fn by_channel(mut self, of: impl Fn(usize, f64) -> f64) -> Self {
        let pixels = self.height * self.width;
        for (index, value) in self.values.iter_mut().enumerate() {
            *value = of(index / pixels, *value);
        }
        self
    }

    pub fn plus(mut self, other: &Self) -> Self {
        assert_eq!(self.values.len(), other.values.len());
        self.values
            .iter_mut()
            .zip(&other.values)
            .for_each(|(a, b)| *a += b);
        self
    }

    pub fn then(mut self, other: Self) -> Self {
        self.channels += other.channels;
        self.values.extend(other.values);
        self
    }
}

/// How a window is laid: kernel, stride, and zeros on each side, or TensorFlow's if `None`.
#[derive(Clone, Copy, Debug)]
pub struct Laid {
    pub kernel: usize,
    pub stride: usize,
    pub side: Option<usize>,
}

impl Laid {
    fn axis(self, input: usize) -> (usize, isize) {
        match self.side {
            Some(side) => (
                (input + 2 * side - self.kernel) / self.stride + 1,
                side as isize,
            ),
            None => {
                let outputs = input.div_ceil(self.stride);
                let zeros = ((outputs - 1) * self.stride + self.kernel).saturating_sub(input);
                (outputs, (zeros / 2) as isize)
            }
        }
    }
}

/// `weights`: `[outputs, inputs or 1, kernel, kernel]`.
pub fn convolve(
    x: &Picture,
    weights: &[f32],
    outputs: usize,
    depthwise: bool,
    laid: Laid,
) -> Picture {
    let inputs = if depthwise { 1 } else { x.channels };
    let k = laid.kernel;
    assert_eq!(weights.len(), outputs * inputs * k * k);
    let ((height, top), (width, left)) = (laid.axis(x.height), laid.axis(x.width));
    let mut y = Picture {
        channels: outputs,
        height,
        width,
        values: vec![0.0; outputs * height * width],
    };
    for output in 0..outputs {
        let plane = &mut y.values[output * height * width..][..height * width];
        for input in 0..inputs {
            let channel = if depthwise { output } else { input };
            for tap in 0..k * k {
                let weight = f64::from(weights[(output * inputs + input) * k * k + tap]);
                for row in 0..height {
                    let from = (row * laid.stride + tap / k) as isize - top;
                    for column in 0..width {
                        let at = (column * laid.stride + tap % k) as isize - left;
                        plane[row * width + column] += weight * x.at(channel, from, at);
                    }
                }
            }
        }
    }
    y
}

pub fn pool(x: &Picture, laid: Laid, start: f64, of: impl Fn(f64, f64) -> f64) -> Picture {
    let ((height, top), (width, left)) = (laid.axis(x.height), laid.axis(x.width));
    let mut values = Vec::new();
    for channel in 0..x.channels {
        for row in 0..height {
            for column in 0..width {
                let mut sum = start;
                for tap in 0..laid.kernel * laid.kernel {
                    let y = (row * laid.stride + tap / laid.kernel) as isize - top;
                    let at = (column * laid.stride + tap % laid.kernel) as isize - left;
                    if y >= 0 && at >= 0 && y < x.height as isize && at < x.width as isize {
                        sum = of(sum, x.at(channel, y, at));
                    }
                }
                values.push(sum);
            }
        }
    }
    Picture {
        channels: x.channels,
        height,
        width,
        values,
    }
}

pub fn relu(x: f64) -> f64 {
    x.max(0.0)
}

pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// Named random parameters, drawn when they are first asked for.
pub struct Parameters {
    random: Random,
    pub all: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Parameters {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            all: HashMap::new(),
        }
    }

    fn draw(&mut self, name: String, shape: &[usize], of: impl Fn(f32) -> f32) -> Vec<f32> {
        let random = &mut self.random;
        let entry = self.all.entry(name).or_insert_with(|| {
            let values = random.values(shape.iter().product());
            (shape.to_vec(), values.into_iter().map(of).collect())
        });
        assert_eq!(entry.0, shape);
        entry.1.clone()
    }

    pub fn conv(
        &mut self,
        name: &str,
        x: &Picture,
        outputs: usize,
        depthwise: bool,
        biased: bool,
        laid: Laid,
    ) -> Picture {
        let inputs = if depthwise { 1 } else { x.channels };
        let shape = [outputs, inputs, laid.kernel, laid.kernel];
        let scale = (6.0 / (inputs * laid.kernel * laid.kernel) as f32).sqrt();
        let weights = self.draw(format!("{name}.weight"), &shape, |x| x * scale);
        let y = convolve(x, &weights, outputs, depthwise, laid);
        if !biased {
            return y;
        }
        let bias = self.draw(format!("{name}.bias"), &[outputs], |x| 0.3 * x);
        y.by_channel(|channel, x| x + f64::from(bias[channel]))
    }

    pub fn norm(&mut self, name: &str, x: Picture, epsilon: f64) -> Picture {
        let shape = [x.channels];
        let gamma = self.draw(format!("{name}.weight"), &shape, |x| 1.0 + 0.5 * x);
        let beta = self.draw(format!("{name}.bias"), &shape, |x| 0.5 * x);
        let mean = self.draw(format!("{name}.running_mean"), &shape, |x| 0.5 * x);
        let variance = self.draw(format!("{name}.running_var"), &shape, |x| 1.0 + 0.5 * x);
        x.by_channel(|c, x| {
            let deviation = (f64::from(variance[c]) + epsilon).sqrt();
            f64::from(gamma[c]) * (x - f64::from(mean[c])) / deviation + f64::from(beta[c])
        })
    }

    pub fn get(&self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        self.all.get(name).cloned()
    }
}

fn square(kernel: usize, stride: usize) -> Laid {
    Laid {
        kernel,
        stride,
        side: Some(kernel / 2),
    }
}

pub fn densenet121(x: &Picture, p: &mut Parameters) -> Picture {
    let mut x = p.conv("features.conv0", x, 64, false, false, square(7, 2));
    x = p.norm("features.norm0", x, 1e-5).map(relu);
    x = pool(&x, square(3, 2), f64::NEG_INFINITY, f64::max);
    for (block, layers) in [6, 12, 24, 16].into_iter().enumerate() {
        for layer in 0..layers {
            let name = format!("features.denseblock{}.denselayer{}", block + 1, layer + 1);
            let mut y = p.norm(&format!("{name}.norm1"), x.clone(), 1e-5).map(relu);
            y = p.conv(
                &format!("{name}.conv1"),
                &y,
                128,
                false,
                false,
                square(1, 1),
            );
            y = p.norm(&format!("{name}.norm2"), y, 1e-5).map(relu);
            y = p.conv(&format!("{name}.conv2"), &y, 32, false, false, square(3, 1));
            x = x.then(y);
        }
        if block < 3 {
            let name = format!("features.transition{}", block + 1);
            let channels = x.channels / 2;
            x = p.norm(&format!("{name}.norm"), x, 1e-5).map(relu);
            x = p.conv(
                &format!("{name}.conv"),
                &x,
                channels,
                false,
                false,
                square(1, 1),
            );
            let laid = Laid {
                kernel: 2,
                stride: 2,
                side: Some(0),
            };
            x = pool(&x, laid, 0.0, |sum, x| sum + x / 4.0);
        }
    }
    p.norm("features.norm5", x, 1e-5).map(relu)
}

/// EfficientNet without scaling: B0, or Lite0.
pub fn efficientnet(x: &Picture, lite: bool, same: bool, p: &mut Parameters) -> Picture {
    let epsilon = if same { 1e-3 } else { 1e-5 };
    let act = |x: f64| if lite { x.clamp(0.0, 6.0) } else { silu(x) };
    let laid = |kernel: usize, stride| Laid {
        kernel,
        stride,
        side: (!same).then_some(kernel / 2),
    };
    let mut x = p.conv("features.0.0", x, 32, false, false, laid(3, 2));
    x = p.norm("features.0.1", x, epsilon).map(act);
    let stages = [
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    ];
    for (stage, (expansion, kernel, stride, outputs, repeats)) in stages.into_iter().enumerate() {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { stride } else { 1 };
            let name = format!("features.{}.{repeat}.block", stage + 1);
            let (inputs, mut part) = (x.channels, 0);
            let mut y = x.clone();
            if expansion > 1 {
                y = p.conv(
                    &format!("{name}.{part}.0"),
                    &y,
                    inputs * expansion,
                    false,
                    false,
                    laid(1, 1),
                );
                y = p.norm(&format!("{name}.{part}.1"), y, epsilon).map(act);
                part += 1;
            }
            let wide = y.channels;
            y = p.conv(
                &format!("{name}.{part}.0"),
                &y,
                wide,
                true,
                false,
                laid(kernel, stride),
            );
            y = p.norm(&format!("{name}.{part}.1"), y, epsilon).map(act);
            part += 1;
            if !lite {
                let pixels = y.height * y.width;
                let means = y
                    .values
                    .chunks(pixels)
                    .map(|plane| plane.iter().sum::<f64>() / pixels as f64);
                let gate = Picture {
                    channels: wide,
                    height: 1,
                    width: 1,
                    values: means.collect(),
                };
                let gate = p
                    .conv(
                        &format!("{name}.{part}.fc1"),
                        &gate,
                        inputs / 4,
                        false,
                        true,
                        laid(1, 1),
                    )
                    .map(silu);
                let gate = p
                    .conv(
                        &format!("{name}.{part}.fc2"),
                        &gate,
                        wide,
                        false,
                        true,
                        laid(1, 1),
                    )
                    .map(sigmoid);
                y = y.by_channel(|channel, x| x * gate.values[channel]);
                part += 1;
            }
            y = p.conv(
                &format!("{name}.{part}.0"),
                &y,
                outputs,
                false,
                false,
                laid(1, 1),
            );
            y = p.norm(&format!("{name}.{part}.1"), y, epsilon);
            x = if stride == 1 && inputs == outputs {
                y.plus(&x)
            } else {
                y
            };
        }
    }
    x = p.conv("features.8.0", &x, 1280, false, false, laid(1, 1));
    p.norm("features.8.1", x, epsilon).map(act)
}

pub fn mnasnet(x: &Picture, p: &mut Parameters) -> Picture {
    let mut conv_norm =
        |name: &str, at: usize, x: &Picture, outputs: usize, depthwise: bool, laid: Laid| {
            let y = p.conv(&format!("{name}.{at}"), x, outputs, depthwise, false, laid);
            p.norm(&format!("{name}.{}", at + 1), y, 1e-5)
        };
    let mut x = conv_norm("layers", 0, x, 32, false, square(3, 2)).map(relu);
    x = conv_norm("layers", 3, &x, 32, true, square(3, 1)).map(relu);
    x = conv_norm("layers", 6, &x, 16, false, square(1, 1));
    let stacks = [
        (3, 2, 3, 24, 3),
        (5, 2, 3, 40, 3),
        (5, 2, 6, 80, 3),
        (3, 1, 6, 96, 2),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    ];
    for (stack, (kernel, stride, expansion, outputs, repeats)) in stacks.into_iter().enumerate() {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { stride } else { 1 };
            let name = format!("layers.{}.{repeat}.layers", stack + 8);
            let wide = x.channels * expansion;
            let mut y = conv_norm(&name, 0, &x, wide, false, square(1, 1)).map(relu);
            y = conv_norm(&name, 3, &y, wide, true, square(kernel, stride)).map(relu);
            y = conv_norm(&name, 6, &y, outputs, false, square(1, 1));
            x = if stride == 1 && x.channels == outputs {
                y.plus(&x)
            } else {
                y
            };
        }
    }
    conv_norm("layers", 14, &x, 1280, false, square(1, 1)).map(relu)
}

pub fn vgg19(x: &Picture, normalised: bool, p: &mut Parameters) -> Picture {
    let mut x = x.clone();
    let mut index = 0;
    for (outputs, layers) in [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)] {
        for _ in 0..layers {
            x = p.conv(
                &format!("features.{index}"),
                &x,
                outputs,
                false,
                true,
                square(3, 1),
            );
            index += 1;
            if normalised {
                x = p.norm(&format!("features.{index}"), x, 1e-5);
                index += 1;
            }
            x = x.map(relu);
            index += 1;
        }
        x = pool(
            &x,
            Laid {
                kernel: 2,
                stride: 2,
                side: Some(0),
            },
            f64::NEG_INFINITY,
            f64::max,
        );
        index += 1;
    }
    x
}

/// The largest difference, as a part of the largest expected value; infinite where one is not a number.
pub fn error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let pairs = found.iter().zip(expected);
    let far = pairs.map(|(a, b)| (f64::from(*a) - b).abs());
    let far = far.fold(0.0, |most: f64, x| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            most.max(x)
        }
    });
    far / largest.max(1e-6)
}
