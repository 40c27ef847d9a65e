//! Eigenvalues of small symmetric matrices.
//!
//! Own code: the signs of the vectors decide which way PPM's voxel grid runs, so that another routine gives other points,
//! and nalgebra takes 42 s of processor time to build for these 40 lines.

/// Eigenvalues and unit eigenvectors of the symmetric matrix `a`, largest value first, by cyclic Jacobi rotations
/// (Golub & Van Loan, Matrix Computations, §8.5).
pub fn largest_first<const N: usize>(mut a: [[f64; N]; N]) -> [(f64, [f64; N]); N] {
    let mut vectors: [[f64; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(i == j)));
    for _ in 0..30 {
        for p in 0..N {
            for q in p + 1..N {
                if a[p][q] != 0.0 {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
    }
    let mut pairs: [(f64, [f64; N]); N] = std::array::from_fn(|i| (a[i][i], vectors[i]));
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0));
    pairs
}

/// Turns axes `p` and `q` of `a` (and rows `p` and `q` of `vectors`) so that `a[p][q]` becomes 0.
fn rotate<const N: usize>(a: &mut [[f64; N]; N], vectors: &mut [[f64; N]; N], p: usize, q: usize) {
    let (sin, cos) = (0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p])).sin_cos();
    let turn = |rows: &mut [[f64; N]; N]| {
        let (x, y) = (rows[p], rows[q]);
        rows[p] = std::array::from_fn(|k| cos * x[k] - sin * y[k]);
        rows[q] = std::array::from_fn(|k| sin * x[k] + cos * y[k]);
    };
    turn(vectors);
    turn(a);
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (cos * x - sin * y, sin * x + cos * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    #[test]
    fn vectors_are_orthonormal_and_give_the_matrix_back() {
        for seed in 0..50 {
            let entry = |i: usize, j: usize| uniform(seed, i.min(j) as u64, i.max(j) as u64) - 0.5;
            let a: [[f64; 4]; 4] = std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j)));
            let pairs = largest_first(a);
            for i in 0..4 {
                for j in 0..4 {
                    let dot: f64 = (0..4).map(|k| pairs[i].1[k] * pairs[j].1[k]).sum();
                    assert!((dot - f64::from(i == j)).abs() < 1e-14);
                    let back: f64 = pairs.iter().map(|(value, v)| value * v[i] * v[j]).sum();
                    assert!((back - a[i][j]).abs() < 1e-14);
                }
            }
            assert!(pairs.windows(2).all(|w| w[0].0 >= w[1].0));
        }
    }
}
