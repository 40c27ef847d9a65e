//! Progress on stderr: bars on a terminal, lines elsewhere; log messages pass between them.

use super::messages::in_flags;
use super::once::Once;
use super::output::say;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use naka_gs::{Progress, Stop};
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, lines elsewhere
    #[default]
    Auto,
    /// Lines
    Plain,
    /// Nothing
    None,
}

/// Time between two lines of the same stage.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows the stages' progress and holds the flag that stops them.
pub struct Reporter {
    stop: Stop,
    mode: ProgressMode,
    stage: Arc<Mutex<Option<Stage>>>,
    /// Whether a stage has begun.
    begun: Arc<AtomicBool>,
    /// Prefix of the stages' names; may be empty.
    prefix: String,
}

struct Stage {
    name: String,
    unit: String,
    total: u64,
    started: Instant,
    /// Count and time of the first report: a resumed stage starts above 0, and its rate counts from there.
    first: Option<(u64, Instant)>,
    done: u64,
    last_line: Instant,
    bar: ProgressBar,
}

impl Reporter {
    /// A reporter for `mode`; bars need a terminal on stderr.
    pub fn new(mode: ProgressMode) -> Self {
        let mode = if mode == ProgressMode::Auto && !stderr().is_terminal() { ProgressMode::Plain } else { mode };
        Self { stop: Stop::default(), mode, stage: Arc::default(), begun: Arc::default(), prefix: String::new() }
    }

    /// Whether a stage has begun, which can be asked to stop.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// A reporter for one of several things that are done, with its name before the stages'. If there are `several` at
    /// one time, it writes lines: there is one bar.
    pub fn named(&self, name: &str, several: bool) -> Self {
        let (mode, stage) = match self.mode {
            ProgressMode::Auto if several => (ProgressMode::Plain, Arc::default()),
            mode if several => (mode, Arc::default()),
            mode => (mode, Arc::clone(&self.stage)),
        };
        let begun = Arc::clone(&self.begun);
        Self { stop: self.stop.clone(), mode, stage, begun, prefix: format!("{name}: ") }
    }

    /// Sends log messages of this crate to stderr, above the bars.
    pub fn log_to_stderr(&self, quiet: bool, verbose: u8) {
        let filter = match (quiet, verbose) {
            (true, _) => "error",
            (_, 0) => "error,naka_gs=info",
            (_, 1) => "warn,naka_gs=debug",
            _ => "info,naka_gs=trace",
        };
        let color = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        // Only Windows' console has to be asked; elsewhere this is `None`.
        let color = color && anstyle_query::windows::enable_ansi_colors() != Some(false);
        let stage = Arc::clone(&self.stage);
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(color)
            .with_target(verbose > 1)
            .without_time()
            .with_writer(move || AboveBar(Arc::clone(&stage)))
            .with_filter(Once::default());
        let subscriber = tracing_subscriber::registry().with(tracing_subscriber::EnvFilter::new(filter)).with(lines);
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            tracing::debug!("logs go to another subscriber");
        }
    }

    /// Clears the bar of a stage that failed.
    pub fn finish(&self) {
        if let Some(stage) = self.lock().take() {
            stage.bar.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stage>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, stage: &str, unit: &str, total: u64) -> ProgressBar {
        if self.mode != ProgressMode::Auto {
            return ProgressBar::hidden();
        }
        let template = "{prefix:>8} [{bar:30}] {pos}/{len} {unit}  {per_sec}  {eta} left  {msg}"
            .replace("{unit}", unit)
            .replace("{per_sec}", "{per_sec:.1}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        bar.with_style(style.progress_chars("=> ")).with_prefix(stage.to_string())
    }
}

impl Progress for Reporter {
    fn begin(&self, name: &str, unit: &str, total: u64) {
        self.begun.store(true, Ordering::SeqCst);
        let now = Instant::now();
        let (name, unit) = (format!("{}{name}", self.prefix), unit.to_string());
        if self.mode == ProgressMode::Plain {
            say(format!("{name}: {total} {unit}"));
        }
        let bar = self.bar(&name, &unit, total);
        bar.enable_steady_tick(Duration::from_millis(500));
        let stage = Stage { name, unit, total, started: now, first: None, done: 0, last_line: now, bar };
        *self.lock() = Some(stage);
    }

    fn set(&self, done: u64, note: &str) {
        let mut guard = self.lock();
        let Some(stage) = guard.as_mut() else { return };
        let now = Instant::now();
        stage.done = done;
        stage.first.get_or_insert((done, now));
        match self.mode {
            ProgressMode::Auto => {
                if done > 0 && stage.bar.position() == 0 && done > stage.total / 50 {
                    stage.bar.reset_eta();
                }
                stage.bar.set_position(done);
                stage.bar.set_message(note.to_string());
            }
            ProgressMode::Plain if now - stage.last_line >= LINE_EVERY => {
                stage.last_line = now;
                say(stage.line(now, note));
            }
            _ => {}
        }
    }

    fn end(&self) {
        let Some(stage) = self.lock().take() else { return };
        stage.bar.finish_and_clear();
        if self.mode != ProgressMode::None {
            let seconds = stage.started.elapsed().as_secs_f64();
            say(format!("{}: {} {} in {}", stage.name, stage.done, stage.unit, duration(seconds)));
        }
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Stage {
    fn line(&self, now: Instant, note: &str) -> String {
        let Self { name, unit, total, done, .. } = self;
        let mut line = format!("{name}: {done}/{total} {unit}");
        let (from, since) = self.first.unwrap_or((0, self.started));
        let rate = done.saturating_sub(from) as f64 / (now - since).as_secs_f64().max(1e-9);
        if rate > 0.0 {
            let left = total.saturating_sub(*done) as f64 / rate;
            line += &format!(", {rate:.2} {unit}/s, {} left", duration(left));
        }
        if !note.is_empty() {
            line += &format!(", {note}");
        }
        line
    }
}

/// Seconds as people read them.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Writes log messages to stderr with the bar out of the way.
struct AboveBar(Arc<Mutex<Option<Stage>>>);

impl Write for AboveBar {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A message sent while the reporter itself holds the lock is written at once, at worst next to the bar.
        let text = in_flags(&String::from_utf8_lossy(bytes));
        // Errors are dropped, as in `say`.
        let _ = match self.0.try_lock().ok().and_then(|stage| stage.as_ref().map(|s| s.bar.clone())) {
            Some(bar) => bar.suspend(|| stderr().write_all(text.as_bytes())),
            None => stderr().write_all(text.as_bytes()),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(61.0), "1 min 01 s");
        assert_eq!(duration(7260.0), "2 h 01 min");
    }

    #[test]
    fn a_resumed_stage_counts_its_rate_from_where_it_resumed() {
        let now = Instant::now();
        let earlier = now.checked_sub(Duration::from_secs(10)).unwrap();
        let stage = Stage {
            name: "train".into(),
            unit: "steps".into(),
            total: 200,
            started: earlier,
            first: Some((90, earlier)),
            done: 100,
            last_line: now,
            bar: ProgressBar::hidden(),
        };
        assert_eq!(stage.line(now, "loss 0.1"), "train: 100/200 steps, 1.00 steps/s, 1 min 40 s left, loss 0.1");
    }
}
