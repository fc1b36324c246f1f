//! 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016): 36 products for 16 outputs of a channel pair, not 144.

use crate::activation::{Activation, silu};
use crate::crew::Crew;
use crate::map::{View, ViewMut, groups};
use crate::product::{COLUMNS, Panels, Product, Target};
use crate::shape::Window;
use crate::simd::{LANES, Task, Vector, dispatch};

/// Outputs of a tile along an axis.
const TILE: usize = 4;
/// Inputs that a tile reads along an axis.
const REACH: usize = TILE + 2;
const POINTS: usize = REACH * REACH;
/// Tiles that are worked on together.
const BLOCK: usize = if cfg!(target_arch = "wasm32") { 16 } else { 24 };
/// Floats between matrices beyond their contents: else all lie in a few sets of the cache.
const GAP: usize = 16;

/// A packed 3x3 convolution of stride 1.
#[derive(Clone, Debug)]
pub struct Winograd {
    points: Vec<Panels>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
    window: Window,
}

impl Winograd {
    /// `weights`: `[outputs, inputs, 3, 3]`.
    ///
    /// # Panics
    /// When the window is another, or there is another number of weights or of biases.
    pub fn new(
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        window: Window,
        bias: &[f32],
    ) -> Self {
        assert_eq!((window.kernel, window.stride), (3, 1));
        assert!(weights.len() == outputs * inputs * 9 && bias.len() == outputs);
        let mut points = vec![Panels::zeros(groups(inputs) * LANES, outputs); POINTS];
        // By rows of the panels, so that every point is written in order.
        let mut transformed = vec![[0.0; POINTS]; COLUMNS * LANES];
        for panel in 0..points[0].panels() {
            for input in 0..inputs {
                let first = panel * COLUMNS * LANES;
                let lanes = (outputs - first).min(COLUMNS * LANES);
                for (lane, transformed) in transformed.iter_mut().enumerate().take(lanes) {
                    let filter = &weights[((first + lane) * inputs + input) * 9..][..9];
                    *transformed = transform_filter(filter);
                }
                for (point, panels) in points.iter_mut().enumerate() {
                    let row = panels.row_mut(panel, input).iter_mut().take(lanes);
                    for (weight, transformed) in row.zip(&transformed) {
                        *weight = transformed[point];
                    }
                }
            }
        }
        let mut lanes = vec![0.0; groups(outputs) * LANES];
        lanes[..outputs].copy_from_slice(bias);
        Self {
            points,
            bias: lanes,
            inputs,
            outputs,
            window,
        }
    }

    /// `activation(convolution(x) + bias)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward(&self, x: View, activation: Activation, out: ViewMut, crew: &mut Crew) {
        assert_eq!((x.channels, out.channels), (self.inputs, self.outputs));
        let (rows, top) = self.window.along(x.height);
        let (columns, left) = self.window.along(x.width);
        assert_eq!((rows, columns), (out.height, out.width));
        let Crew {
            threads,
            inputs,
            outputs,
            offsets,
        } = crew;
        let (ins, outs) = (groups(self.inputs), groups(self.outputs));
        let [down, across] = [out.height, out.width].map(|side| side.div_ceil(TILE));
        let tiles = down * across;
        let block = tiles.div_ceil(tiles.div_ceil(BLOCK));
        let (in_plane, out_plane) = (x.plane(), out.plane());
        for first in (0..tiles).step_by(block) {
            let tiles = Tiles {
                first,
                count: block.min(tiles - first),
                across,
            };
            // Inputs: of a group all points, of a point all tiles. Outputs: of a point all groups, of a group all tiles.
            let line = tiles.count * LANES;
            let in_group = POINTS * line + GAP;
            let out_point = outs * line + GAP;
            let inputs = inputs.first(ins * in_group);
            let outputs = outputs.first(POINTS * out_point);
            threads.each_chunk(inputs, in_group, |group, points, _| {
                dispatch(Inputs {
                    plane: Plane {
                        values: &x.values[group * in_plane..][..in_plane],
                        height: x.height,
                        width: x.width,
                    },
                    before: [top, left],
                    tiles,
                    points,
                });
            });
            offsets.clear();
            offsets.extend((0..ins).map(|group| group * in_group));
            threads.each_chunk(outputs, out_point, |point, out, _| {
                let product = Product {
                    panels: &self.points[point],
                    x: &inputs[point * line..],
                    offsets,
                    step: LANES,
                    pixels: tiles.count,
                    activation: Activation::Identity,
                };
                let target = Target::new(out, line);
                dispatch(Point { product, target });
            });
            let [height, width] = [out.height, out.width];
            threads.each_chunk(out.values, out_plane, |group, plane, _| {
                dispatch(Outputs {
                    points: &outputs[group * line..],
                    point: out_point,
                    bias: &self.bias[group * LANES..][..LANES],
                    activation,
                    tiles,
                    plane,
                    sides: [height, width],
                });
            });
        }
    }
}

/// Tiles that are worked on together.
#[derive(Clone, Copy)]
struct Tiles {
    first: usize,
    count: usize,
    /// Tiles in a row of the map.
    across: usize,
}

impl Tiles {
    /// The first row and column of each tile.
    #[inline(always)]
    fn corners(self) -> impl Iterator<Item = [usize; 2]> {
        let tiles = self.first..self.first + self.count;
        tiles.map(move |tile| [tile / self.across * TILE, tile % self.across * TILE])
    }
}

/// The inputs of a group at all points.
struct Inputs<'a> {
    plane: Plane<'a>,
    before: [usize; 2],
    tiles: Tiles,
    /// `[POINTS, tiles, LANES]`.
    points: &'a mut [f32],
}

impl Task for Inputs<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let line = self.tiles.count * LANES;
        for (index, corner) in self.tiles.corners().enumerate() {
            let target = &mut self.points[index * LANES..];
            transform_input::<V>(&self.plane, corner, self.before, target, line);
        }
    }
}

/// The product at a point.
struct Point<'a> {
    product: Product<'a>,
    target: Target<'a>,
}

impl Task for Point<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        self.product.all::<V, LANES, LANES>(self.target);
    }
}

/// The outputs of a group, from all points.
struct Outputs<'a> {
    /// The group's first tile at the first point.
    points: &'a [f32],
    /// From one point to the next.
    point: usize,
    bias: &'a [f32],
    activation: Activation,
    tiles: Tiles,
    plane: &'a mut [f32],
    sides: [usize; 2],
}

impl Task for Outputs<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let (low, high) = self.activation.limits();
        let after = After {
            bias: self.bias,
            low,
            high,
            silu: self.activation == Activation::Silu,
        };
        for (index, corner) in self.tiles.corners().enumerate() {
            let source = &self.points[index * LANES..];
            transform_output::<V>(source, self.point, &after, self.plane, corner, self.sides);
        }
    }
}

/// A group of channels.
struct Plane<'a> {
    values: &'a [f32],
    height: usize,
    width: usize,
}

/// A filter `[3, 3]` at every point.
fn transform_filter(filter: &[f32]) -> [f32; POINTS] {
    let axis = |g: [f64; 3]| {
        let (ends, far) = (g[0] + g[2], g[0] / 24.0 + g[2] / 6.0);
        [
            g[0] / 4.0,
            (ends + g[1]) / -6.0,
            (ends - g[1]) / -6.0,
            far + g[1] / 12.0,
            far - g[1] / 12.0,
            g[2],
        ]
    };
    let columns: [[f64; REACH]; 3] = std::array::from_fn(|column| {
        axis(std::array::from_fn(|row| {
            f64::from(filter[row * 3 + column])
        }))
    });
    let mut points = [0.0; POINTS];
    for (row, points) in points.chunks_exact_mut(REACH).enumerate() {
        for (point, value) in points
            .iter_mut()
            .zip(axis(columns.map(|column| column[row])))
        {
            *point = value as f32;
        }
    }
    points
}

/// One axis of the inputs' transform.
#[inline(always)]
fn transform_inputs<V: Vector>(d: [V; REACH]) -> [V; REACH] {
    let a = d[2].neg_mul_add(4.0, d[4]);
    let b = d[1].neg_mul_add(4.0, d[3]);
    let c = d[4].sub(d[2]);
    let e = d[3].sub(d[1]);
    let e = e.add(e);
    [
        d[0].mul_add(V::splat(4.0), d[2].neg_mul_add(5.0, d[4])),
        a.add(b),
        a.sub(b),
        c.add(e),
        c.sub(e),
        d[1].mul_add(V::splat(4.0), d[3].neg_mul_add(5.0, d[5])),
    ]
}

/// One axis of the outputs' transform.
#[inline(always)]
fn transform_outputs<V: Vector>(m: [V; REACH]) -> [V; TILE] {
    let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(s1).add(s2),
        d2.mul_add(V::splat(2.0), d1),
        s2.mul_add(V::splat(4.0), s1),
        d2.mul_add(V::splat(8.0), d1).add(m[5]),
    ]
}

/// The tile of outputs at a row and a column, with `before` zeros above and on the left, goes to every point's matrix.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_input<V: Vector>(
    plane: &Plane,
    [row, column]: [usize; 2],
    [above, left]: [usize; 2],
    target: &mut [f32],
    point: usize,
) {
    assert!(target.len() >= (POINTS - 1) * point + LANES);
    let inside = row >= above
        && column >= left
        && row + REACH <= plane.height + above
        && column + REACH <= plane.width + left;
    let mut local = [0.0f32; POINTS * LANES];
    let (source, line) = if inside {
        let first = ((row - above) * plane.width + column - left) * LANES;
        let line = plane.width * LANES;
        (
            &plane.values[first..][..(REACH - 1) * line + REACH * LANES],
            line,
        )
    } else {
        // What lies in the plane, the rest is 0.
        let from = left.saturating_sub(column);
        let to = (plane.width + left).saturating_sub(column).min(REACH);
        for y in 0..REACH {
            let Some(above) = (row + y).checked_sub(above).filter(|y| *y < plane.height) else {
                continue;
            };
            if from < to {
                let first = (above * plane.width + column + from - left) * LANES;
                local[(y * REACH + from) * LANES..(y * REACH + to) * LANES]
                    .copy_from_slice(&plane.values[first..][..(to - from) * LANES]);
            }
        }
        (&local[..], REACH * LANES)
    };
    // SAFETY: `source` has `REACH` vectors in each of `REACH` lines; `target` has a vector at every point, as asserted.
    unsafe {
        let source = source.as_ptr();
        let target = target.as_mut_ptr();
        let mut columns = [[V::splat(0.0); REACH]; REACH];
        for (x, columns) in columns.iter_mut().enumerate() {
            let mut d = [V::splat(0.0); REACH];
            for (y, d) in d.iter_mut().enumerate() {
                *d = V::load(source.add(y * line + x * LANES));
            }
            *columns = transform_inputs(d);
        }
        for y in 0..REACH {
            let mut d = [V::splat(0.0); REACH];
            for (d, column) in d.iter_mut().zip(&columns) {
                *d = column[y];
            }
            for (x, value) in transform_inputs(d).into_iter().enumerate() {
                value.store(target.add((y * REACH + x) * point));
            }
        }
    }
}

/// What is done to outputs.
struct After<'a> {
    bias: &'a [f32],
    low: f32,
    high: f32,
    silu: bool,
}

/// Writes the tile at a row and a column, as far as it is in the plane, from every point's matrix.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn transform_output<V: Vector>(
    source: &[f32],
    point: usize,
    after: &After,
    plane: &mut [f32],
    [row, column]: [usize; 2],
    [height, width]: [usize; 2],
) {
    assert!(source.len() >= (POINTS - 1) * point + LANES && after.bias.len() >= LANES);
    assert!(row < height && column < width && plane.len() >= height * width * LANES);
    let (rows, columns) = (TILE.min(height - row), TILE.min(width - column));
    // SAFETY: as asserted, `source` has a vector at every point, and `rows` by `columns` vectors from the tile's first are in the plane.
    unsafe {
        let source = source.as_ptr();
        let target = plane.as_mut_ptr().add((row * width + column) * LANES);
        let mut lines = [[V::splat(0.0); REACH]; TILE];
        for x in 0..REACH {
            let mut m = [V::splat(0.0); REACH];
            for (y, m) in m.iter_mut().enumerate() {
                *m = V::load(source.add((y * REACH + x) * point));
            }
            for (line, value) in lines.iter_mut().zip(transform_outputs(m)) {
                line[x] = value;
            }
        }
        let bias = V::load(after.bias.as_ptr());
        let (low, high) = (V::splat(after.low), V::splat(after.high));
        for (y, line) in lines.into_iter().enumerate().take(rows) {
            for (x, value) in transform_outputs(line).into_iter().enumerate() {
                let mut value = value.add(bias).max(low).min(high);
                if after.silu {
                    value = silu(value);
                }
                if x < columns {
                    value.store(target.add((y * width + x) * LANES));
                }
            }
        }
    }
}
