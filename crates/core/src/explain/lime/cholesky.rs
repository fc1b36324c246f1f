//! Systems of linear equations with a symmetric matrix that is nowhere negative, in float64.

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
        let largest = (0..size).map(|i| matrix[i * size + i]).fold(0.0, f64::max);
        for i in 0..size {
            for j in first[i]..=i {
                let from = first[i].max(first[j]).min(j);
                let (row, other) = (&matrix[i * size..], &matrix[j * size..]);
                let rest = row[j] - dot(&row[from..j], &other[from..j]);
                let pivot = matrix[j * size + j];
                matrix[i * size + j] = if i == j {
                    // A feature that others determine gets no weight of its own.
                    if rest > 1e-12 * largest {
                        rest.sqrt()
                    } else {
                        f64::INFINITY
                    }
                } else {
                    rest / pivot
                };
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

    /// The natural logarithm of the matrix's determinant.
    pub fn log_determinant(&self) -> f64 {
        let pivots = (0..self.size).map(|i| self.lower[i * self.size + i]);
        2.0 * pivots.map(f64::ln).sum::<f64>()
    }
}

/// The sum of products, in four sums that a processor can keep at once.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
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
    fn zeros_that_are_left_out_change_nothing() {
        // Two blocks, and a last row beside both.
        let matrix = [
            [4.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 3.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 5.0, 0.0, 0.0],
            [0.0, 0.0, 2.0, 6.0, 0.0],
            [1.0, -1.0, 0.5, 1.0, 7.0],
        ];
        let whole = Cholesky::new(matrix.concat(), 5);
        let within = Cholesky::within(matrix.concat(), vec![0, 0, 2, 2, 0]);
        assert_eq!(whole.log_determinant(), within.log_determinant());
        for right in [[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.0, 0.0, -1.0, 2.0]] {
            for (a, b) in whole.solve(&right).iter().zip(within.solve(&right)) {
                assert!((a - b).abs() < 1e-14, "{a} {b}");
            }
        }
    }
}
