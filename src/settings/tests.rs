use super::*;

fn flag(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn preset_then_file_then_flags() {
    let (_dir, path) = file("preset = \"preview\"\nseed = 7\nholdout = 8\n");
    let layers = Layers { file: Some(path), flags: vec![flag("seed", "9")], ..Layers::default() };
    let settings = layers.resolve().unwrap();
    assert_eq!(settings.preset, Preset::Preview);
    assert_eq!(settings.downscale, Preset::Preview.settings().downscale);
    assert_eq!((settings.seed, settings.holdout), (9, Some(8)));
}

#[test]
fn a_file_with_a_byte_order_mark_or_in_utf_16() {
    let (_dir, path) = file("");
    let wide: Vec<u8> = "\u{feff}seed = 7\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in ["\u{feff}seed = 7\r\n".as_bytes().to_vec(), wide] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Layers { file: Some(path.clone()), ..Layers::default() }.resolve().unwrap().seed, 7);
    }
}

#[test]
fn a_preset_flag_beats_the_file_but_not_its_other_keys() {
    let (_dir, path) = file("preset = \"preview\"\ndownscale = 3\n");
    let layers = Layers { file: Some(path), flags: vec![flag("preset", "paper")], ..Layers::default() };
    let settings = layers.resolve().unwrap();
    assert_eq!((settings.preset, settings.downscale), (Preset::Paper, 3));
}

#[test]
fn resolved_settings_read_back_the_same() {
    for preset in [Preset::Preview, Preset::Standard, Preset::Paper] {
        let settings = Settings { seed: 5, holdout: Some(4), ..preset.settings() };
        let (_dir, path) = file(&settings.to_toml().unwrap());
        assert_eq!(Layers { file: Some(path), ..Layers::default() }.resolve().unwrap(), settings);
    }
}

#[test]
fn a_key_may_have_the_name_of_a_table() {
    let (_dir, path) = file("[poses]\nmax-features = 99\n[prior]\nposes = \"align\"\n");
    let settings = Layers { file: Some(path), ..Layers::default() }.resolve().unwrap();
    assert_eq!((settings.poses.max_features, settings.prior.poses), (99, prior::Poses::Align));
    let layers = Layers { flags: vec![flag("poses", "align")], ..Layers::default() };
    assert_eq!(layers.resolve().unwrap().prior.poses, prior::Poses::Align);
}

#[test]
fn unknown_keys_name_file_and_key() {
    let (_dir, path) = file("[nonsense]\nvoxel = 1\n");
    let error = Layers { file: Some(path), ..Layers::default() }.resolve().unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("my.toml: nonsense"), "{error}");
    let (_dir, path) = file("hold-uot = 1\n");
    let error = Layers { file: Some(path), ..Layers::default() }.resolve().unwrap_err();
    assert!(error.to_string().contains("did you mean holdout"), "{error}");
    // Flags of keys with other names are near to none.
    for text in ["[prior]\nstereo-size = 5\n", "densify-start = 5\n"] {
        let (_dir, path) = file(text);
        let error = Layers { file: Some(path), ..Layers::default() }.resolve().unwrap_err().to_string();
        assert!(error.contains("settings.toml") && !error.contains("did you mean"), "{error}");
    }
}

#[test]
fn unusable_values_name_the_setting() {
    for (name, value) in [
        ("downscale", "0"),
        ("downscale", "-1"),
        ("seed", "x"),
        ("preset", "best"),
        ("holdout", "0"),
        ("seeds", "0"),
        ("seeds", "17"),
        ("seeds", "-2"),
    ] {
        let layers = Layers { flags: vec![flag(name, value)], ..Layers::default() };
        let error = layers.resolve().expect_err(name);
        assert!(error.to_string().starts_with(name), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_number_is_a_fine_adapter_name() {
    let layers = Layers { flags: vec![flag("adapter", "0")], ..Layers::default() };
    assert_eq!(layers.resolve().unwrap().adapter, "0");
}

#[test]
fn every_key_has_help_and_flags_are_unique() {
    let keys = keys();
    let mut flags: Vec<_> = keys.iter().map(|k| &k.flag).collect();
    flags.sort();
    flags.dedup();
    assert_eq!(flags.len(), keys.len());
    for key in &keys {
        assert!(!key.help.is_empty(), "{} has no doc comment", key.path);
    }
}

#[test]
fn a_key_outside_tables_sets_it_in_every_table_and_flags_name_keys_of_tables() {
    let (_dir, path) = file("seed = 7\nsteps = 5\nvoxel-size = 0.5\n[ppm]\nseed = 9\n");
    let settings = Layers { file: Some(path), ..Layers::default() }.resolve().unwrap();
    assert_eq!((settings.seed, settings.train.seed, settings.prior.seed, settings.ppm.seed), (7, 7, 7, 9));
    assert_eq!((settings.train.steps, settings.ppm.voxel_size), (5, 0.5));
    let layers = Layers { flags: vec![flag("sigma", "0.05"), flag("response", "naka")], ..Layers::default() };
    assert_eq!(layers.resolve().unwrap().enhance.sigma, crate::enhance::Sigma::Value(0.05));
}

#[test]
fn the_paper_preset_has_the_published_settings() {
    let paper = Preset::Paper.settings();
    assert_eq!(paper.enhance, crate::enhance::Config::published());
    assert_eq!((paper.downscale, paper.train.steps, paper.train.sh_degree), (1, 8000, 3));
    assert_eq!((paper.ppm.voxel_size, paper.ppm.tau0, paper.ppm.beta, paper.ppm.iters), (0.01, 0.005, 0.01, 6));
}

#[test]
fn growth_moves_with_the_end_of_a_training() {
    let times = |flags: &[(&str, &str)]| {
        let flags = flags.iter().map(|(name, value)| flag(name, value)).collect();
        let train = Layers { flags, ..Layers::default() }.resolve().unwrap().train;
        (train.densify.start, train.densify.stop, train.densify.every)
    };
    assert_eq!(times(&[]), (100, 1500, 100));
    assert_eq!(times(&[("preset", "preview")]), (60, 900, 60));
    assert_eq!(times(&[("preset", "preview"), ("steps", "4000")]), (200, 3000, 200));
    assert_eq!(times(&[("preset", "preview"), ("steps", "400")]), (20, 300, 50));
    assert_eq!(times(&[("steps", "4000"), ("stop", "1000")]), (200, 1000, 200));
    // Published times do not depend on the length.
    assert_eq!(times(&[("preset", "paper"), ("steps", "400")]), times(&[("preset", "paper")]));
}

#[test]
fn presets_follow_photographs_that_are_many_and_clean() {
    let layers = |views, noise, flags: &[(&str, &str)]| Layers {
        photographs: Some(capture::Facts { views, noise }),
        flags: flags.iter().map(|(name, value)| flag(name, value)).collect(),
        ..Layers::default()
    };
    let train = |views, noise, flags: &[(&str, &str)]| layers(views, noise, flags).resolve().unwrap().train;
    // Few, noisy, or as published: as if nothing were known.
    for (views, noise, preset) in [(39, 0.01, "standard"), (300, 0.05, "standard"), (300, 0.01, "paper")] {
        let plain = Layers { flags: vec![flag("preset", preset)], ..Layers::default() }.resolve().unwrap().train;
        assert_eq!(train(views, noise, &[("preset", preset)]), plain);
    }
    let fox = train(50, 0.012, &[]);
    assert_eq!((fox.steps, fox.sh_degree, fox.densify.stop), (6000, 3, 3000));
    assert_eq!(fox.densify.strategy, train::densify::Strategy::Default);
    assert_eq!(train(300, 0.012, &[]).steps, 30_000);
    // A preview of them takes smaller pictures, as they are, for growth.
    let quick = layers(50, 0.012, &[("preset", "preview")]).resolve().unwrap();
    let few = layers(30, 0.15, &[("preset", "preview")]).resolve().unwrap();
    assert_eq!((quick.downscale, quick.train.steps, quick.train.ramp_until), (4, 2000, 0.3));
    assert_eq!((quick.train.lr_means, fox.lr_means), (few.train.lr_means, train::Config::default().lr_means));
    assert_eq!((few.downscale, few.train.steps, few.train.ramp_until), (3, 1200, 0.85));
    // What is set stays, and times follow a length that is.
    let set = train(50, 0.012, &[("steps", "1000"), ("strategy", "none"), ("sh-degree", "1")]);
    assert_eq!((set.steps, set.densify.stop, set.sh_degree), (1000, 500, 1));
    assert_eq!(set.densify.strategy, train::densify::Strategy::None);
    // A base of its own (the demo's) is no preset.
    let demo = Layers { base: Some(demo()), ..layers(50, 0.012, &[]) }.resolve().unwrap();
    assert_eq!(demo.train.steps, 500);
}
