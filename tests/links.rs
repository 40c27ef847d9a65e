//! The links of the documents lead to files and headings that exist.

use std::fs;
use std::path::{Path, PathBuf};

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "tools/train-chroma/README.md"].map(|name| root.join(name));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    here.into_iter().chain(docs.filter(|path| path.extension().is_some_and(|end| end == "md"))).collect()
}

/// What follows each `](`, up to its end.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The name that web pages of repositories give a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            let found = match heading {
                "" => target.exists(),
                _ => fs::read_to_string(&target)
                    .is_ok_and(|text| text.lines().any(|line| line.starts_with('#') && anchor(line) == heading)),
            };
            if !found {
                wrong.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn headings_have_the_names_that_pages_give_them() {
    assert_eq!(anchor("## Variants (`src/gpu/variants.rs`)"), "variants-srcgpuvariantsrs");
    assert_eq!(links("see [a](b.md#c) and [d](e.png \"f\")").collect::<Vec<_>>(), ["b.md#c", "e.png"]);
}
