//! Composition of WGSL files: imports, switches and constants.
//!
//! Three directives, each on a line of its own, are all there is:
//! `#import common/camera` inserts that file once, `#ifdef NAME` … `#else` … `#endif` (nestable) switch on the names
//! defined by Rust, and every define that is not `true` becomes `const NAME = value;` at the top, so that a constant
//! of the method has one home, in Rust.

use crate::error::{Error, Result};
use include_dir::{Dir, include_dir};
use std::collections::BTreeSet;
use std::fmt::Write;

static SHADERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/shaders");

/// Every WGSL file below `shaders/`: its path without the ending, and its text.
pub fn sources() -> Vec<(String, &'static str)> {
    fn walk(dir: &'static Dir<'_>, out: &mut Vec<(String, &'static str)>) {
        for file in dir.files().filter(|f| f.path().extension().is_some_and(|e| e == "wgsl")) {
            let path = file.path().with_extension("").to_string_lossy().replace('\\', "/");
            out.extend(file.contents_utf8().map(|text| (path, text)));
        }
        dir.dirs().for_each(|d| walk(d, out));
    }
    let mut out = Vec::new();
    walk(&SHADERS, &mut out);
    out.sort();
    out
}

/// The complete WGSL text of `shaders/{name}.wgsl`.
///
/// # Errors
/// An unknown file, import or directive, or blocks that do not close: bugs of the program.
pub fn compose(name: &str, defines: &[(&str, &str)]) -> Result<String> {
    let mut text = String::new();
    for (key, value) in defines.iter().filter(|(_, value)| *value != "true") {
        let _ = writeln!(text, "const {key} = {value};");
    }
    insert(name, defines, &mut BTreeSet::new(), &mut text)?;
    Ok(text)
}

fn insert(name: &str, defines: &[(&str, &str)], seen: &mut BTreeSet<String>, out: &mut String) -> Result<()> {
    if !seen.insert(name.to_string()) {
        return Ok(());
    }
    let bug = |what: String| Error::Gpu(format!("shaders/{name}.wgsl: {what}"));
    let file = SHADERS.get_file(format!("{name}.wgsl")).and_then(|file| file.contents_utf8());
    let source = file.ok_or_else(|| bug("not among the built-in shaders".into()))?;
    let mut active = vec![true];
    for line in source.lines() {
        let on = active.iter().all(|a| *a);
        match line.trim().strip_prefix('#').map(|d| d.split_once(' ').unwrap_or((d, ""))) {
            Some(("ifdef", key)) => active.push(defines.iter().any(|(k, _)| *k == key.trim())),
            Some(("else", _)) if active.len() > 1 => {
                let last = active.len() - 1;
                active[last] = !active[last];
            }
            Some(("endif", _)) if active.len() > 1 => {
                active.pop();
            }
            Some(("import", path)) if on => insert(path.trim(), defines, seen, out)?,
            Some(("import", _)) => {}
            Some((word, _)) => return Err(bug(format!("misplaced or unknown directive #{word}"))),
            None if on => {
                out.push_str(line);
                out.push('\n');
            }
            None => {}
        }
    }
    if active.len() == 1 { Ok(()) } else { Err(bug("#ifdef without #endif".into())) }
}
