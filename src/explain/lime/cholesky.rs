//! Systems of linear equations with a symmetric matrix that is nowhere negative, in float64.

/// The lower triangular factor of such a matrix.
#[derive(Clone, Debug)]
pub struct Cholesky {
    lower: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// Of `matrix`, `size` rows of `size` values; only the lower triangle is read.
    pub fn new(mut matrix: Vec<f64>, size: usize) -> Self {
        let largest = (0..size).map(|i| matrix[i * size + i]).fold(0.0, f64::max);
        for i in 0..size {
            for j in 0..=i {
                let rows = (&matrix[i * size..i * size + j], &matrix[j * size..][..j]);
                let rest = matrix[i * size + j] - dot(rows.0, rows.1);
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
        }
    }

    /// What the matrix makes `right` of.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = self.whiten(right);
        for i in (0..size).rev() {
            x[i] /= lower[i * size + i];
            let known = x[i];
            for (x, factor) in x[..i].iter_mut().zip(&lower[i * size..]) {
                *x -= factor * known;
            }
        }
        x
    }

    /// What the factor makes `right` of: its squares add up to `right^T matrix^-1 right`.
    pub fn whiten(&self, right: &[f64]) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut x = right.to_vec();
        for i in 0..size {
            let known = dot(&lower[i * size..i * size + i], &x[..i]);
            x[i] = (x[i] - known) / lower[i * size + i];
        }
        x
    }

    /// The natural logarithm of the matrix's determinant.
    pub fn log_determinant(&self) -> f64 {
        let pivots = (0..self.size).map(|i| self.lower[i * self.size + i]);
        2.0 * pivots.map(f64::ln).sum::<f64>()
    }

    /// The diagonal of the inverse.
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let (lower, size) = (&self.lower, self.size);
        let mut diagonal = vec![0.0; size];
        // Column after column of the factor's inverse, which is lower triangular, too.
        let mut column = vec![0.0; size];
        for start in 0..size {
            for i in start..size {
                let one = if i == start { 1.0 } else { 0.0 };
                let known = dot(&lower[i * size + start..i * size + i], &column[start..i]);
                column[i] = (one - known) / lower[i * size + i];
            }
            diagonal[start] = column[start..].iter().map(|value| value * value).sum();
        }
        diagonal
    }
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

    #[test]
    fn a_known_matrix_is_solved_inverted_and_measured() {
        // [[4, 2, 1], [2, 5, 3], [1, 3, 6]] has the determinant 67.
        let matrix = vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0];
        let factor = Cholesky::new(matrix, 3);
        for (ours, theirs) in factor
            .solve(&[11.0, 21.0, 25.0])
            .iter()
            .zip([1.0, 2.0, 3.0])
        {
            assert!((ours - theirs).abs() < 1e-12, "{ours}");
        }
        assert!((factor.log_determinant() - 67f64.ln()).abs() < 1e-12);
        let cofactors = [21.0, 23.0, 16.0];
        for (ours, cofactor) in factor.inverse_diagonal().iter().zip(cofactors) {
            assert!((ours - cofactor / 67.0).abs() < 1e-12, "{ours}");
        }
        let right = [1.0, -2.0, 0.5];
        let squares: f64 = factor.whiten(&right).iter().map(|v| v * v).sum();
        let product: f64 = factor
            .solve(&right)
            .iter()
            .zip(right)
            .map(|(x, r)| x * r)
            .sum();
        assert!((squares - product).abs() < 1e-12);
    }
}
