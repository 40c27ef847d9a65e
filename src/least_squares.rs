//! Small dense systems of normal equations.
//!
//! Own code: 20 lines, for which nalgebra takes 42 s of processor time to build.

/// Lower factor L with L·Lᵀ = A from A's lower triangle; `None` if A is not positive definite.
pub fn cholesky<const N: usize>(mut a: [[f64; N]; N]) -> Option<[[f64; N]; N]> {
    for i in 0..N {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| a[i][k] * a[j][k]).sum::<f64>();
            a[i][j] = match i == j {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / a[j][j],
            };
        }
    }
    Some(a)
}

/// The `x` of `L·Lᵀ·x = b`.
pub fn solve<const N: usize>(l: &[[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        b[i] = (b[i] - (0..i).map(|k| l[i][k] * b[k]).sum::<f64>()) / l[i][i];
    }
    for i in (0..N).rev() {
        b[i] = (b[i] - (i + 1..N).map(|k| l[k][i] * b[k]).sum::<f64>()) / l[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_it_factors_and_refuses_the_rest() {
        let a = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];
        let x = [0.5, -2.0, 7.0];
        let b = a.map(|row: [f64; 3]| row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>());
        let found = solve(&cholesky(a).unwrap(), b);
        (0..3).for_each(|i| assert!((found[i] - x[i]).abs() < 1e-12));
        assert!(cholesky([[1.0, 2.0], [2.0, 4.0]]).is_none());
        assert!(cholesky([[f64::NAN]]).is_none());
    }
}
