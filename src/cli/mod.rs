//! The command line: one file a subcommand, each of which reads its arguments, calls the library and prints the result.
//!
//! stdout carries results; progress and messages go to stderr.

mod batch;
mod bench;
mod calibrate;
mod completions;
mod compress;
mod demo;
mod doctor;
mod edit;
mod enhance;
mod environment;
mod eval;
mod export;
mod flag_names;
mod interrupt;
mod messages;
mod once;
mod outcome;
mod output;
mod path;
mod ppm;
mod prior;
mod progress;
mod render;
mod report;
mod run;
mod setting_flags;
mod size;
mod submit;
mod train;
#[cfg(feature = "viewer")]
mod view;

use clap::{Parser, Subcommand};
use naka_gs::{Error, Result};
use progress::{ProgressMode, Reporter};
use std::process::ExitCode;

/// Dark photographs to a 3D Gaussian-splat scene, on any GPU.
#[derive(Parser)]
#[command(name = "naka-gs", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    talk: Talk,
}

/// How much the program says, on stderr.
#[derive(clap::Args)]
struct Talk {
    /// Print errors only
    #[arg(long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more (-vv: even more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Bars on a terminal and lines elsewhere (auto), lines (plain), or none
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW", hide_short_help = true)]
    progress: ProgressMode,
    /// Let one input file take up to so many GiB of memory [default: half of the machine's, and less for small files]
    #[arg(long, global = true, value_name = "GIB", hide_short_help = true)]
    max_memory: Option<f64>,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Batch(batch::Batch),
    Enhance(enhance::Enhance),
    Calibrate(calibrate::Calibrate),
    Prior(prior::Prior),
    Ppm(ppm::Ppm),
    Train(train::Train),
    Render(render::Render),
    Path(path::Path),
    Export(export::Export),
    Edit(edit::Edit),
    Compress(compress::Compress),
    #[cfg(feature = "viewer")]
    View(view::View),
    Eval(eval::Eval),
    Submit(submit::Submit),
    Report(report::Report),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

/// Parses the arguments, runs the subcommand, and turns its outcome into the exit code.
pub fn main() -> ExitCode {
    environment::restart_where_it_matters();
    let cli = Cli::parse();
    let mode = if cli.talk.quiet { ProgressMode::None } else { cli.talk.progress };
    let reporter = Reporter::new(mode);
    reporter.log_to_stderr(cli.talk.quiet, cli.talk.verbose);
    let checked = text_arguments().and_then(|()| limit_memory(cli.talk.max_memory)).and_then(|()| mask_features());
    let outcome = checked.and_then(|()| interrupt::on_ctrl_c(&reporter)).and_then(|()| run(cli.command, &reporter));
    reporter.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = messages::of_error(&error);
            let who = if matches!(error, Error::Interrupted(_)) { "naka-gs" } else { "error" };
            output::say(format!("{who}: {message}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Refuses paths that records of a run, which are text, cannot hold.
fn text_arguments() -> Result<()> {
    match std::env::args_os().find(|argument| argument.to_str().is_none()) {
        Some(argument) => {
            Err(Error::setting(argument.to_string_lossy(), "is not UTF-8", "rename the file or the folder"))
        }
        None => Ok(()),
    }
}

fn limit_memory(gib: Option<f64>) -> Result<()> {
    match gib {
        Some(gib) if !(gib > 0.0 && gib.is_finite()) => {
            Err(Error::setting("--max-memory", gib.to_string(), "give a number of GiB above 0"))
        }
        Some(gib) => {
            naka_gs::limits::set_max_memory((gib * f64::from(1 << 30)) as u64);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Optional features of adapters that the environment variable `NAKA_GS_MASK` leaves unused.
fn mask_features() -> Result<()> {
    let mask = std::env::var("NAKA_GS_MASK").unwrap_or_default().parse();
    let mask = mask.map_err(|error| match error {
        Error::Setting { found, remedy, .. } => Error::setting("NAKA_GS_MASK", found, remedy),
        other => other,
    })?;
    naka_gs::gpu::set_mask(mask);
    Ok(())
}

fn run(command: Command, reporter: &Reporter) -> Result<()> {
    if let Some(folder) = environment::cache_folder() {
        naka_gs::self_test::remember_in(&folder);
        naka_gs::gpu::remember_variants_in(&folder);
    }
    match command {
        Command::Run(command) => command.run(reporter),
        Command::Demo(command) => command.run(reporter),
        Command::Batch(command) => command.run(reporter),
        Command::Prior(command) => command.run(reporter).map_err(|error| error.in_stage("prior")),
        Command::Enhance(command) => command.run(reporter).map_err(|error| error.in_stage("enhance")),
        Command::Calibrate(command) => command.run(reporter),
        Command::Ppm(command) => command.run(reporter),
        Command::Train(command) => command.run(reporter).map_err(|error| error.in_stage("train")),
        Command::Render(command) => command.run(reporter).map_err(|error| error.in_stage("render")),
        Command::Path(command) => command.run(),
        Command::Export(command) => command.run(reporter),
        Command::Edit(command) => command.run(reporter).map_err(|error| error.in_stage("edit")),
        Command::Compress(command) => command.run(reporter).map_err(|error| error.in_stage("compress")),
        #[cfg(feature = "viewer")]
        Command::View(command) => command.run(reporter).map_err(|error| error.in_stage("view")),
        Command::Eval(command) => command.run(reporter),
        Command::Submit(command) => command.run(reporter),
        Command::Report(command) => command.run(reporter),
        Command::Doctor(command) => command.run(reporter),
        Command::Bench(command) => command.run(reporter),
        Command::Completions(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{CommandFactory, Parser};

    /// What is used most fits on a screen; the rest is in `--help`.
    #[test]
    fn short_help_fits_on_forty_lines() {
        for mut command in Cli::command().get_subcommands_mut().map(|command| command.clone().term_width(100)) {
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 40, "{}: {lines} lines", command.get_name());
        }
    }

    #[test]
    fn other_names_of_flags_are_understood() {
        let parsed = |args: &[&str]| Cli::try_parse_from([&["naka-gs", "run", "scene"], args].concat()).map(|_| ());
        for args in [
            ["--max-steps", "3"],
            ["--test-every", "8"],
            ["--data-factor", "2"],
            ["--cap-max", "9"],
            ["--start", "100"],
            ["--densify-start", "100"],
            ["--working", "224"],
            ["--network-size", "224"],
        ] {
            assert!(parsed(&args).is_ok(), "{args:?}");
        }
        assert!(parsed(&["--no-such-flag"]).is_err());
    }

    #[test]
    fn no_two_flags_of_a_subcommand_share_a_name() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_promised_flags_exist() {
        let command = Cli::command();
        let has = |name: &str, flags: &[&str]| {
            let found = command.find_subcommand(name).unwrap();
            let longs: Vec<_> = found.get_arguments().filter_map(|a| a.get_long()).collect();
            flags.iter().for_each(|flag| assert!(longs.contains(flag), "{name} --{flag}"));
        };
        let common = ["adapter", "seed", "config", "preset", "downscale", "steps", "holdout", "overwrite", "out"];
        has("run", &common);
        has("demo", &common);
        has("batch", &common);
        has("batch", &["jobs"]);
        has("run", &["until"]);
        has("train", &common);
        has("train", &["points", "max-splats"]);
        has("ppm", &["voxel-size", "tau0", "beta", "iters", "min-points", "seed", "stats", "out"]);
        has("render", &["cameras", "out", "adapter", "path", "video", "format", "quality", "size", "fps"]);
        has("path", &["out", "overwrite", "seconds", "fps", "loop", "keyframes", "size"]);
        has("export", &["out", "overwrite", "antialiased", "html", "cameras"]);
        has("edit", &["out", "overwrite", "box", "sphere", "hull", "min-opacity", "max-size", "max-relative-size"]);
        has("edit", &["min-views", "min-cluster", "cameras", "antialiased", "adapter"]);
        has("compress", &["out", "overwrite", "splats", "size", "psnr", "cameras", "steps", "adapter"]);
        has("eval", &["json"]);
        has("submit", &["out", "overwrite", "check", "template", "average", "readme", "description", "scenes"]);
        has("calibrate", &["quantiles", "overwrite", "out"]);
        has("doctor", &["golden", "json", "adapter"]);
        has("bench", &["only", "seconds", "compare", "json", "adapter"]);
        #[cfg(feature = "viewer")]
        has("view", &["cameras", "at", "size", "screenshot", "adapter", "out", "preset"]);
    }
}
