//! The modules of the library use each other in one direction only: the table in docs/architecture.md, held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The layer of each module, from the ground (0) up, as the document has them.
fn layers() -> BTreeMap<String, usize> {
    let document = read("docs/architecture.md");
    let table = document.split("## Layers").nth(1).expect("a section on layers").split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).rev();
    let mut layers = BTreeMap::new();
    for (layer, row) in rows.enumerate() {
        let modules = row.split('|').nth(1).unwrap();
        for module in modules.split('`').skip(1).step_by(2) {
            assert!(layers.insert(module.to_string(), layer).is_none(), "{module} is in two layers");
        }
    }
    layers
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push(path);
        }
    }
}

/// The modules that `code` names as `crate::…`, tests aside.
fn used(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut used = BTreeSet::new();
    for part in lines.join("\n").split("crate::").skip(1) {
        let name =
            |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match part.strip_prefix('{') {
            Some(list) => used.extend(list.split('}').next().unwrap().split(',').map(name)),
            None => drop(used.insert(name(part))),
        }
    }
    used
}

#[test]
fn no_arrow_runs_up() {
    let (layers, source) = (layers(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut all = Vec::new();
    files(&source, &mut all);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in all {
        let below = file.strip_prefix(&source).unwrap();
        let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_string();
        let stem = below.file_stem().unwrap().to_str().unwrap();
        let is_test = stem != "self_test" && (stem.ends_with("tests") || stem.ends_with("_test"));
        if ["lib", "main", "cli"].contains(&module.as_str()) || is_test {
            continue;
        }
        let Some(layer) = layers.get(&module) else {
            wrong.push(format!("{module} is in no layer"));
            continue;
        };
        seen.insert(module.clone());
        for other in used(&fs::read_to_string(&file).unwrap()) {
            let up = layers.get(&other).is_some_and(|other| other >= layer);
            if up && other != module {
                wrong.push(format!("{} uses {other}, which is not below {module}", below.display()));
            }
        }
    }
    let gone: Vec<&String> = layers.keys().filter(|module| !seen.contains(*module)).collect();
    assert!(gone.is_empty(), "the table has modules that do not exist: {gone:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Messages below the command line name settings by their keys; the environment is the program's, not the library's.
#[test]
fn the_library_knows_no_flags_and_no_environment() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    files(&source, &mut all);
    for file in all {
        let below = file.strip_prefix(&source).unwrap();
        // Flags of other programs, which are children.
        let others = ["poses/steps.rs", "capture/raw.rs"].iter().any(|other| below.ends_with(other));
        let is_test = below.to_str().unwrap().contains("test");
        if below.starts_with("cli") || others || is_test {
            continue;
        }
        let code = fs::read_to_string(&file).unwrap();
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let text = line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
            let flag = |word: &str| {
                let name = word.trim_start_matches(['(', '`', '\'']).strip_prefix("--");
                name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            };
            if text.split_whitespace().any(flag) || line.contains("env::var") {
                wrong.push(format!("{}: {}", below.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn names_are_read_off_all_kinds_of_uses() {
    let code = "use crate::{gpu, capture::View};\n// crate::train\nfn f() { crate::error::g(crate::eval::psnr) }\n\
                #[cfg(test)]\nmod tests {\nuse crate::viewer;\n}";
    let found: Vec<String> = used(code).into_iter().collect();
    assert_eq!(found, ["capture", "error", "eval", "gpu"]);
}
