//! The matrix product that every convolution but the depthwise ones is made of.
//!
//! A tile of outputs, up to [`Vector::ROWS`] pixels by two groups of channels, stays in registers while all inputs are gone through, each spread
//! over a vector. The inputs are read as they lie.

use std::marker::PhantomData;

use crate::activation::{Activation, silu};
use crate::buffer::Buffer;
use crate::map::groups;
use crate::simd::{LANES, Sums, Vector};

/// Groups of output channels in a tile.
pub const COLUMNS: usize = 2;

/// Weights in the order in which tiles read them, and a bias for each output.
#[derive(Clone, Debug)]
pub struct Panels {
    inputs: usize,
    groups: usize,
    /// A panel for every [`COLUMNS`] groups of outputs, each `[inputs, COLUMNS * LANES]`; the last may be narrower.
    weights: Buffer,
    bias: Buffer,
}

impl Panels {
    /// Packs `outputs x inputs` weights.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let mut panels = Self::zeros(inputs, outputs);
        for panel in 0..panels.panels() {
            for input in 0..inputs {
                let first = panel * COLUMNS * LANES;
                for (lane, value) in panels.row_mut(panel, input).iter_mut().enumerate() {
                    if first + lane < outputs {
                        *value = weight(first + lane, input);
                    }
                }
            }
        }
        for (output, value) in panels.bias.iter_mut().enumerate().take(outputs) {
            *value = bias(output);
        }
        panels
    }

    /// Panels of weights that are 0, without biases.
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        let groups = groups(outputs);
        Self {
            inputs,
            groups,
            weights: Buffer::new(inputs * groups * LANES),
            bias: Buffer::new(groups * LANES),
        }
    }

    /// The weights of a panel's outputs, [`COLUMNS`] groups of them or fewer, for an input.
    pub fn row_mut(&mut self, panel: usize, input: usize) -> &mut [f32] {
        let width = self.groups_of(panel) * LANES;
        let start = panel * COLUMNS * LANES * self.inputs + input * width;
        &mut self.weights[start..][..width]
    }

    /// Pairs of output groups; the last may be one alone.
    pub fn panels(&self) -> usize {
        self.groups.div_ceil(COLUMNS)
    }

    /// Output groups of a panel.
    pub fn groups_of(&self, panel: usize) -> usize {
        COLUMNS.min(self.groups - panel * COLUMNS)
    }
}

/// `out[g][p] = activation(bias[g] + sum over k of weights[g][k] * x[offsets[k / I] + p * step + k % I] + residual[g][p])`, for all pixels `p`.
pub struct Product<'a> {
    pub panels: &'a Panels,
    pub x: &'a [f32],
    /// Where the first pixel's inputs begin, `I` of them at a time.
    pub offsets: &'a [usize],
    /// From one pixel's inputs to the next one's.
    pub step: usize,
    pub pixels: usize,
    pub activation: Activation,
}

/// Where a product goes.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The first pixel of the first group.
    out: Places<'a>,
    /// From one group to the next.
    group: usize,
    /// What is added before the activation; lies as the outputs do.
    residual: Option<&'a [f32]>,
}

/// Floats that are written to, by several threads perhaps.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    start: *mut f32,
    length: usize,
    of: PhantomData<&'a mut [f32]>,
}

// SAFETY: what is written to them by more than one thread is for those to answer for who make targets of them.
unsafe impl Sync for Places<'_> {}
// SAFETY: as above.
unsafe impl Send for Places<'_> {}

impl<'a> From<&'a mut [f32]> for Places<'a> {
    fn from(values: &'a mut [f32]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
            of: PhantomData,
        }
    }
}

impl Places<'_> {
    fn after(self, first: usize) -> Self {
        assert!(first <= self.length, "{first} of {}", self.length);
        Self {
            // SAFETY: it is among them, or just behind.
            start: unsafe { self.start.add(first) },
            length: self.length - first,
            ..self
        }
    }
}

impl<'a> Target<'a> {
    /// The groups that lie in `out`, one `group` floats after the other.
    pub fn new(out: &'a mut [f32], group: usize) -> Self {
        Self {
            out: out.into(),
            group,
            residual: None,
        }
    }

    /// Some pixels of the groups that lie in `out`, from float `first` on. What lies in `residual` as the outputs do is added before the activation.
    ///
    /// # Safety
    /// While this is written to, no other target of these pixels of these groups is.
    pub unsafe fn shared(
        out: Places<'a>,
        first: usize,
        group: usize,
        residual: Option<&'a [f32]>,
    ) -> Self {
        Self {
            out: out.after(first),
            group,
            residual: residual.map(|residual| &residual[first..]),
        }
    }

    /// From a panel's first group on.
    fn of(self, panel: usize) -> Self {
        let before = panel * COLUMNS * self.group;
        Self {
            out: self.out.after(before),
            residual: self.residual.map(|residual| &residual[before..]),
            ..self
        }
    }
}

impl Product<'_> {
    /// Computes the outputs of all panels. `I`: inputs at an offset. `STEP`: the step, or 0 where it is not known beforehand.
    #[inline(always)]
    pub fn all<V: Vector, const I: usize, const STEP: usize>(&self, target: Target) {
        for panel in 0..self.panels.panels() {
            self.one::<V, I, STEP>(panel, target);
        }
    }

    /// Computes the outputs of one panel of the target's.
    #[inline(always)]
    pub fn one<V: Vector, const I: usize, const STEP: usize>(&self, panel: usize, target: Target) {
        self.panel::<V, I, STEP>(panel, target.of(panel));
    }

    /// Computes the outputs of one panel; the target begins with its first group.
    #[inline(always)]
    pub fn panel<V: Vector, const I: usize, const STEP: usize>(
        &self,
        panel: usize,
        target: Target,
    ) {
        let Self {
            panels,
            x,
            offsets,
            step,
            pixels,
            activation,
        } = *self;
        if pixels == 0 {
            return;
        }
        let width = panels.groups_of(panel);
        let last = offsets.iter().max().copied().unwrap_or(0);
        assert!(
            STEP == 0 || STEP == step,
            "the step is the one compiled for"
        );
        assert_eq!(offsets.len() * I, panels.inputs, "weights for all inputs");
        assert!(
            last + (pixels - 1) * step + I <= x.len(),
            "inputs are read where they are"
        );
        let end = (width - 1) * target.group + pixels * LANES;
        assert!(
            end <= target.out.length,
            "outputs are written where they belong"
        );
        assert!(target.residual.is_none_or(|residual| end <= residual.len()));

        let (low, high) = activation.limits();
        let tiling = Tiling {
            offsets,
            inputs: I,
            step,
            group: target.group,
            low,
            high,
            silu: activation == Activation::Silu,
            weights: panels.weights[panel * COLUMNS * LANES * panels.inputs..].as_ptr(),
            bias: panels.bias[panel * COLUMNS * LANES..].as_ptr(),
        };
        // As many tiles as it takes, as like in size as they can be.
        let tiles = pixels.div_ceil(V::ROWS);
        let (rows, larger) = (pixels / tiles, pixels % tiles);
        let mut pixel = 0;
        for tile in 0..tiles {
            let rows = rows + usize::from(tile < larger);
            // SAFETY: the assertions above hold all that a tile of these pixels reads and writes within the slices; a panel has
            // `inputs` rows of weights and as many biases as lanes.
            unsafe {
                let x = x.as_ptr().add(pixel * step);
                let out = target.out.start.add(pixel * LANES);
                let residual = match target.residual {
                    Some(residual) => residual.as_ptr().add(pixel * LANES),
                    None => std::ptr::null(),
                };
                if width == COLUMNS {
                    sized::<V, V::Pair, COLUMNS, STEP>(rows, &tiling, x, out, residual);
                } else {
                    sized::<V, [V; 1], 1, STEP>(rows, &tiling, x, out, residual);
                }
            }
            pixel += rows;
        }
    }
}

/// What the tiles of a panel have in common.
struct Tiling<'a> {
    offsets: &'a [usize],
    /// Inputs at an offset.
    inputs: usize,
    step: usize,
    group: usize,
    low: f32,
    high: f32,
    silu: bool,
    weights: *const f32,
    bias: *const f32,
}

/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn sized<V: Vector, S: Sums<V, N>, const N: usize, const STEP: usize>(
    rows: usize,
    tiling: &Tiling,
    x: *const f32,
    out: *mut f32,
    residual: *const f32,
) {
    // Sizes that an instruction set does not have are not compiled for it.
    macro_rules! of {
        ($($m:literal)*) => {
            match rows {
                $($m if $m <= V::ROWS => tile::<V, S, $m, N, STEP>(tiling, x, out, residual),)*
                _ => unreachable!("a tile has at most V::ROWS pixels"),
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe { of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) }
}

/// `M` pixels by `N` groups.
///
/// # Safety
/// `x` can be read at every offset plus less than `I`, for `M` steps; `weights` has a row of `N` vectors for every input, `bias` has `N` vectors;
/// `out`, and `residual` if it is not null, have `M` vectors in each of `N` groups. `rows` of [`sized`] is `M`.
// In WebAssembly a function of its own, so that the browser's compiler gives registers to one loop at a time. Natively it has to become part of the
// function that is compiled for the instruction set.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
unsafe fn tile<V: Vector, S: Sums<V, N>, const M: usize, const N: usize, const STEP: usize>(
    tiling: &Tiling,
    x: *const f32,
    out: *mut f32,
    residual: *const f32,
) {
    let step = if STEP == 0 { tiling.step } else { STEP };
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [S::load(tiling.bias); M];
        let mut row = tiling.weights;
        for offset in tiling.offsets {
            let mut x = x.add(*offset);
            // A loop whose end the compiler does not know. Unrolled, LLVM's WebAssembly adds all inputs to one sum before the next, and keeps every
            // spread input until then, far beyond the registers.
            let end = x.add(tiling.inputs);
            while x != end {
                let weights = S::load(row);
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    *sums = sums.add_product(x.add(pixel * step), weights);
                }
                x = x.add(1);
                row = row.add(N * LANES);
            }
        }
        let limits = [tiling.low, tiling.high];
        if residual.is_null() {
            let [low, high] = limits.map(S::splat);
            for (pixel, sums) in sums.into_iter().enumerate() {
                for (column, y) in sums.within(low, high).vectors().into_iter().enumerate() {
                    y.store(out.add(column * tiling.group + pixel * LANES));
                }
            }
        } else {
            let [low, high] = limits.map(V::splat);
            for (pixel, sums) in sums.into_iter().enumerate() {
                for (column, sum) in sums.vectors().into_iter().enumerate() {
                    let at = column * tiling.group + pixel * LANES;
                    let y = sum.add(V::load(residual.add(at)));
                    y.max(low).min(high).store(out.add(at));
                }
            }
        }
        if tiling.silu {
            for column in 0..N {
                for pixel in 0..M {
                    let out = out.add(column * tiling.group + pixel * LANES);
                    silu(V::load(out)).store(out);
                }
            }
        }
    }
}
