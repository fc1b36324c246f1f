//! The inverse cosine transform, as libjpeg-turbo's `jidctint.c` computes it (Loeffler, Ligtenberg and Moschytz, 1989).

use std::num::Wrapping;

/// Place of each coefficient in a block, row by row (T.81, figure A.6).
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

const CONST_BITS: usize = 13;
type Number = Wrapping<i32>;

/// Eight samples from eight coefficients, scaled by `2^CONST_BITS` times the square root of eight.
fn eight(input: [Number; 8]) -> [Number; 8] {
    let fix = |v: i32| Wrapping(v);
    // Even part.
    let z1 = (input[2] + input[6]) * fix(4433);
    let tmp2 = z1 + input[6] * fix(-15137);
    let tmp3 = z1 + input[2] * fix(6270);
    let tmp0 = (input[0] + input[4]) << CONST_BITS;
    let tmp1 = (input[0] - input[4]) << CONST_BITS;
    let (tmp10, tmp13) = (tmp0 + tmp3, tmp0 - tmp3);
    let (tmp11, tmp12) = (tmp1 + tmp2, tmp1 - tmp2);
    // Odd part.
    let [tmp0, tmp1, tmp2, tmp3] = [input[7], input[5], input[3], input[1]];
    let (z1, z2, z3, z4) = (tmp0 + tmp3, tmp1 + tmp2, tmp0 + tmp2, tmp1 + tmp3);
    let z5 = (z3 + z4) * fix(9633);
    let (z1, z2) = (z1 * fix(-7373), z2 * fix(-20995));
    let (z3, z4) = (z3 * fix(-16069) + z5, z4 * fix(-3196) + z5);
    let tmp0 = tmp0 * fix(2446) + z1 + z3;
    let tmp1 = tmp1 * fix(16819) + z2 + z4;
    let tmp2 = tmp2 * fix(25172) + z2 + z3;
    let tmp3 = tmp3 * fix(12299) + z1 + z4;
    [
        tmp10 + tmp3,
        tmp11 + tmp2,
        tmp12 + tmp1,
        tmp13 + tmp0,
        tmp13 - tmp0,
        tmp12 - tmp1,
        tmp11 - tmp2,
        tmp10 - tmp3,
    ]
}

fn descale(value: Number, bits: usize) -> Number {
    (value + Wrapping(1 << (bits - 1))) >> bits
}

/// How many bits a sample has: 8, or 12.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Precision(pub u8);

impl Precision {
    /// `PASS1_BITS`: with 12 bits, one less, lest the first pass overflows.
    fn pass1_bits(self) -> usize {
        if self.0 == 8 { 2 } else { 1 }
    }

    fn sample(self, value: i32) -> u16 {
        let middle = 1 << (self.0 - 1);
        value.saturating_add(middle).clamp(0, 2 * middle - 1) as u16
    }
}

/// The samples of a block, `side` on a side (8, or 4, 2, 1 from the lowest frequencies alone), into rows of `stride`.
pub fn inverse(
    coefficients: &[i16; 64],
    table: &[u16; 64],
    precision: Precision,
    side: usize,
    out: &mut [u16],
    stride: usize,
) {
    if side < 8 {
        return reduced(coefficients, table, precision, side, out, stride);
    }
    let pass1_bits = precision.pass1_bits();
    let value = |k: usize| Wrapping(i32::from(coefficients[k]) * i32::from(table[k]));
    if coefficients[1..].iter().all(|c| *c == 0) {
        // The general way comes to the same.
        let flat = descale(value(0) << pass1_bits, pass1_bits + 3).0;
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(precision.sample(flat));
        }
        return;
    }
    let mut work = [Wrapping(0); 64];
    for column in 0..8 {
        let done = eight(std::array::from_fn(|row| value(8 * row + column)));
        for (row, v) in done.into_iter().enumerate() {
            work[8 * row + column] = descale(v, CONST_BITS - pass1_bits);
        }
    }
    for (row, out) in work.chunks_exact(8).zip(out.chunks_mut(stride)) {
        let done = eight(std::array::from_fn(|column| row[column]));
        for (out, v) in out.iter_mut().zip(done) {
            *out = precision.sample(descale(v, CONST_BITS + pass1_bits + 3).0);
        }
    }
}

/// A block at a part of its size: the transform of `side` points on its lowest `side` x `side` frequencies.
fn reduced(
    coefficients: &[i16; 64],
    table: &[u16; 64],
    precision: Precision,
    side: usize,
    out: &mut [u16],
    stride: usize,
) {
    let basis = |x: usize, u: usize| {
        if u == 0 {
            return std::f32::consts::FRAC_1_SQRT_2;
        }
        let angle = (2 * x + 1) as f32 * u as f32 * std::f32::consts::PI / (2 * side) as f32;
        angle.cos()
    };
    let mut waves = [[0.0f32; 4]; 4];
    for (x, row) in waves.iter_mut().enumerate().take(side) {
        for (u, wave) in row.iter_mut().enumerate().take(side) {
            *wave = basis(x, u);
        }
    }
    for (y, row) in out.chunks_mut(stride).take(side).enumerate() {
        for (x, out) in row.iter_mut().take(side).enumerate() {
            let mut sum = 0.0;
            for v in 0..side {
                for u in 0..side {
                    let k = 8 * v + u;
                    let value = f32::from(coefficients[k]) * f32::from(table[k]);
                    sum += value * waves[x][u] * waves[y][v];
                }
            }
            *out = precision.sample((sum / 4.0).round() as i32);
        }
    }
}
