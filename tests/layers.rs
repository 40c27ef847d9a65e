//! The modules of the library use each other in one direction only: the table in docs/architecture.md, compared with the code,
//! and no circle between files.

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

/// The code of every module by its path (`capture/scene`), tests aside.
fn modules() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    let mut modules = BTreeMap::new();
    for file in all {
        let below = file.strip_prefix(&source).unwrap().with_extension("");
        let parts: Vec<&str> = below.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
        let is_test = |part: &&str| *part != "self_test" && (part.ends_with("tests") || part.ends_with("_test"));
        if !parts.iter().any(is_test) && !["lib", "main"].contains(&parts[0]) {
            modules.insert(parts.join("/"), fs::read_to_string(&file).unwrap());
        }
    }
    modules
}

/// The paths of a `use` tree, each with the name that it brings into scope.
fn leaves(prefix: &str, tree: &str, out: &mut Vec<(String, String)>) {
    let (mut depth, mut start) = (0, 0);
    for (at, c) in tree.char_indices().chain([(tree.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c != ',' || depth > 0 {
            continue;
        }
        let part = tree[start..at].trim();
        start = at + 1;
        if let Some((head, inner)) = part.split_once('{') {
            leaves(&format!("{prefix}{head}"), inner.strip_suffix('}').unwrap(), out);
        } else if !part.is_empty() {
            let (path, name) = part.split_once(" as ").unwrap_or((part, part.rsplit("::").next().unwrap()));
            out.push((format!("{prefix}{path}").trim_end_matches("::self").to_string(), name.to_string()));
        }
    }
}

/// The paths that `code` names in its `use` lines and, from `crate` or `super` on, elsewhere.
fn paths(code: &str) -> Vec<(String, String)> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let (mut found, mut rest) = (Vec::new(), String::new());
    for statement in code.join("\n").split_inclusive(';') {
        let line_of_use = |at: &usize| {
            statement[..*at].lines().next_back().is_none_or(|line| {
                let line = line.trim();
                line.is_empty() || line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
            })
        };
        match statement.match_indices("use ").map(|(at, _)| at).find(line_of_use) {
            Some(at) => {
                rest.push_str(&statement[..at]);
                leaves("", statement[at + 4..].trim_end_matches(';'), &mut found);
            }
            None => rest.push_str(statement),
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c| !is_path(c)).filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    found.extend(words.map(|word| (word.trim_end_matches(':').to_string(), String::new())));
    found
}

/// The module in which `path`, as `module` writes it, is defined; what modules export again is followed.
fn resolve(all: &BTreeMap<String, Vec<(String, String)>>, module: &str, path: &str, depth: usize) -> String {
    let mut at = module.to_string();
    for part in path.split("::") {
        let child = if at.is_empty() { part.to_string() } else { format!("{at}/{part}") };
        match part {
            "self" => {}
            "crate" => at.clear(),
            "super" => at = at.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_string()),
            _ if all.contains_key(&child) => at = child,
            _ => {
                let exported = all.get(&at).and_then(|paths| paths.iter().find(|(_, name)| name == part));
                return match exported {
                    Some((other, _)) if other != path && depth < 8 => resolve(all, &at, other, depth + 1),
                    _ => at,
                };
            }
        }
    }
    at
}

/// Modules in a circle of uses, if there is one. A module may use what is below it in its folder, and the other way round.
fn circle(modules: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let all: BTreeMap<_, _> = modules.iter().map(|(module, code)| (module.clone(), paths(code))).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, paths) in &all {
        let own = |path: &str| {
            let first = path.split("::").next().unwrap();
            ["crate", "super", "self"].contains(&first) || all.contains_key(&format!("{module}/{first}"))
        };
        let used = paths.iter().filter(|(path, _)| own(path)).map(|(path, _)| resolve(&all, module, path, 0));
        let others = used.filter(|other| !other.is_empty() && !format!("{other}/").starts_with(&format!("{module}/")));
        uses.insert(module.clone(), others.collect());
    }
    // What uses only modules that are in no circle is in none.
    let mut count = usize::MAX;
    while uses.len() < count {
        count = uses.len();
        uses.retain(|_, used| !used.is_empty());
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.values_mut().for_each(|used| used.retain(|module| left.contains(module)));
    }
    let mut way = vec![uses.keys().next()?.clone()];
    loop {
        let next = uses[way.last()?].first()?.clone();
        if let Some(start) = way.iter().position(|module| *module == next) {
            return Some(way.split_off(start));
        }
        way.push(next);
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let found = circle(&modules());
    assert!(found.is_none(), "each of these uses the next, and the last the first: {}", found.unwrap().join(" → "));
}

#[test]
fn circles_are_found_through_exports_and_paths_in_code() {
    let modules = |c: &str| {
        let code = [
            ("a", "mod b;\nmod c;\npub use c::{self, Last as End, deep::X};"),
            ("a/b", "use super::{\n    End,\n};"),
            ("a/c", c),
            ("a/c/deep", "use super::Last;"),
            ("d", "use crate::a::c;"),
        ];
        code.map(|(module, code)| (module.to_string(), code.to_string())).into_iter().collect::<BTreeMap<_, _>>()
    };
    for c in ["fn f() { g(super::b::h) }", "pub(super) use crate::{a::b::h, d};", "pub use\n    crate::d;"] {
        let found = circle(&modules(c)).unwrap_or_default();
        assert!(found.len() == 2 && found.contains(&"a/c".to_string()), "{c}: {found:?}");
    }
    for c in [
        "",
        "pub use deep::X;",
        "// use super::b;",
        "use std::b;",
        "#[cfg(test)]\nmod tests {\nuse super::super::b;\n}",
    ] {
        assert_eq!(circle(&modules(c)), None, "{c}");
    }
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
        let others = ["poses/steps.rs", "capture/kinds.rs"].iter().any(|other| below.ends_with(other));
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
