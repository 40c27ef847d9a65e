//! The settings as flags, made from the keys of [`Settings`] so that neither is written twice.

use super::flag_names::{aliases, is_common, long, words};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use naka_gs::Result;
use naka_gs::batch::SETTINGS_FILE;
use naka_gs::capture::Facts;
use naka_gs::settings::{self, Key, Layers, Settings, keys_from};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Which tables of the settings a subcommand takes flags for.
pub trait Tables {
    /// Names of tables; flags of keys outside tables are picked by [`Tables::TOP`].
    const TABLES: &'static [&'static str];
    /// Keys outside tables.
    const TOP: &'static [&'static str];
    /// Keys of the tables that have no effect in the subcommand.
    const EXCEPT: &'static [&'static str];
    /// Keys of other tables.
    const ALSO: &'static [&'static str];

    /// What to start from where no preset is named; the preset *standard* if `None`.
    fn base() -> Option<Settings> {
        None
    }
}

/// Keys whose values are paths.
const PATHS: [&str; 3] = ["prior.points", "prior.colors", "poses.poses_from"];

/// Declares the tables of the subcommands.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $top:expr, $tables:expr $(, except $except:expr)? $(, also $also:expr)?;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl Tables for $name {
            const TOP: &'static [&'static str] = &$top;
            const TABLES: &'static [&'static str] = &$tables;
            const EXCEPT: &'static [&'static str] = &[$($except)?];
            const ALSO: &'static [&'static str] = &[$($also)?];
        }
    )+};
}

tables! {
    /// Every setting.
    All: ["preset", "adapter", "seed", "seeds", "downscale", "holdout", "allow_outside", "masks"], ["video", "enhance", "poses", "prior", "ppm", "train", "eval"];
    /// Training alone.
    Training: ["preset", "adapter", "seed", "seeds", "downscale", "holdout", "allow_outside", "masks"], ["prior", "train", "eval"];
    /// Restoration alone.
    Enhance: ["preset", "adapter", "downscale", "allow_outside", "masks"], ["enhance"];
    /// Pictures of a finished model.
    Render: ["adapter", "downscale"], [];
    /// The point prior alone.
    Prior: ["preset", "adapter", "seed", "downscale", "holdout", "allow_outside", "masks"], ["video", "enhance", "poses", "prior"];
    /// Point preprocessing alone.
    Ppm: ["preset", "seed", "allow_outside"], ["ppm"], except "ppm.thin_made", also "prior.min_confidence";
    /// The adapter alone.
    AdapterOnly: ["adapter"], [];
}

/// Every setting, as the demo has them.
pub struct AllOfDemo;

impl Tables for AllOfDemo {
    const TOP: &'static [&'static str] = All::TOP;
    const TABLES: &'static [&'static str] = All::TABLES;
    const EXCEPT: &'static [&'static str] = All::EXCEPT;
    const ALSO: &'static [&'static str] = All::ALSO;

    fn base() -> Option<Settings> {
        Some(settings::demo())
    }
}

/// The flags of the settings in `T`'s tables, and `--config`.
pub struct SettingFlags<T> {
    config: Option<PathBuf>,
    flags: Vec<(String, String)>,
    tables: PhantomData<T>,
}

impl<T: Tables> SettingFlags<T> {
    /// The resolved settings.
    pub fn resolve(&self) -> Result<Settings> {
        self.layers().resolve()
    }

    /// As [`SettingFlags::resolve`] from the preset, which follows what the photographs of `scene` are like. A settings file of
    /// the scene's own is not read, which a warning says.
    pub fn resolve_for(&self, scene: &Path) -> Result<Settings> {
        if let Some(own) = unread(scene, self.config.as_deref()) {
            let own = own.display();
            tracing::warn!(
                "{own}: not read, since only `naka-gs batch` does that by itself; --config {own} reads it here"
            );
        }
        Layers { photographs: Facts::of(scene, settings::MANY), ..self.layers() }.resolve()
    }

    /// As [`SettingFlags::resolve`], not yet resolved.
    pub fn layers(&self) -> Layers {
        Layers { base: T::base(), file: self.config.clone(), flags: self.flags.clone(), ..Layers::default() }
    }

    fn keys() -> impl Iterator<Item = Key> {
        keys_from(&T::base().unwrap_or_default()).into_iter().filter(|key| {
            let table = key.section.split('.').next().unwrap_or_default();
            let path = key.path.as_str();
            if table.is_empty() {
                T::TOP.contains(&path)
            } else {
                T::ALSO.contains(&path) || (T::TABLES.contains(&table) && !T::EXCEPT.contains(&path))
            }
        })
    }
}

impl<T: Tables> Args for SettingFlags<T> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE.toml")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Settings from a TOML file (keys: docs/usage.md, or the settings.toml of a run); a flag wins over the file's value")
            .help_heading("Settings")
            .hide_short_help(true);
        Self::keys().fold(command.arg(config), |command, key| command.arg(flag(&key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The settings file that lies in the folder `scene` and is not the one that is given, `config`.
fn unread(scene: &Path, config: Option<&Path>) -> Option<PathBuf> {
    let own = scene.join(SETTINGS_FILE);
    let given = config.is_some_and(|config| config.canonicalize().ok() == own.canonicalize().ok());
    (own.is_file() && !given).then_some(own)
}

fn flag(key: &Key) -> Arg {
    let default = match &key.default {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) if text.is_empty() => String::new(),
        serde_json::Value::String(text) => format!(" [default: {text}]"),
        number => format!(" [default: {}]", short(number)),
    };
    let heading = match key.section {
        // The most used stand together.
        _ if is_common(&key.path) => "Settings".to_string(),
        "" => "Settings".to_string(),
        section => format!("Settings of [{section}]"),
    };
    let id = format!("set:{}", key.flag);
    let full = key.help.trim_end_matches('.');
    let first = full.split_once(". ").map_or(full, |(first, _)| first);
    let arg = Arg::new(id.clone())
        .long(long(&key.path, &key.flag).to_string())
        .aliases(aliases(&key.path, &key.flag))
        .overrides_with(id)
        .help(format!("{first}{default}"))
        .long_help(format!("{full}{default}"))
        .help_heading(heading)
        .hide_short_help(!is_common(&key.path))
        .allow_negative_numbers(true);
    let arg = match words(&key.path) {
        Some(words) => arg.hide_possible_values(words.are_in(full)).value_parser(words),
        None => arg,
    };
    if key.default.is_boolean() {
        arg.value_name("true|false").num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        arg.value_name(match key.default.is_string() {
            _ if PATHS.contains(&key.path.as_str()) => "PATH",
            true => "WORD",
            false => "N",
        })
    }
}

/// A value as its author wrote it: an f32 that became an f64 on its way here loses the digits it did not have.
fn short(value: &serde_json::Value) -> String {
    match value.as_f64().map(|v| (v, v as f32)) {
        Some((v, narrow)) if value.is_f64() && f64::from(narrow) == v => narrow.to_string(),
        _ => value.to_string(),
    }
}

impl<T: Tables> FromArgMatches for SettingFlags<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: Key| {
            let id = format!("set:{}", key.flag);
            let from_user = matches.value_source(&id) == Some(ValueSource::CommandLine);
            let value = matches.get_one::<String>(&id).filter(|_| from_user)?;
            Some((key.flag, value.clone()))
        };
        Ok(Self {
            config: matches.get_one::<PathBuf>("config").cloned(),
            flags: Self::keys().filter_map(given).collect(),
            tables: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_scene_that_are_not_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (scene, other) = (dir.path(), dir.path().join("my.toml"));
        std::fs::write(&other, "").unwrap();
        assert_eq!(unread(scene, None), None);
        let own = scene.join("naka-gs.toml");
        std::fs::write(&own, "").unwrap();
        assert_eq!(unread(scene, None), Some(own.clone()));
        assert_eq!(unread(scene, Some(&other)), Some(own.clone()));
        assert_eq!(unread(scene, Some(&scene.join(".").join("naka-gs.toml"))), None);
    }
}
