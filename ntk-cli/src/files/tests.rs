//! Tests of the writing of files.

use super::*;
use crate::cli::Named;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_and_one_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    check_writable(&path, "--out").unwrap();
    assert!(names(folder.path()).is_empty());
    write(&path, b"one").unwrap();
    write(&path, b"two").unwrap();
    begin(&path).unwrap().write_all(b"half").unwrap();
    check_writable(&path, "--out").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(names(folder.path()), ["results.json"]);
    assert!(write(&folder.path().join("none/a"), b"").is_err());
    assert!(write(Path::new("/"), b"").is_err());
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("private");
    for mode in [0o600, 0o640, 0o444] {
        let _ = fs::remove_file(&path);
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        write(&path, b"new").unwrap();
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
    }
    let output = [Named {
        flag: "--out",
        path: &path,
    }];
    let files = Files {
        inputs: Vec::new(),
        outputs: output.to_vec(),
        is_json: false,
    };
    let refusal = check(&files, false).unwrap_err().to_string();
    assert!(
        refusal.contains("private") && refusal.contains("--force"),
        "{refusal}"
    );
    check(&files, true).unwrap();
}

/// By every name that a file can have.
#[cfg(unix)]
#[test]
fn an_output_is_no_input_and_no_other_output() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("x"), "samples").unwrap();
    fs::create_dir(at("sub")).unwrap();
    std::os::unix::fs::symlink("x", at("link")).unwrap();
    std::os::unix::fs::symlink("new", at("loose")).unwrap();
    std::os::unix::fs::symlink("sub", at("folder")).unwrap();
    fs::hard_link(at("x"), at("hard")).unwrap();
    let refused = |input: &str, outputs: [&str; 2]| {
        let [input, out, weights] = [input, outputs[0], outputs[1]].map(at);
        let named = |flag, path| Named { flag, path };
        let files = Files {
            inputs: vec![named("--x1", &input)],
            outputs: vec![named("--out", &out), named("--save-weights", &weights)],
            is_json: false,
        };
        check(&files, false).err().map(|e| e.to_string())
    };
    for same in ["x", "sub/../x", "link", "hard", "./x"] {
        for (input, outputs) in [("x", [same, "w"]), (same, ["x", "w"]), ("x", ["w", same])] {
            let refusal = refused(input, outputs).unwrap();
            assert!(refusal.contains("is the file of --x1"), "{refusal}");
        }
    }
    for [out, weights] in [
        ["k", "k"],
        ["k", "sub/../k"],
        ["sub/k", "folder/k"],
        ["loose", "new"],
        ["new", "loose"],
    ] {
        let refusal = refused("x", [out, weights]).unwrap();
        assert!(
            refusal.contains("--out and --save-weights both"),
            "{refusal}"
        );
    }
    assert_eq!(refused("x", ["k", "sub/k"]), None);
    assert_eq!(refused("none", ["k", "w"]), None);
    assert_eq!(fs::read(at("x")).unwrap(), b"samples");
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_its_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "old").unwrap();
    let mode = || fs::metadata(at("file")).unwrap().permissions();
    let before = mode();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("none", at("loose")).unwrap();
    write(&at("link"), b"new").unwrap();
    assert_eq!(fs::read(at("file")).unwrap(), b"new");
    assert_eq!(mode(), before);
    assert_eq!(names(folder.path()), ["file", "link", "loose"]);
    assert!(at("link").is_symlink());
    // Of a link to a file that is not there, as a shell does.
    check_writable(&at("loose"), "--out").unwrap();
    write(&at("loose"), b"new").unwrap();
    assert!(at("loose").is_symlink());
    assert_eq!(fs::read(at("none")).unwrap(), b"new");
    std::os::unix::fs::symlink("circle", at("circle")).unwrap();
    assert!(write(&at("circle"), b"").is_err());
    assert!(check_writable(&at("circle"), "--out").is_err());
}

/// A socket, as a test that fails must not cost the machine its `/dev/null`.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let refusal = check_writable(&path, "--out").unwrap_err().to_string();
    assert!(
        refusal.ends_with("is a socket, not a file; name a file by --out"),
        "{refusal}"
    );
    for path in [path.as_path(), folder.path()] {
        let error = write(path, b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(names(folder.path()), ["socket"]);
    assert_eq!(other_than_file(Path::new("/dev/null")), Some("device"));
}

#[test]
fn an_input_is_a_file_that_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, "samples").unwrap();
    assert_eq!(read(&path, "").unwrap(), b"samples");
    let refusal = |path: &Path| read(path, "give another").unwrap_err().to_string();
    assert!(refusal(folder.path()).ends_with("it is a folder, not a file; give another"));
    assert!(refusal(Path::new("-")).contains("/dev/stdin"));
    if cfg!(unix) {
        assert!(refusal(Path::new("/dev/zero")).contains("is a device"));
    }
    // It grows for as long as it is read, and so is not what it was.
    let growing = folder.path().join("growing");
    fs::write(&growing, vec![0; 1 << 24]).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&growing).unwrap();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(&[1]).unwrap();
            }
        });
        // The writer may be asleep for the whole of a reading.
        let found = (0..1000).find_map(|_| read(&growing, "").err());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let refusal = found.map(|refusal| refusal.to_string());
        let told = |refusal: &String| refusal.contains("was changed while it was read");
        assert!(refusal.as_ref().is_some_and(told), "{refusal:?}");
    });
}
