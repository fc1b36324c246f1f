//! Pooling, the scaling of channels, and a normalisation by itself.

use crate::crew::Threads;
use crate::map::{Map, View, ViewMut, groups};
use crate::norm::Norm;
use crate::shape::{Padding, Window};
use crate::simd::{LANES, Task, Vector, dispatch};

/// The largest of each window; what is around the input does not count.
///
/// # Panics
/// When the shapes do not fit, or a window could lie in the padding alone.
pub fn max(x: View, window: Window, out: ViewMut, threads: &mut Threads) {
    assert!(matches!(window.padding, Padding::Each(side) if side < window.kernel));
    assert_eq!(x.channels, out.channels);
    let (rows, before) = window.along(x.height);
    assert_eq!((rows, window.along(x.width).0), (out.height, out.width));
    let (plane, outs) = (x.plane(), out.plane());
    let columns = out.width;
    threads.each_chunk(out.values, outs, |group, out, _| {
        dispatch(Max {
            x: View {
                values: &x.values[group * plane..][..plane],
                ..x
            },
            window,
            before,
            out,
            columns,
        });
    });
}

/// The pooling of a group.
struct Max<'a> {
    x: View<'a>,
    window: Window,
    before: usize,
    out: &'a mut [f32],
    columns: usize,
}

impl Task for Max<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let Window { kernel, stride, .. } = self.window;
        let range = |index: usize, side: usize| {
            let from = index * stride;
            from.saturating_sub(self.before)..(from + kernel - self.before).min(side)
        };
        let line = self.x.width * LANES;
        let rows_out = self.out.chunks_exact_mut(self.columns * LANES);
        for (row, out) in rows_out.enumerate() {
            let rows = range(row, self.x.height);
            for (column, out) in out.chunks_exact_mut(LANES).enumerate() {
                let columns = range(column, self.x.width);
                let mut most = V::splat(f32::NEG_INFINITY);
                for row in rows.clone() {
                    let x = &self.x.values[row * line..];
                    let x = &x[columns.start * LANES..columns.end * LANES];
                    for x in x.chunks_exact(LANES) {
                        // SAFETY: a chunk is a vector.
                        most = unsafe { V::load(x.as_ptr()) }.max(most);
                    }
                }
                // SAFETY: a chunk is a vector.
                unsafe { most.store(out.as_mut_ptr()) };
            }
        }
    }
}

/// The mean of every channel: `[channels]`.
pub fn mean(x: View, threads: &mut Threads) -> Vec<f32> {
    let mut means = vec![0.0; groups(x.channels) * LANES];
    let plane = x.plane();
    threads.each_chunk(&mut means, LANES, |group, mean, _| {
        let x = &x.values[group * plane..][..plane];
        dispatch(Mean { x, mean });
    });
    means.truncate(x.channels);
    means
}

/// The means of a group.
struct Mean<'a> {
    x: &'a [f32],
    mean: &'a mut [f32],
}

impl Task for Mean<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let share = V::splat(1.0 / (self.x.len() / LANES) as f32);
        // More sums than one, so that an addition need not wait for the one before.
        let mut sums = [V::splat(0.0); 4];
        let mut fours = self.x.chunks_exact(4 * LANES);
        for four in &mut fours {
            for (sum, x) in sums.iter_mut().zip(four.chunks_exact(LANES)) {
                // SAFETY: a chunk is a vector.
                *sum = sum.add(unsafe { V::load(x.as_ptr()) });
            }
        }
        for x in fours.remainder().chunks_exact(LANES) {
            // SAFETY: a chunk is a vector.
            sums[0] = sums[0].add(unsafe { V::load(x.as_ptr()) });
        }
        let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
        assert!(self.mean.len() >= LANES);
        // SAFETY: there is room for a vector.
        unsafe { sum.mul(share).store(self.mean.as_mut_ptr()) };
    }
}

/// Multiplies every channel by a factor of its own.
///
/// # Panics
/// When there is another number of factors.
pub fn scale(x: ViewMut, factors: &[f32], threads: &mut Threads) {
    assert_eq!(x.channels, factors.len());
    let mut lanes = factors.to_vec();
    lanes.resize(groups(factors.len()) * LANES, 0.0);
    let plane = x.plane();
    threads.each_chunk(x.values, plane, |group, values, _| {
        dispatch(Line {
            values,
            slope: &lanes[group * LANES..][..LANES],
            offset: None,
        });
    });
}

/// `relu(norm(x))`, in place.
///
/// # Panics
/// When the number of channels is another.
pub fn normalise_relu(map: &mut Map, norm: &Norm, threads: &mut Threads) {
    let channels = map.view().channels;
    assert_eq!(channels, norm.slope.len());
    let x = map.part_mut(0..channels);
    let lanes = norm.lanes();
    let (slope, offset) = lanes.split_at(groups(channels) * LANES);
    let plane = x.plane();
    threads.each_chunk(x.values, plane, |group, values, _| {
        dispatch(Line {
            values,
            slope: &slope[group * LANES..][..LANES],
            offset: Some(&offset[group * LANES..][..LANES]),
        });
    });
}

/// `slope * x`, or `relu(slope * x + offset)`, of a group.
struct Line<'a> {
    values: &'a mut [f32],
    slope: &'a [f32],
    offset: Option<&'a [f32]>,
}

impl Task for Line<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let zero = V::splat(0.0);
        let values = self.values.chunks_exact_mut(LANES);
        let lanes = ..LANES;
        // SAFETY: the ranges and the chunks are vectors.
        unsafe {
            let slope = V::load(self.slope[lanes].as_ptr());
            match self.offset {
                Some(offset) => {
                    let offset = V::load(offset[lanes].as_ptr());
                    for x in values {
                        let y = V::load(x.as_ptr()).mul_add(slope, offset);
                        y.max(zero).store(x.as_mut_ptr());
                    }
                }
                None => {
                    for x in values {
                        V::load(x.as_ptr()).mul(slope).store(x.as_mut_ptr());
                    }
                }
            }
        }
    }
}
