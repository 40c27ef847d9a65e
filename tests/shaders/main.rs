//! Every WGSL file composes and validates in every combination of its switches, and none lies unused.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naka_gs::gpu::shader::{compose, sources};
use std::collections::BTreeSet;
use std::path::Path;

mod specialization;

/// The directives `#{word} name` of a file and of all that it imports.
fn directives(name: &str, word: &str, out: &mut BTreeSet<String>) {
    let all = sources();
    let Some((_, text)) = all.iter().find(|(path, _)| path == name) else { return };
    for line in text.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix(&format!("#{word} ")) {
            out.insert(found.trim().to_string());
        }
        if let Some(import) = line.strip_prefix("#import ") {
            directives(import.trim(), word, out);
        }
    }
}

/// Names in capitals that the text uses but does not declare: constants that come from Rust.
fn missing_constants(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let is_constant = |w: &str| w.len() > 1 && w.starts_with(|c: char| c.is_ascii_uppercase()) && w == w.to_uppercase();
    let declared: BTreeSet<&str> = words.windows(2).filter(|p| p[0] == "const").map(|p| p[1]).collect();
    words.into_iter().filter(|w| is_constant(w) && !declared.contains(w)).map(String::from).collect()
}

/// Calls `check` with every kernel's name, its switches that are on, and its whole text: in all their combinations.
fn every_variant(mut check: impl FnMut(&str, &[(&str, &str)], &str)) {
    for (name, text) in sources() {
        if !text.contains("@compute") {
            continue;
        }
        let mut switches = BTreeSet::new();
        directives(&name, "ifdef", &mut switches);
        let switches: Vec<_> = switches.into_iter().collect();
        assert!(switches.len() <= 8, "{name} has too many switches to test: {switches:?}");
        for bits in 0..1_u32 << switches.len() {
            let on = switches.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
            let on: Vec<(&str, &str)> = on.map(|(_, s)| (s.as_str(), "true")).collect();
            let plain = compose(&name, &on).unwrap();
            let missing = missing_constants(&plain);
            // An untyped 8 is a valid size, count and coefficient alike.
            let constants = missing.iter().map(|constant| (constant.as_str(), "8"));
            let whole = compose(&name, &on.iter().copied().chain(constants).collect::<Vec<_>>()).unwrap();
            check(&name, &on, &whole);
        }
    }
}

fn validate(text: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let capabilities = Capabilities::SUBGROUP
        | Capabilities::SHADER_FLOAT32_ATOMIC
        | Capabilities::SUBGROUP_BARRIER
        | Capabilities::SHADER_FLOAT16;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.validate(&module).map(|_| ()).map_err(|e| e.emit_to_string(text))
}

#[test]
fn every_kernel_validates_in_every_variant() {
    let mut variants = 0;
    every_variant(|name, on, text| {
        if let Err(error) = validate(text) {
            panic!("shaders/{name}.wgsl with {on:?}:\n{error}");
        }
        variants += 1;
    });
    println!("{variants} variants validate");
}

#[test]
fn no_kernel_is_specialized_for_its_uniforms() {
    let mut all = BTreeSet::new();
    every_variant(|name, _, text| {
        let found = specialization::specialized_conditions(text);
        all.extend(found.into_iter().map(|line| format!("shaders/{name}.wgsl: {line}")));
    });
    assert!(all.is_empty(), "pass these through common/unspecialized:\n{}", Vec::from_iter(all).join("\n"));
}

#[test]
fn no_shader_is_unused() {
    fn rust_sources(dir: &Path, out: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rust_sources(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut rust = String::new();
    rust_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut rust);
    let all = sources();
    let imported = |name: &str| all.iter().any(|(_, text)| text.lines().any(|l| l.trim() == format!("#import {name}")));
    // By its whole path, or by its name alone where a stage puts its folder before it.
    let compiled = |name: &str| {
        let (_, stem) = name.rsplit_once('/').unwrap_or(("", name));
        rust.contains(&format!("\"{name}\"")) || rust.contains(&format!("kernel(\"{stem}\")"))
    };
    for (name, _) in &all {
        assert!(compiled(name) || imported(name), "shaders/{name}.wgsl is used by nothing");
    }
}

#[test]
fn the_search_for_missing_constants_finds_them() {
    let text = "const A_B = 1; // C_D\nlet x = E_F + A_B; vec3f(0.0); struct Ab {}";
    assert_eq!(missing_constants(text), BTreeSet::from(["E_F".to_string()]));
}
