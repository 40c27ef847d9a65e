//! Work on many items at once, whose failures do not depend on which was quickest. Messages of the work are in the caller's
//! span: threads are shared by the scenes of a batch.

use crate::error::Result;
use crate::sync::lock;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tracing::Span;

/// What `work` makes of every item, in order. Of several failures it is the first in order that is returned, whichever
/// came first in time: the same input gives the same message. Items after a failed one may be left out.
///
/// # Errors
/// Those of `work`.
pub fn try_map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let (failed, span) = (AtomicUsize::new(usize::MAX), Span::current());
    let one = |(index, item)| {
        if index > failed.load(Ordering::Relaxed) {
            return None;
        }
        let result = span.in_scope(|| work(item));
        if result.is_err() {
            failed.fetch_min(index, Ordering::Relaxed);
        }
        Some(result)
    };
    let results: Vec<Option<Result<R>>> = items.par_iter().enumerate().map(one).collect();
    // What was left out stands after the failure that ends this.
    results.into_iter().flatten().collect()
}

/// Items that [`overlap`] has under way at once: what bounds its memory.
const UNDER_WAY: usize = 4;

/// What `work` makes of every item, in order. Items are made one after the other on this thread (by the only device, say), and
/// worked on by other threads while the next ones are made. After a failure no more are made; of several it is the first in
/// order that is returned.
///
/// # Errors
/// Those of the items and of `work`.
pub fn overlap<T: Send, R: Send>(
    items: impl Iterator<Item = Result<T>>,
    work: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let (under_way, failed, results) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let span = Span::current();
    let one = |index: usize, item: T| {
        let result = span.in_scope(|| work(item));
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        lock(&results).push((index, result));
    };
    let (one, under_way) = (&one, &under_way);
    let made = rayon::in_place_scope(|scope| -> Result<()> {
        for (index, item) in items.enumerate() {
            let item = item?;
            // Not waited for: with one thread nobody else would do it.
            if under_way.fetch_add(1, Ordering::Relaxed) >= UNDER_WAY {
                one(index, item);
                under_way.fetch_sub(1, Ordering::Relaxed);
            } else {
                scope.spawn(move |_| {
                    one(index, item);
                    under_way.fetch_sub(1, Ordering::Relaxed);
                });
            }
            if failed.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    let results = results.into_iter().map(|(_, result)| result).collect::<Result<_>>()?;
    made.map(|()| results)
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

    #[test]
    fn work_overlaps_with_making_in_order_and_within_bounds() {
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let made = (0..40).map(|i| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok(i)
            });
            let work = |i: usize| {
                std::thread::sleep(Duration::from_millis((i % 3) as u64));
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(2 * i)
            };
            let results = pool.install(|| overlap(made, work)).unwrap();
            assert_eq!(results, (0..40).map(|i| 2 * i).collect::<Vec<_>>());
            assert!(most.into_inner() <= UNDER_WAY + 1);
        }
    }

    #[test]
    fn nothing_is_made_after_a_failure_and_the_first_one_counts() {
        let failing = |which: usize, i: usize| if i == which { Err(Error::CheckFailed(i.to_string())) } else { Ok(i) };
        let made = AtomicUsize::new(0);
        let items = (0..1000).map(|i| {
            made.fetch_add(1, Ordering::Relaxed);
            failing(900, i)
        });
        let slow = |i: usize| {
            std::thread::sleep(Duration::from_millis(1));
            failing(5, i)
        };
        assert_eq!(overlap(items, slow).unwrap_err().to_string(), "5");
        assert!(made.into_inner() < 100);
        assert_eq!(overlap((0..9).map(|i| failing(3, i)), |i| failing(7, i)).unwrap_err().to_string(), "3");
        assert_eq!(overlap((0..9).map(|i| failing(7, i)), |i| failing(3, i)).unwrap_err().to_string(), "3");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn work_is_done_in_the_span_of_its_caller() {
        use std::sync::Arc;
        use tracing::Subscriber;
        use tracing::span::Id;
        use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

        /// Counts how often spans are entered.
        struct Entered(Arc<AtomicUsize>);

        impl<S: Subscriber> Layer<S> for Entered {
            fn on_enter(&self, _: &Id, _: Context<'_, S>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }

        let entered = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Entered(Arc::clone(&entered)));
        tracing::subscriber::with_default(subscriber, || {
            let _scene = tracing::error_span!("scene").entered();
            try_map(&[0; 9], |_| Ok(())).unwrap();
            overlap((0..9).map(Ok), |_| Ok(())).unwrap();
        });
        assert_eq!(entered.load(Ordering::SeqCst), 1 + 9 + 9);
    }
}
