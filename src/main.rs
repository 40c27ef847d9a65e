//! The command line of naka-gs.

#![deny(unsafe_code)]
// These panic where nobody reads any more: `cli::output` has what does not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
