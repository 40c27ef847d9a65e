//! Suppresses warnings that a report would repeat, since it reads the run's capture again.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::{Debug, Write};
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

thread_local! {
    /// Whether this thread repeats work that has been done already.
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, and suppresses its warnings that were given before.
pub fn again<T>(work: impl FnOnce() -> T) -> T {
    AGAIN.set(true);
    let done = work();
    AGAIN.set(false);
    done
}

/// Drops repeated warnings within [`again`]. Others always pass: scenes of a batch may have the same.
#[derive(Default)]
pub struct Once {
    said: Mutex<HashSet<String>>,
}

/// The text of an event.
#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if write!(self.0, "{field}={value:?};").is_err() {
            debug_assert!(false, "a string takes all that is written");
        }
    }
}

impl<S> Filter<S> for Once {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        if *event.metadata().level() != Level::WARN {
            return true;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let is_new = self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(words.0);
        is_new || !AGAIN.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, fmt, registry};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn only_what_is_gone_over_again_is_silent_about_what_was_said() {
        let lines = Lines::default();
        let layer =
            fmt::layer().with_ansi(false).without_time().with_writer(lines.clone()).with_filter(Once::default());
        let say = |names: &[&str]| {
            for name in names {
                tracing::warn!("{name} is black");
                tracing::info!("{name} is read");
            }
        };
        tracing::subscriber::with_default(registry().with(layer), || {
            say(&["a"]);
            again(|| say(&["a", "b"]));
            // Another scene.
            say(&["a"]);
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let count = |words: &str| text.matches(words).count();
        let counts = [count("a is black"), count("b is black"), count("a is read"), count("b is read")];
        assert_eq!(counts, [2, 1, 3, 1], "{text}");
    }
}
