//! Records appended to a file, one line of JSON each.
//!
//! A record is on disk, whole, when [`RecordFile::append`] returns. A program that is killed
//! loses at most the line being written: the next [`RecordFile::open`] cuts off what follows the
//! last line break, and [`read`] leaves it out.

use crate::error::DataError;
use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How far back a line break is looked for at once.
const CHUNK: u64 = 1 << 16;

/// A file of records, open to append to; no other process can open it meanwhile.
#[derive(Debug)]
pub struct RecordFile {
    file: File,
    path: PathBuf,
    /// Up to the last line break.
    len: u64,
}

impl RecordFile {
    /// Opens `path`, or creates it, and cuts off an unfinished last line. The folder must exist.
    ///
    /// # Errors
    /// [`DataError::Io`]: the file cannot be opened, read or cut, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(DataError::io("open", path))?;
        let locked = file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                "another training records to it; name another file",
            ),
        });
        locked.map_err(DataError::io("lock", path))?;
        let len = finished(&mut file).map_err(DataError::io("read", path))?;
        file.set_len(len).map_err(DataError::io("cut", path))?;
        let end = file.seek(SeekFrom::End(0));
        end.map_err(DataError::io("read", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            len,
        })
    }

    /// Appends one line, given without its end, by one write, and waits until it is on disk.
    ///
    /// # Errors
    /// [`DataError::Io`]: the line holds a line break, or cannot be written; the file is then as
    /// before.
    pub fn append(&mut self, line: &str) -> Result<(), DataError> {
        let append = DataError::io("append to", &self.path);
        if line.contains('\n') {
            let message = "a record holds a line break; write it as one line";
            return Err(append(io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        let whole = format!("{line}\n");
        let written = self.file.write_all(whole.as_bytes());
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.len += whole.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails too, the next opening cuts.
                let _ = self.file.set_len(self.len);
                let _ = self.file.seek(SeekFrom::Start(self.len));
                Err(append(error))
            }
        }
    }
}

/// The records of a file, in their order; an unfinished last line is left out.
///
/// # Errors
/// [`DataError::Io`] where it cannot be read, [`DataError::Record`] where a line is not JSON.
pub fn read(path: &Path) -> Result<Vec<Value>, DataError> {
    let mut text = Vec::new();
    let mut file = File::open(path).map_err(DataError::io("open", path))?;
    file.read_to_end(&mut text)
        .map_err(DataError::io("read", path))?;
    let end = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    let lines = text[..end].split(|&byte| byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|source| DataError::Record {
                path: path.to_owned(),
                line: number + 1,
                source,
            })
        })
        .collect()
}

/// The length up to the last line break and with it.
fn finished(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        Read::by_ref(file)
            .take(end - start)
            .read_to_end(&mut chunk)?;
        if let Some(place) = chunk.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    #[test]
    fn records_are_lines_and_reopening_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut records = RecordFile::open(&path).unwrap();
        records.append(r#"{"epoch":0}"#).unwrap();
        // On disk before the file is closed.
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"epoch\":0}\n");
        drop(records);
        let mut records = RecordFile::open(&path).unwrap();
        records.append(r#"{"epoch":1,"loss":null}"#).unwrap();
        assert_eq!(
            read(&path).unwrap(),
            [json!({"epoch": 0}), json!({"epoch": 1, "loss": null})]
        );
    }

    #[test]
    fn an_unfinished_line_is_left_out_and_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        // Whole lines and rests shorter and longer than what is read at once.
        for (whole, rest) in [
            (3, 0),
            (3, 1),
            (3, 70_000),
            (70_000, 200_000),
            (65_536, 65_535),
        ] {
            let line = format!("\"{}\"\n", "a".repeat(whole));
            let text = format!("{line}{line}");
            fs::write(&path, format!("{text}{}", "{".repeat(rest))).unwrap();
            assert_eq!(read(&path).unwrap().len(), 2);
            let mut records = RecordFile::open(&path).unwrap();
            records.append("1").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}1\n"));
        }
        for text in ["", "{\"epoch\":"] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).unwrap().is_empty());
            RecordFile::open(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "");
        }
    }

    #[test]
    fn errors_name_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut records = RecordFile::open(&path).unwrap();
        records.append("{}").unwrap();
        let error = records.append("{}\n{}").unwrap_err().to_string();
        assert!(
            error.contains("records.jsonl") && error.contains("line break"),
            "{error}"
        );
        let error = RecordFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("another training"), "{error}");
        records.append("{]").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2 of ") && error.contains("records.jsonl"),
            "{error}"
        );
        let missing = folder.path().join("missing/records.jsonl");
        assert!(matches!(
            RecordFile::open(&missing),
            Err(DataError::Io { action: "open", .. })
        ));
        assert!(matches!(
            read(&missing),
            Err(DataError::Io { action: "open", .. })
        ));
    }
}
