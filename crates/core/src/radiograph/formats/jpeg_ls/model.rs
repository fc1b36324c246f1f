//! The model of T.87: what a sample is predicted to be from its neighbours, and how the error is coded.

use super::bits::{Bits, Stop};

/// How many ones in a row double the length of a run, as powers of two (A.2.1, `J`).
const RUN_LENGTHS: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];
/// Contexts of samples that are no run: 9 * 9 * 9 without their negatives.
const CONTEXTS: usize = 365;

/// Coding parameters that a file may give itself (C.2.4.1.1); 0 stands for the default.
#[derive(Clone, Copy, Default)]
pub struct Preset {
    pub most: u16,
    pub thresholds: [u16; 3],
    pub reset: u16,
}

/// The parameters of a scan (A.2, C.2.4.1.1).
pub struct Coding {
    /// MAXVAL.
    most: i32,
    near: i32,
    /// RANGE: how many values an error can have.
    range: i32,
    /// qbpp: the bits of an error.
    error_bits: u32,
    /// LIMIT: the longest code.
    limit: u32,
    thresholds: [i32; 3],
    reset: i32,
}

impl Coding {
    /// `None` for parameters that the standard does not allow.
    pub fn new(precision: u8, near: u16, preset: Preset) -> Option<Self> {
        let full = (1 << precision) - 1;
        let most = match preset.most {
            0 => full,
            most => i32::from(most),
        };
        let near = i32::from(near);
        if most > full || near > (most / 2).min(255) {
            return None;
        }
        let or = |given: u16, default: i32| match given {
            0 => default,
            given => i32::from(given),
        };
        let [t1, t2, t3] = default_thresholds(most, near);
        let thresholds = [
            or(preset.thresholds[0], t1),
            or(preset.thresholds[1], t2),
            or(preset.thresholds[2], t3),
        ];
        let reset = or(preset.reset, 64);
        let [t1, t2, t3] = thresholds;
        let in_order = near < t1 && t1 <= t2 && t2 <= t3 && t3 <= most;
        if !in_order || !(3..=most.max(255)).contains(&reset) {
            return None;
        }
        let range = (most + 2 * near) / (2 * near + 1) + 1;
        let bits = bits_of(most + 1).max(2);
        Some(Self {
            most,
            near,
            range,
            error_bits: bits_of(range),
            limit: 2 * (bits + bits.max(8)),
            thresholds,
            reset,
        })
    }

    /// A gradient as one of nine (A.3.3).
    fn quantised(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.thresholds;
        let size = gradient.abs();
        let level = match size {
            _ if size <= self.near => 0,
            _ if size < t1 => 1,
            _ if size < t2 => 2,
            _ if size < t3 => 3,
            _ => 4,
        };
        level * gradient.signum()
    }

    /// Errors are taken modulo RANGE (A.4.5), so that none is larger.
    fn largest_error(&self) -> i32 {
        (self.range + 1) / 2
    }

    /// The sample that was predicted so, with such an error (A.4.5).
    fn sample(&self, predicted: i32, error: i32) -> u16 {
        let step = 2 * self.near + 1;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.most + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.most) as u16
    }
}

/// ceil(log2(count)).
fn bits_of(count: i32) -> u32 {
    (count - 1).checked_ilog2().map_or(0, |bits| bits + 1)
}

/// C.2.4.1.1.1.
fn default_thresholds(most: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| {
        if value > most || value < least {
            least
        } else {
            value
        }
    };
    if most >= 128 {
        let factor = (most.min(4095) + 128) / 256;
        let t1 = clamp(factor + 2 + 3 * near, near + 1);
        let t2 = clamp(factor * 4 + 3 + 5 * near, t1);
        [t1, t2, clamp(factor * 17 + 4 + 7 * near, t2)]
    } else {
        let factor = 256 / (most + 1);
        let t1 = clamp((3 / factor + 3 * near).max(2), near + 1);
        let t2 = clamp((7 / factor + 5 * near).max(3), t1);
        [t1, t2, clamp((21 / factor + 7 * near).max(4), t2)]
    }
}

/// What was learned of errors in a context (A.2.1): `A`, `B`, `C`, `N`.
#[derive(Clone, Copy)]
struct Context {
    sizes: i32,
    bias: i32,
    correction: i32,
    count: i32,
}

/// What was learned of the samples that end runs (A.7.2): `A`, `N`, `Nn`.
#[derive(Clone, Copy)]
struct RunContext {
    sizes: i32,
    count: i32,
    negative: i32,
}

/// The neighbours of a sample: left, above, above left, above right (Ra, Rb, Rc, Rd).
#[derive(Clone, Copy)]
struct Neighbours {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
}

pub struct Model {
    coding: Coding,
    contexts: [Context; CONTEXTS],
    /// The contexts of samples that end runs: where the run's value differs from the sample above, and where it does not.
    runs: [RunContext; 2],
}

impl Model {
    pub fn new(coding: Coding) -> Self {
        let sizes = ((coding.range + 32) / 64).max(2);
        let context = Context {
            sizes,
            bias: 0,
            correction: 0,
            count: 1,
        };
        let run = RunContext {
            sizes,
            count: 1,
            negative: 0,
        };
        Self {
            coding,
            contexts: [context; CONTEXTS],
            runs: [run; 2],
        }
    }

    /// A line of one component. Both lines begin with the neighbour of their first sample; `above` has another at its end.
    pub fn line(
        &mut self,
        bits: &mut Bits,
        above: &[u16],
        current: &mut [u16],
        run_index: &mut usize,
    ) -> Result<(), Stop> {
        let end = current.len() - 1;
        let mut x = 1;
        while x < end {
            let near = Neighbours::of(above, current, x);
            let context = self.context(near);
            if context != 0 {
                current[x] = self.regular(bits, context, near)?;
                x += 1;
                continue;
            }
            let value = current[x - 1];
            let length = self.run(bits, end - x, run_index)?;
            current[x..x + length].fill(value);
            x += length;
            if x < end {
                current[x] =
                    self.end_of_run(bits, value.into(), above[x].into(), *run_index, false)?;
                *run_index = run_index.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    /// A line of all components, of each pixel one after the other.
    pub fn samples(
        &mut self,
        bits: &mut Bits,
        above: &[Vec<u16>],
        current: &mut [Vec<u16>],
        run_index: &mut usize,
    ) -> Result<(), Stop> {
        let end = current[0].len() - 1;
        let mut x = 1;
        while x < end {
            let lines = above.iter().zip(current.iter());
            let near: Vec<Neighbours> = lines
                .map(|(above, current)| Neighbours::of(above, current, x))
                .collect();
            if near.iter().any(|near| self.context(*near) != 0) {
                for (current, near) in current.iter_mut().zip(near) {
                    current[x] = self.regular(bits, self.context(near), near)?;
                }
                x += 1;
                continue;
            }
            let length = self.run(bits, end - x, run_index)?;
            for current in current.iter_mut() {
                let value = current[x - 1];
                current[x..x + length].fill(value);
            }
            x += length;
            if x < end {
                for (above, current) in above.iter().zip(current.iter_mut()) {
                    let (a, b) = (current[x - 1].into(), above[x].into());
                    current[x] = self.end_of_run(bits, a, b, *run_index, true)?;
                }
                *run_index = run_index.saturating_sub(1);
                x += 1;
            }
        }
        Ok(())
    }

    /// The context of a sample, from -364 to 364; 0 begins a run (A.3).
    fn context(&self, near: Neighbours) -> i32 {
        let Neighbours { a, b, c, d } = near;
        let [q1, q2, q3] = [d - b, b - c, c - a].map(|gradient| self.coding.quantised(gradient));
        q1 * 81 + q2 * 9 + q3
    }

    /// A sample that is no run (A.4 to A.6).
    fn regular(&mut self, bits: &mut Bits, context: i32, near: Neighbours) -> Result<u16, Stop> {
        let sign = if context < 0 { -1 } else { 1 };
        let coding = &self.coding;
        let known = &mut self.contexts[context.unsigned_abs() as usize];
        let predicted = near.predicted() + sign * known.correction;
        let predicted = predicted.clamp(0, coding.most);
        let k = golomb_parameter(known.sizes, known.count);
        let code = golomb(bits, k, coding.limit, coding.error_bits)?;
        let half = code >> 1;
        // A.5.2: where errors are below 0 more often, the two signs change places.
        let turned = coding.near == 0 && k == 0 && 2 * known.bias <= -known.count;
        let error = match (code & 1 == 1, turned) {
            (false, false) | (true, true) => half,
            (true, false) | (false, true) => -half - 1,
        };
        if error.abs() > coding.largest_error() {
            return Err(Stop::Wrong);
        }
        let sample = coding.sample(predicted, sign * error);
        known.learn(error, coding);
        Ok(sample)
    }

    /// How many samples are as the one before, `most` at most (A.7.1).
    fn run(&self, bits: &mut Bits, most: usize, run_index: &mut usize) -> Result<usize, Stop> {
        let mut length = 0;
        while length < most {
            if bits.read(1)? == 0 {
                let rest = bits.read(RUN_LENGTHS[*run_index])? as usize;
                // A run that goes on to the end of the line is coded by ones.
                return match length + rest < most {
                    true => Ok(length + rest),
                    false => Err(Stop::Wrong),
                };
            }
            let whole = 1 << RUN_LENGTHS[*run_index];
            if length + whole <= most && *run_index < RUN_LENGTHS.len() - 1 {
                *run_index += 1;
            }
            length = (length + whole).min(most);
        }
        Ok(length)
    }

    /// The sample that ends a run (A.7.2). `several`: of a pixel whose components are coded together, where only one context is used.
    fn end_of_run(
        &mut self,
        bits: &mut Bits,
        a: i32,
        b: i32,
        run_index: usize,
        several: bool,
    ) -> Result<u16, Stop> {
        let coding = &self.coding;
        let alike = !several && (a - b).abs() <= coding.near;
        let known = &mut self.runs[usize::from(alike)];
        let kind = i32::from(alike);
        let sizes = known.sizes + if alike { known.count >> 1 } else { 0 };
        let k = golomb_parameter(sizes, known.count);
        let limit = coding.limit - RUN_LENGTHS[run_index] - 1;
        let code = golomb(bits, k, limit, coding.error_bits)?;
        let whole = code.saturating_add(kind);
        let odd = whole & 1 == 1;
        let size = whole / 2 + i32::from(odd);
        let turned = k != 0 || 2 * known.negative >= known.count;
        let error = if turned == odd { -size } else { size };
        if size > coding.largest_error() {
            return Err(Stop::Wrong);
        }
        let sample = match alike {
            true => coding.sample(a, error),
            false => coding.sample(b, error * if b < a { -1 } else { 1 }),
        };
        known.negative += i32::from(error < 0);
        known.sizes += (code + 1 - kind) >> 1;
        if known.count == coding.reset {
            known.sizes >>= 1;
            known.count >>= 1;
            known.negative >>= 1;
        }
        known.count += 1;
        Ok(sample)
    }
}

impl Neighbours {
    fn of(above: &[u16], current: &[u16], x: usize) -> Self {
        Self {
            a: current[x - 1].into(),
            b: above[x].into(),
            c: above[x - 1].into(),
            d: above[x + 1].into(),
        }
    }

    /// The median of left, above and what a plane through them gives (A.4.1).
    fn predicted(self) -> i32 {
        let Self { a, b, c, .. } = self;
        match c {
            _ if c >= a.max(b) => a.min(b),
            _ if c <= a.min(b) => a.max(b),
            _ => a + b - c,
        }
    }
}

impl Context {
    /// A.6.
    fn learn(&mut self, error: i32, coding: &Coding) {
        self.bias += error * (2 * coding.near + 1);
        self.sizes += error.abs();
        if self.count == coding.reset {
            self.sizes >>= 1;
            self.bias >>= 1;
            self.count >>= 1;
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
    }
}

/// The smallest `k` with `count * 2^k >= sizes` (A.5.1).
fn golomb_parameter(sizes: i32, count: i32) -> u32 {
    let mut k = 0;
    while (i64::from(count) << k) < i64::from(sizes) {
        k += 1;
    }
    k
}

/// A number in Golomb's code of limited length (A.5.3).
fn golomb(bits: &mut Bits, k: u32, limit: u32, error_bits: u32) -> Result<i32, Stop> {
    let longest = limit - error_bits - 1;
    let zeros = bits.zeros(longest)?;
    let code = match zeros < longest {
        true => (u64::from(zeros) << k) + u64::from(bits.read(k)?),
        false => u64::from(bits.read(error_bits)?) + 1,
    };
    i32::try_from(code).map_err(|_| Stop::Wrong)
}
