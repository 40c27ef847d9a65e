use super::*;

#[test]
fn replaces_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/result.txt");
    write_bytes(&path, b"one").unwrap();
    write_bytes(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_failing_writer_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("result.txt");
    write_bytes(&path, b"old").unwrap();
    let failed = write(&path, |out| {
        out.write_all(b"half").map_err(Error::io(&path))?;
        Err::<(), _>(Error::Interrupted(String::new()))
    });
    assert!(matches!(failed, Err(Error::Interrupted(_))));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn only_files_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let error = write_bytes(dir.path(), b"x").unwrap_err().to_string();
    assert!(error.contains(&dir.path().display().to_string()) && error.contains("a folder"), "{error}");
    #[cfg(unix)]
    {
        let socket = dir.path().join("socket");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = write_bytes(&socket, b"x").unwrap_err().to_string();
        assert!(error.contains("socket") && error.contains("a device"), "{error}");
        assert!(!fs::symlink_metadata(&socket).unwrap().is_file());
        // A link to a file is replaced, not the file.
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "mine").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_bytes(&link, b"x").unwrap();
        assert_eq!((fs::read(&file).unwrap(), fs::read(&link).unwrap()), (b"mine".to_vec(), b"x".to_vec()));
    }
}

#[test]
fn a_file_that_is_to_be_created_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("result.txt");
    create_only(&path);
    let refused = write(&path, |out| {
        fs::write(&path, "mine").unwrap();
        out.write_all(b"result").map_err(Error::io(&path))
    });
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("result.txt") && error.contains("appeared"), "{error}");
    assert!(remove_file(&path).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/nowhere/result.txt", &path).unwrap();
        assert!(write_bytes(&path, b"result").is_err());
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        fs::remove_file(&path).unwrap();
    }
    // Once it is there it is ours.
    write_bytes(&path, b"result").unwrap();
    write_bytes(&path, b"other").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"other");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Windows syncs a file only for those who may write to it.
#[test]
fn what_is_synced_is_open_for_writing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mp4");
    fs::write(&path, "half").unwrap();
    open_to_sync(&path).unwrap().write_all(b"whole").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

/// A kill at any change leaves the old file or the new one under the final name, and a later sweep nothing else.
#[test]
fn every_failure_leaves_the_old_file_or_the_new_one() {
    for fault in [faults::Kind::Error, faults::Kind::ShortWrite, faults::Kind::Kill] {
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("result.txt");
            write_bytes(&path, b"old").unwrap();
            let armed = faults::arm(dir.path(), fault, at);
            let failed = write_bytes(&path, b"new content").is_err();
            let hit = armed.disarm();
            let content = fs::read(&path).unwrap();
            assert!(content == b"old" || (!failed && content == b"new content"), "{fault:?} at {at}: {content:?}");
            if fault != faults::Kind::Kill {
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{fault:?} at {at}");
            }
            remove_leftovers(dir.path());
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{fault:?} at {at}");
            if !hit {
                assert!(at >= 3, "{fault:?}: only {at} changes were counted");
                break;
            }
        }
    }
}

/// Only names that this module gives are leftovers, and one that is being written is not.
#[test]
fn leftovers_are_only_ours() {
    let dir = tempfile::tempdir().unwrap();
    let others = [".result.txt.part", "notes.naka-part", ".b.12345678.naka-part.bak", ".naka-part"];
    others.iter().for_each(|name| fs::write(dir.path().join(name), "mine").unwrap());
    fs::write(dir.path().join(".b.txt.aB3xY9zQ.naka-part"), "half").unwrap();
    let path = dir.path().join("slow.txt");
    write(&path, |out| {
        remove_leftovers(dir.path());
        out.write_all(b"whole").map_err(Error::io(&path))
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), others.len() + 1);
}

#[test]
fn leftovers_of_a_single_file_leave_those_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let long = |n: u32| dir.path().join(format!("a-film-of-the-night-market-{n}.mp4"));
    let prefixes = [1, 2].map(|n| temporary_prefix(&long(n)).unwrap());
    assert!(prefixes[0] != prefixes[1] && prefixes.iter().all(|prefix| prefix.len() < 40), "{prefixes:?}");
    let others = [".b.ply.aB3xY9zQ.naka-part", ".a.ply.old.aB3xY9zQ.naka-part", ".a.ply.mine"];
    others.iter().for_each(|name| fs::write(dir.path().join(name), "half").unwrap());
    fs::write(dir.path().join(".a.ply.aB3xY9zQ.naka-part"), "half").unwrap();
    let path = dir.path().join("a.ply");
    write(&path, |out| {
        remove_leftovers_of(&path);
        out.write_all(b"whole").map_err(Error::io(&path))
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert!(others.iter().all(|name| dir.path().join(name).exists()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), others.len() + 1);
}

/// Nor is one that another program is writing, where it can be locked meanwhile.
#[cfg(unix)]
#[test]
fn what_another_program_writes_is_no_leftover() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.mp4");
    write_by(&path, |temporary| {
        fs::write(temporary, "half").map_err(Error::io(&path))?;
        remove_leftovers(dir.path());
        let mut file = File::options().append(true).open(temporary).map_err(Error::io(&path))?;
        file.write_all(b" and half").map_err(Error::io(&path))
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"half and half");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn names_may_be_as_long_as_the_file_system_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("夜".repeat(84));
    write_bytes(&path, b"x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
}
