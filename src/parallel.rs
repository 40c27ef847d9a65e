//! Work on many items at once, whose failures do not depend on which was quickest.

use crate::error::Result;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `work` makes of every item, in order. Of several failures it is the first in order that is returned, whichever
/// came first in time: the same input gives the same message. Items after a failed one may be left out.
///
/// # Errors
/// Those of `work`.
pub fn try_map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let failed = AtomicUsize::new(usize::MAX);
    let one = |(index, item)| {
        if index > failed.load(Ordering::Relaxed) {
            return None;
        }
        let result = work(item);
        if result.is_err() {
            failed.fetch_min(index, Ordering::Relaxed);
        }
        Some(result)
    };
    let results: Vec<Option<Result<R>>> = items.par_iter().enumerate().map(one).collect();
    // What was left out stands after the failure that ends this.
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::time::Duration;

    #[test]
    fn results_are_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(try_map(&items, |i| Ok(2 * i)).unwrap(), items.iter().map(|i| 2 * i).collect::<Vec<_>>());
        assert!(try_map(&[] as &[usize], |i| Ok(*i)).unwrap().is_empty());
    }

    #[test]
    fn the_first_failure_in_order_is_returned_even_where_a_later_one_is_quicker() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let work = |&i: &usize| match i {
            5 => {
                std::thread::sleep(Duration::from_millis(30));
                Err(Error::CheckFailed("5".into()))
            }
            i if i > 5 => Err(Error::CheckFailed(i.to_string())),
            i => Ok(i),
        };
        let items: Vec<usize> = (0..64).collect();
        for _ in 0..20 {
            assert_eq!(pool.install(|| try_map(&items, work)).unwrap_err().to_string(), "5");
        }
    }
}
