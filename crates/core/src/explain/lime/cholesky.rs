//! Systems of linear equations with a symmetric matrix that is nowhere negative, in float64.

/// Rows, or right sides, that are worked on together: a processor has them side by side in a few registers.
pub const TOGETHER: usize = 8;

/// A value of each that is worked on.
pub type Values = [f64; TOGETHER];

/// The lower triangular factor of such a matrix.
#[derive(Clone, Debug)]
pub struct Cholesky {
    lower: Vec<f64>,
    size: usize,
    /// Where each row begins; before that it is 0, in the matrix and so in the factor (George and Liu, 1981, on envelopes).
    first: Vec<usize>,
}

impl Cholesky {
    /// Decomposes `matrix`, `size` rows of `size` values; only the lower triangle is read.
    pub fn new(matrix: Vec<f64>, size: usize) -> Self {
        Self::within(matrix, vec![0; size])
    }

    /// Decomposes `matrix`, in which each row is 0 before a place, its `first`: what is known to be 0 takes no time.
    pub fn within(mut matrix: Vec<f64>, first: Vec<usize>) -> Self {
        let size = first.len();
        let is_zero = |row: usize| matrix[row * size..][..first[row]].iter().all(|v| *v == 0.0);
        debug_assert!((0..size).all(is_zero), "rows begin where they are said to");
        let largest = (0..size).map(|i| matrix[i * size + i]).fold(0.0, f64::max);
        // Some rows of the factor, column by column.
        let mut columns = vec![[0.0; TOGETHER]; size];
        for top in (0..size).step_by(TOGETHER) {
            let rows = top..size.min(top + TOGETHER);
            let start = rows.clone().map(|row| first[row]).min().unwrap_or(top);
            for j in start..rows.end {
                let mut values = [0.0; TOGETHER];
                for row in rows.clone().filter(|row| j <= *row) {
                    values[row - top] = matrix[row * size + j];
                }
                let from = first[j].max(start).min(j);
                if j < top {
                    let factors = &matrix[j * size + from..j * size + j];
                    subtract(&mut values, factors.iter().copied(), &columns[from..j]);
                    let pivot = matrix[j * size + j];
                    values.iter_mut().for_each(|value| *value /= pivot);
                } else {
                    let own = j - top;
                    let known = &columns[from..j];
                    subtract(&mut values, known.iter().map(|column| column[own]), known);
                    // A feature that others determine gets no weight of its own.
                    let pivot = match values[own] {
                        rest if rest > 1e-12 * largest => rest.sqrt(),
                        _ => f64::INFINITY,
                    };
                    values.iter_mut().for_each(|value| *value /= pivot);
                    values[..own].fill(0.0);
                    values[own] = pivot;
                }
                columns[j] = values;
            }
            for row in rows {
                for j in first[row]..=row {
                    matrix[row * size + j] = columns[j][row - top];
                }
            }
        }
        Self {
            lower: matrix,
            size,
            first,
        }
    }

    /// What the matrix makes `right` of.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = self.whiten(right);
        for i in (0..size).rev() {
            x[i] /= lower[i * size + i];
            let known = x[i];
            let from = self.first[i];
            for (x, factor) in x[from..i].iter_mut().zip(&lower[i * size + from..]) {
                *x -= factor * known;
            }
        }
        x
    }

    /// What the factor makes `right` of: its squares add up to `right^T matrix^-1 right`.
    pub fn whiten(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = right.to_vec();
        // What begins with 0 stays 0 there.
        let start = right.iter().position(|value| *value != 0.0);
        for i in start.unwrap_or(size)..size {
            let from = self.first[i].max(start.unwrap_or(0)).min(i);
            let known = dot(&lower[i * size + from..i * size + i], &x[from..i]);
            x[i] = (x[i] - known) / lower[i * size + i];
        }
        x
    }

    /// [`Cholesky::whiten`] of several right sides: row by row a value of each.
    pub fn whiten_together(&self, right: &mut [Values]) {
        let (lower, size) = (&self.lower, self.size);
        let start = right.iter().position(|row| row.iter().any(|v| *v != 0.0));
        let start = start.unwrap_or(size);
        for i in start..size {
            let from = self.first[i].max(start).min(i);
            let (known, rest) = right.split_at_mut(i);
            let factors = &lower[i * size + from..i * size + i];
            subtract(&mut rest[0], factors.iter().copied(), &known[from..]);
            let pivot = lower[i * size + i];
            rest[0].iter_mut().for_each(|value| *value /= pivot);
        }
    }

    /// [`Cholesky::solve`] for several right sides: row by row a value of each.
    pub fn solve_together(&self, right: &mut [Values]) {
        let (lower, size) = (&self.lower, self.size);
        self.whiten_together(right);
        for i in (0..size).rev() {
            let (before, rest) = right.split_at_mut(i);
            let pivot = lower[i * size + i];
            rest[0].iter_mut().for_each(|value| *value /= pivot);
            let known = rest[0];
            let from = self.first[i];
            for (x, factor) in before[from..].iter_mut().zip(&lower[i * size + from..]) {
                for (x, known) in x.iter_mut().zip(known) {
                    *x -= factor * known;
                }
            }
        }
    }

    /// The natural logarithm of the matrix's determinant.
    pub fn log_determinant(&self) -> f64 {
        let pivots = (0..self.size).map(|i| self.lower[i * self.size + i]);
        2.0 * pivots.map(f64::ln).sum::<f64>()
    }
}

/// Takes each factor's row from the values.
#[inline(always)]
fn subtract(values: &mut Values, factors: impl Iterator<Item = f64>, rows: &[Values]) {
    let mut left = *values;
    for (factor, row) in factors.zip(rows) {
        for (left, value) in left.iter_mut().zip(row) {
            *left -= factor * value;
        }
    }
    *values = left;
}

/// The sum of rows, each times its factor.
pub fn sum_of(factors: &[f64], rows: &[Values]) -> Values {
    let mut sums = [0.0; TOGETHER];
    for (factor, row) in factors.iter().zip(rows) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += factor * value;
        }
    }
    sums
}

/// The sums of products of each that is worked on.
pub fn dots(a: &[Values], b: &[Values]) -> Values {
    let mut sums = [0.0; TOGETHER];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums
}

/// The sum of products, in four sums that a processor can keep at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [[4, 2, 1], [2, 5, 3], [1, 3, 6]], whose determinant is 67.
    fn known() -> Cholesky {
        Cholesky::new(vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0], 3)
    }

    fn squares(values: &[f64]) -> f64 {
        values.iter().map(|v| v * v).sum()
    }

    #[test]
    fn a_known_matrix_is_solved_and_measured() {
        let factor = known();
        let found = factor.solve(&[11.0, 21.0, 25.0]);
        for (ours, theirs) in found.iter().zip([1.0, 2.0, 3.0]) {
            assert!((ours - theirs).abs() < 1e-12, "{ours}");
        }
        assert!((factor.log_determinant() - 67f64.ln()).abs() < 1e-12);
        let right = [1.0, -2.0, 0.5];
        let product: f64 = factor
            .solve(&right)
            .iter()
            .zip(right)
            .map(|(x, r)| x * r)
            .sum();
        assert!((squares(&factor.whiten(&right)) - product).abs() < 1e-12);
    }

    #[test]
    fn a_whitened_unit_tells_the_diagonal_of_the_inverse() {
        let factor = known();
        for (place, cofactor) in [21.0, 23.0, 16.0].into_iter().enumerate() {
            let mut unit = [0.0; 3];
            unit[place] = 1.0;
            let ours = squares(&factor.whiten(&unit));
            assert!((ours - cofactor / 67.0).abs() < 1e-12, "{ours}");
        }
    }

    #[test]
    fn many_rows_and_right_sides_at_once_are_as_one_by_one() {
        // More rows than are worked on together, of a matrix whose factor is known: small whole numbers, without rounding.
        let size = 2 * TOGETHER + 3;
        let entry = |i: usize, j: usize| match j {
            j if j > i => 0.0,
            j if j == i => (1 + i % 3) as f64,
            j => ((5 * i + 3 * j) % 7) as f64 - 3.0,
        };
        let product = |i: usize, j: usize| (0..size).map(|k| entry(i, k) * entry(j, k)).sum();
        let matrix: Vec<f64> = (0..size * size)
            .map(|at| product(at / size, at % size))
            .collect();
        let factor = Cholesky::new(matrix, size);
        for i in 0..size {
            for j in 0..=i {
                let found = factor.lower[i * size + j];
                assert!((found - entry(i, j)).abs() < 1e-9, "{i} {j}: {found}");
            }
        }
        let side = |lane: usize| -> Vec<f64> {
            let value = |i: usize| {
                if i < lane {
                    0.0
                } else {
                    ((i * lane) % 5) as f64 - 1.5
                }
            };
            (0..size).map(value).collect()
        };
        let sides: Vec<Values> = (0..size)
            .map(|i| std::array::from_fn(|lane| side(lane)[i]))
            .collect();
        let mut together = sides.clone();
        factor.whiten_together(&mut together);
        let sums = dots(&together, &together);
        for lane in 0..TOGETHER {
            let alone = factor.whiten(&side(lane));
            for (i, value) in alone.iter().enumerate() {
                let found = together[i][lane];
                assert!(
                    (found - value).abs() <= 1e-9 * value.abs().max(1.0),
                    "{found} {value}"
                );
            }
            let squares = squares(&alone);
            assert!((sums[lane] - squares).abs() <= 1e-9 * squares.max(1.0));
        }
        let mut solved = sides.clone();
        factor.solve_together(&mut solved);
        for lane in 0..TOGETHER {
            for (row, value) in solved.iter().zip(factor.solve(&side(lane))) {
                let found = row[lane];
                assert!(
                    (found - value).abs() <= 1e-6 * value.abs().max(1.0),
                    "{found} {value}"
                );
            }
        }
    }

    /// The factor, entry by entry.
    fn entry_by_entry(matrix: &[f64], size: usize) -> Vec<f64> {
        let largest = (0..size).map(|i| matrix[i * size + i]).fold(0.0, f64::max);
        let mut lower = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let known: f64 = (0..j)
                    .map(|k| lower[i * size + k] * lower[j * size + k])
                    .sum();
                let rest = matrix[i * size + j] - known;
                lower[i * size + j] = match i == j {
                    true if rest > 1e-12 * largest => rest.sqrt(),
                    true => f64::INFINITY,
                    false => rest / lower[j * size + j],
                };
            }
        }
        lower
    }

    #[test]
    fn zeros_that_are_left_out_change_nothing() {
        // Two blocks of ten, and rows beside both. The rows 3 and 5 are equal, and 1 and 9, and 12 and 18, far from each other: no pivot is left for the later.
        let size = 23;
        let first: Vec<usize> = (0..size)
            .map(|row| if (10..20).contains(&row) { 10 } else { 0 })
            .collect();
        let alike = |row: usize| match row {
            5 => 3,
            9 => 1,
            18 => 12,
            row => row,
        };
        let feature = |row: usize, k: usize| -> f64 {
            let row = alike(row);
            let beside = row >= 20 || (row < 10) == (k < 30);
            if beside {
                ((row * row * 7 + k * k * 3 + row * k * 5 + row + k) % 17) as f64 - 8.0
            } else {
                0.0
            }
        };
        let product =
            |i: usize, j: usize| (0..60).map(|k| feature(i, k) * feature(j, k)).sum::<f64>();
        let matrix: Vec<f64> = (0..size * size)
            .map(|at| product(at / size, at % size))
            .collect();
        let lower = |at: usize| {
            if at % size <= at / size {
                matrix[at]
            } else {
                0.0
            }
        };
        let lower: Vec<f64> = (0..size * size).map(lower).collect();
        let expected = entry_by_entry(&lower, size);
        assert_eq!(
            expected.iter().filter(|value| value.is_infinite()).count(),
            3
        );
        for factor in [
            Cholesky::new(lower.clone(), size),
            Cholesky::within(lower, first),
        ] {
            for i in 0..size {
                for j in 0..=i {
                    let (found, expected) = (factor.lower[i * size + j], expected[i * size + j]);
                    let close = found == expected
                        || (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
                    assert!(close, "{i} {j}: {found} {expected}");
                }
            }
        }
    }
}
