//! `naka-gs completions`

use super::{Cli, output};
use clap::CommandFactory;
use naka_gs::{Error, Result};

/// A shell's completions, or a manual page, on stdout
#[derive(clap::Args)]
#[command(after_help = "Examples:
  naka-gs completions bash > ~/.local/share/bash-completion/completions/naka-gs
  naka-gs completions man > ~/.local/share/man/man1/naka-gs.1")]
pub struct Completions {
    /// What to write
    #[arg(value_enum)]
    kind: Kind,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
    /// The manual page
    Man,
}

impl Completions {
    pub fn run(self) -> Result<()> {
        use clap_complete::Shell;
        let mut command = Cli::command();
        let mut bytes = Vec::new();
        let shell = match self.kind {
            Kind::Bash => Some(Shell::Bash),
            Kind::Elvish => Some(Shell::Elvish),
            Kind::Fish => Some(Shell::Fish),
            Kind::Powershell => Some(Shell::PowerShell),
            Kind::Zsh => Some(Shell::Zsh),
            Kind::Man => None,
        };
        match shell {
            Some(shell) => clap_complete::generate(shell, &mut command, "naka-gs", &mut bytes),
            None => clap_mangen::Man::new(command).render(&mut bytes).map_err(Error::io("stdout"))?,
        }
        output::line(String::from_utf8_lossy(&bytes).trim_end())
    }
}
