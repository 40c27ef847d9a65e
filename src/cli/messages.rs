//! Translates settings in the library's messages to flags of the command line: `` `train.steps` `` becomes `--steps`.

use super::flag_names;
use naka_gs::Error;
use naka_gs::settings::{Key, keys};
use std::sync::OnceLock;

/// Parameters that are not settings, and their names on the command line.
const PARAMETERS: [(&str, &str); 24] = [
    ("out", "--out"),
    ("overwrite", "--overwrite (-w)"),
    ("until", "--until"),
    ("max_memory", "--max-memory GIB"),
    ("template", "--template"),
    ("average", "--average"),
    ("scenes", "--scenes"),
    ("maps", "--maps"),
    ("quantiles", "--quantiles"),
    ("video", "--video"),
    ("keyframes", "--keyframes"),
    ("cameras", "--cameras"),
    ("box", "--box"),
    ("sphere", "--sphere"),
    ("hull", "--hull"),
    ("min_opacity", "--min-opacity"),
    ("max_size", "--max-size"),
    ("max_relative_size", "--max-relative-size"),
    ("min_views", "--min-views"),
    ("min_cluster", "--min-cluster"),
    ("splats", "--splats"),
    ("size", "--size"),
    ("psnr", "--psnr"),
    ("variants", "--variants"),
];

/// The message of `error`: settings by their flags.
pub fn of_error(error: &Error) -> String {
    let message = in_flags(&error.to_string());
    match error {
        Error::Setting { setting, .. } => match flag(setting) {
            Some(flag) => message.replacen(setting.as_str(), &flag, 1),
            None => message,
        },
        _ => message,
    }
}

/// `text` with settings in backticks by their flags: `` `downscale = 2` `` becomes `--downscale 2`.
pub fn in_flags(text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = parts.next().unwrap_or_default().to_string();
    let mut rest = parts.peekable();
    // Pairs of what stands within backticks and behind them.
    while let Some(quoted) = rest.next() {
        let (name, value) = quoted.split_once(" = ").map_or((quoted, None), |(name, value)| (name, Some(value)));
        match (flag(name), rest.peek()) {
            (Some(flag), Some(_)) => {
                out += &flag;
                out.extend(value.map(|value| format!(" {value}")));
            }
            (_, Some(_)) => out += &format!("`{quoted}`"),
            (_, None) => out += &format!("`{quoted}"),
        }
        out += rest.next().unwrap_or_default();
    }
    out
}

fn flag(name: &str) -> Option<String> {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    let key = KEYS.get_or_init(keys).iter().find(|key| key.path == name);
    let setting = key.map(|key| format!("--{}", flag_names::long(&key.path, &key.flag)));
    setting.or_else(|| PARAMETERS.iter().find(|(parameter, _)| *parameter == name).map(|(_, flag)| flag.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_their_flags() {
        for (text, want) in [
            ("try `downscale = 2` or `train.densify.max_splats`", "try --downscale 2 or --max-splats"),
            ("raise `prior.image_size`; `naka-gs doctor` tells", "raise --stereo-size; `naka-gs doctor` tells"),
            (
                "`overwrite` replaces it, or choose another (`out`)",
                "--overwrite (-w) replaces it, or choose another (--out)",
            ),
            ("frame 3 (`a.jpg`): an odd ` and `downscale", "frame 3 (`a.jpg`): an odd ` and `downscale"),
            ("", ""),
        ] {
            assert_eq!(in_flags(text), want);
        }
    }

    #[test]
    fn a_refused_setting_is_named_by_its_flag() {
        let message = |setting: &str| of_error(&Error::setting(setting, "0", "use `holdout = 8`"));
        assert_eq!(message("train.steps"), "--steps: 0; use --holdout 8");
        assert_eq!(message("out"), "--out: 0; use --holdout 8");
        assert_eq!(message("my.toml: train.steps"), "my.toml: train.steps: 0; use --holdout 8");
    }
}
