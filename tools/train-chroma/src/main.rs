//! Trains the chroma-correction network of naka-gs (NAKA-GS §3.2) on pairs of dark and lit pictures.

#![deny(unsafe_code)]

mod audit;
mod batch;
mod budget;
mod concepts;
mod loss;
mod network;
mod optimizer;
mod pairs;
mod parameters;
mod prune;
mod resolution;
mod synthesize;
mod train;
mod validate;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network on pairs and write its weights
    Train(Box<train::Settings>),
    /// Take the channels out of a network that matter least; train the rest again with train --init
    Prune(prune::Settings),
    /// Measure whether a network looks at structure, or at brightness, position and hue
    Audit(audit::Settings),
    /// Name the channels of a network by what they tell from the rest: edges, lamps, dark regions, hues of skin and wood
    Concepts(concepts::Settings),
    /// Find the smallest network that is as good and fits into memory and time
    Budget(budget::Settings),
    /// Measure whether a network gives one set of colors at every size; prune what serves one size only
    Resolution(resolution::Settings),
    Synthesize(synthesize::Synthesize),
    Room(synthesize::RoomCapture),
    Inspect(synthesize::Inspect),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(settings) => train::run(&settings),
        Command::Prune(settings) => prune::run(&settings),
        Command::Audit(settings) => audit::run(&settings),
        Command::Concepts(settings) => concepts::run(&settings),
        Command::Budget(settings) => budget::run(&settings),
        Command::Resolution(settings) => resolution::run(&settings),
        Command::Synthesize(command) => command.run(),
        Command::Room(command) => command.run(),
        Command::Inspect(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
