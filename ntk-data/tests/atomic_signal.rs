//! Ending in the middle of a write. A process of its own: it removes every
//! unfinished file there is.

use std::fs;
use std::io::{self, Write};
use std::sync::mpsc;

#[test]
fn files_in_flight_are_removed_and_their_writer_waits() {
    let folder = tempfile::tempdir().unwrap();
    let count = || fs::read_dir(folder.path()).unwrap().count();
    let path = folder.path().join("a");
    let (begun, begin) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            ntk_data::atomic::write_with(&path, |file| {
                file.write_all(b"half")?;
                begun.send(()).map_err(io::Error::other)?;
                wait.recv().map_err(io::Error::other)
            })
        });
        begin.recv().unwrap();
        assert_eq!(count(), 1);
        let held = ntk_data::atomic::remove_unfinished();
        assert_eq!(count(), 0);
        go.send(()).unwrap();
        drop(held);
        assert!(writer.join().unwrap().is_err());
    });
    assert_eq!(count(), 0);
}
