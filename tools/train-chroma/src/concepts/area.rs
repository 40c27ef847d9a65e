//! The area under the ROC curve (Hanley and McNeil 1982), for values of which a part belongs to a class.

/// Values with their order, which is the same for all classes.
pub struct Ranked<'a> {
    values: &'a [f32],
    order: Vec<usize>,
}

impl<'a> Ranked<'a> {
    /// Sorts `values`.
    pub fn new(values: &'a [f32]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
        Self { values, order }
    }

    /// How probable it is that a value of the class is above one of the rest, where equal ones count half: 1 and 0 tell
    /// the class from the rest, 0.5 says nothing. `parts` is how much of each value belongs to the class, 0–1. `None`
    /// where the class, or the rest, is empty.
    pub fn area(&self, parts: &[f32]) -> Option<f64> {
        let (mut inside, mut outside, mut above) = (0.0, 0.0, 0.0);
        for equal in self.order.chunk_by(|a, b| self.values[*a] == self.values[*b]) {
            let here: f64 = equal.iter().map(|i| f64::from(parts[*i])).sum();
            let rest = equal.len() as f64 - here;
            above += here * (outside + rest / 2.0);
            inside += here;
            outside += rest;
        }
        (inside > 0.0 && outside > 0.0).then(|| above / (inside * outside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_part_of_all_pairs_in_order() {
        // Whole levels, so that many are equal; parts of quarters.
        let values: Vec<f32> = (0..60).map(|i| ((i * 37 + 11) % 13) as f32).collect();
        let parts: Vec<f32> = (0..60).map(|i| ((i * 29 + 3) % 5) as f32 / 4.0).collect();
        let (mut above, mut all) = (0.0, 0.0);
        for (a, inside) in values.iter().zip(&parts) {
            for (b, part) in values.iter().zip(&parts) {
                let weight = f64::from(inside * (1.0 - part));
                all += weight;
                above += weight
                    * if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
            }
        }
        let found = Ranked::new(&values).area(&parts).unwrap();
        assert!((found - above / all).abs() < 1e-9, "{found} {}", above / all);
    }

    #[test]
    fn has_its_limits() {
        let values = [0.3, -1.0, 2.0, 0.7];
        let ranked = Ranked::new(&values);
        assert_eq!(ranked.area(&[0.0, 0.0, 1.0, 1.0]), Some(1.0));
        assert_eq!(ranked.area(&[0.0, 1.0, 0.0, 0.0]), Some(0.0));
        assert_eq!(Ranked::new(&[5.0; 4]).area(&[1.0, 0.0, 0.5, 0.0]), Some(0.5));
        assert_eq!(ranked.area(&[0.0; 4]), None);
        assert_eq!(ranked.area(&[1.0; 4]), None);
    }
}
