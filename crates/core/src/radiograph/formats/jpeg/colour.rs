//! From the components of a JPEG to grey or RGB pixels, as libjpeg-turbo does it (`jdsample.c`, `jdcolor.c`).

use super::frame::{Colours, Frame, Plane};
use crate::radiograph::refusal::RadiographError;

enum Space {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// What the components are: told by Adobe's and JFIF's segments, else by their names (`jdapimin.c`).
fn space(frame: &Frame, colours: Colours) -> Space {
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    match (frame.components.len(), colours) {
        (1, _) => Space::Grey,
        (3, Colours { jfif: true, .. }) => Space::YCbCr,
        (3, Colours { adobe: Some(0), .. }) => Space::Rgb,
        (3, Colours { adobe: Some(_), .. }) => Space::YCbCr,
        (3, _) if ids == *b"RGB" => Space::Rgb,
        (3, _) => Space::YCbCr,
        (
            _,
            Colours {
                adobe: Some(0) | None,
                ..
            },
        ) => Space::Cmyk,
        (_, _) => Space::Ycck,
    }
}

/// Interleaved samples of the whole picture: one a pixel for grey, else three.
pub fn convert(
    frame: &Frame,
    planes: Vec<Plane<u8>>,
    colours: Colours,
) -> Result<Vec<u8>, RadiographError> {
    let (width, height) = frame.scaled_size();
    let mut full: Vec<Vec<u8>> = Vec::with_capacity(planes.len());
    for (plane, component) in planes.into_iter().zip(&frame.components) {
        full.push(upsample(
            plane,
            component.sampling,
            frame.most(),
            width,
            height,
        ));
    }
    Ok(match (space(frame, colours), full.as_mut_slice()) {
        (Space::Grey, [grey]) => std::mem::take(grey),
        (Space::Rgb, [r, g, b]) => interleave(r, g, b, |r, g, b| [r, g, b]),
        (Space::YCbCr, [y, cb, cr]) => interleave(y, cb, cr, rgb),
        // Adobe writes inks inverted: 255 is none.
        (Space::Cmyk, [c, m, y, k]) => inked(interleave(c, m, y, |c, m, y| [c, m, y]), k),
        (Space::Ycck, [y, cb, cr, k]) => {
            // Each ink is 255 less what the transform gives, and then inverted as all inks are.
            let inks = interleave(y, cb, cr, |y, cb, cr| rgb(y, cb, cr).map(|v| 255 - v));
            inked(inks, k)
        }
        _ => {
            return Err(RadiographError::damaged(
                "components that do not belong together",
            ));
        }
    })
}

fn interleave(a: &[u8], b: &[u8], c: &[u8], pixel: impl Fn(u8, u8, u8) -> [u8; 3]) -> Vec<u8> {
    let pixels = a.iter().zip(b).zip(c);
    pixels.flat_map(|((a, b), c)| pixel(*a, *b, *c)).collect()
}

/// Inverted inks on white paper.
fn inked(mut inks: Vec<u8>, black: &[u8]) -> Vec<u8> {
    for (ink, k) in inks.chunks_exact_mut(3).zip(black) {
        for v in ink {
            let product = u32::from(*v) * u32::from(*k) + 128;
            *v = ((product + (product >> 8)) >> 8) as u8;
        }
    }
    inks
}

/// ITU-R BT.601 in 16 bits of fixed point.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let limit = |v: i32| v.clamp(0, 255) as u8;
    [
        limit(y + ((91_881 * cr + HALF) >> 16)),
        limit(y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16)),
        limit(y + ((116_130 * cb + HALF) >> 16)),
    ]
}

/// A component at the picture's size: a triangle filter where it has half the samples, repetition otherwise.
fn upsample(
    plane: Plane<u8>,
    sampling: (usize, usize),
    most: (usize, usize),
    width: usize,
    height: usize,
) -> Vec<u8> {
    let wide = plane.width > 2;
    match (most.0 * 2 / sampling.0, most.1 * 2 / sampling.1) {
        (2, 2) => plane.samples,
        (4, 2) if wide => {
            let rows = plane.samples.chunks_exact(plane.width);
            rows.flat_map(|row| double(row, width)).collect()
        }
        (2, 4) => {
            let mut out = Vec::with_capacity(width * height);
            for y in 0..height {
                let (near, far, bias) = rows_of(&plane, y);
                let blend =
                    |(a, b): (&u8, &u8)| ((3 * u32::from(*a) + u32::from(*b) + bias) >> 2) as u8;
                out.extend(near.iter().zip(far).take(width).map(blend));
            }
            out
        }
        (4, 4) if wide => {
            let mut out = Vec::with_capacity(width * height);
            for y in 0..height {
                let (near, far, _) = rows_of(&plane, y);
                let sums: Vec<u32> = near
                    .iter()
                    .zip(far)
                    .map(|(a, b)| 3 * u32::from(*a) + u32::from(*b))
                    .collect();
                out.extend(double_sums(&sums, width));
            }
            out
        }
        _ => {
            let mut out = Vec::with_capacity(width * height);
            for y in 0..height {
                let y = (y * sampling.1 / most.1).min(plane.height - 1);
                let row = &plane.samples[y * plane.width..][..plane.width];
                out.extend((0..width).map(|x| row[(x * sampling.0 / most.0).min(plane.width - 1)]));
            }
            out
        }
    }
}

/// The row of half the height that row `y` lies in, the other one that is next to it, and libjpeg's rounding.
fn rows_of(plane: &Plane<u8>, y: usize) -> (&[u8], &[u8], u32) {
    let near = (y / 2).min(plane.height - 1);
    let (far, bias) = if y.is_multiple_of(2) {
        (near.saturating_sub(1), 1)
    } else {
        ((near + 1).min(plane.height - 1), 2)
    };
    let row = |y: usize| &plane.samples[y * plane.width..][..plane.width];
    (row(near), row(far), bias)
}

/// A row at twice its width, a quarter of each pixel from its neighbour.
fn double(row: &[u8], width: usize) -> impl Iterator<Item = u8> {
    let at = |x: usize| u32::from(row[x]);
    let last = row.len() - 1;
    (0..width).map(move |x| {
        let near = x / 2;
        let value = match x % 2 {
            0 if near == 0 => at(0),
            0 => (3 * at(near) + at(near - 1) + 1) >> 2,
            _ if near == last => at(last),
            _ => (3 * at(near) + at(near + 1) + 2) >> 2,
        };
        value as u8
    })
}

/// Sums of two rows, four times a sample each, as samples at twice the width: a quarter of each pixel is from its neighbour.
fn double_sums(sums: &[u32], width: usize) -> impl Iterator<Item = u8> {
    let last = sums.len() - 1;
    (0..width).map(move |x| {
        let near = x / 2;
        let value = match x % 2 {
            0 if near == 0 => (4 * sums[0] + 8) >> 4,
            0 => (3 * sums[near] + sums[near - 1] + 8) >> 4,
            _ if near == last => (4 * sums[last] + 7) >> 4,
            _ => (3 * sums[near] + sums[near + 1] + 7) >> 4,
        };
        value as u8
    })
}
