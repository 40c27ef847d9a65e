//! Medians: what single strays do not move.

use glam::DVec3;

/// Component-wise [`median`].
pub fn median_vec(points: &[DVec3]) -> DVec3 {
    let component = |pick: fn(&DVec3) -> f64| median(points.iter().map(pick).collect());
    DVec3::new(component(|p| p.x), component(|p| p.y), component(|p| p.z))
}

/// Median (the mean of the middle two where there are two); 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match (n, n % 2) {
        (0, _) => 0.0,
        (_, 1) => values[n / 2],
        _ => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}
