//! The peer's process: one request a line, one answer a line.

use super::case::PeerProgram;
use crate::Failure;
use crate::launch::workspace_root;
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The time to load its libraries in, on a slow disk for the first time.
const START: Duration = Duration::from_secs(180);
/// The time for a process to end whose input has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the peer's process says that has run out of memory, and what its libraries do.
const OUT_OF_MEMORY: [&str; 5] = [
    "out of memory",
    "Out of memory",
    "bad_alloc",
    "RESOURCE_EXHAUSTED",
    "MemoryError",
];

/// A peer that can be asked, and is started again where it ended.
pub(super) struct Peer {
    program: PeerProgram,
    python: PathBuf,
    threads: usize,
    memory: u64,
    errors: PathBuf,
    versions: Map<String, Json>,
    worker: Option<Worker>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PeerAnswer {
    /// Seconds, and the entries asked for.
    Ran { seconds: f64, values: Vec<f64> },
    /// It asked for more than it was given.
    OutOfMemory,
    /// It took longer than this.
    TooLong(Duration),
    /// It said something else, or ended.
    Failed(String),
}

struct Worker {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Peer {
    /// Starts the peer. What it writes to standard error is kept in `folder`.
    pub(super) fn start(
        program: PeerProgram,
        python: &Path,
        threads: usize,
        memory: u64,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mut peer = Self {
            program,
            python: python.to_path_buf(),
            threads,
            memory,
            errors: folder.join("peer-errors.txt"),
            versions: Map::new(),
            worker: None,
        };
        peer.begin()?;
        Ok(peer)
    }

    /// Returns the versions of the peer and of what it stands on, by name.
    pub(super) fn versions(&self) -> &Map<String, Json> {
        &self.versions
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let python = self.python.display();
        let mut process = Command::new(&self.python)
            .arg(workspace_root().join(self.program.script))
            .args(["--threads", &self.threads.to_string()])
            .args(["--memory", &self.memory.to_string()])
            // Else it would leave compiled modules beside its program.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&self.errors)?)
            .spawn()
            .map_err(|e| format!("cannot start {python}: {e}; give another by --python"))?;
        let requests = process.stdin.take();
        let output = process.stdout.take().ok_or("the peer has no output")?;
        let (sender, answers) = channel();
        // Ends with the process, whose output it reads.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let worker = Worker {
            process,
            requests,
            answers,
        };
        let greeting = worker.answers.recv_timeout(START).ok();
        let versions = greeting.and_then(|line| serde_json::from_str(&line).ok());
        let Some(versions) = versions else {
            drop(worker);
            return Err(format!(
                "{python} cannot run {}: {}; leave --python out to have an environment made, or \
                 install {} into it",
                self.program.script,
                self.last_error(),
                self.program.requirements
            )
            .into());
        };
        self.versions = versions;
        self.worker = Some(worker);
        Ok(())
    }

    /// Asks, and waits for the answer this long.
    pub(super) fn ask(&mut self, request: &Json, limit: Duration) -> Result<PeerAnswer, Failure> {
        if self.worker.is_none() {
            self.begin()?;
        }
        let Some(worker) = &mut self.worker else {
            return Err("the peer did not start".into());
        };
        if let Some(requests) = &mut worker.requests {
            // Where it fails the process has ended, which the answer tells.
            let _ = writeln!(requests, "{request}").and_then(|()| requests.flush());
        }
        let mut answered = false;
        let answer = match worker.answers.recv_timeout(limit) {
            Ok(line) => {
                answered = true;
                read(&line)
            }
            Err(RecvTimeoutError::Timeout) => PeerAnswer::TooLong(limit),
            Err(RecvTimeoutError::Disconnected) => {
                let killed = worker.process.wait().is_ok_and(|status| by_kill(&status));
                let said = self.last_error();
                if killed || OUT_OF_MEMORY.iter().any(|sign| said.contains(sign)) {
                    PeerAnswer::OutOfMemory
                } else {
                    PeerAnswer::Failed(format!("it ended: {said}"))
                }
            }
        };
        if !answered || answer == PeerAnswer::OutOfMemory {
            // What is left of it may hold memory; the next request gets a new one.
            self.worker = None;
        }
        Ok(answer)
    }

    fn last_error(&self) -> String {
        let text = std::fs::read(&self.errors).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .rfind(|line| !line.trim().is_empty())
            .map_or_else(|| "it said nothing".into(), |line| line.trim().to_string())
    }
}

fn read(line: &str) -> PeerAnswer {
    let json: Json = serde_json::from_str(line).unwrap_or_default();
    if let Some(error) = json["error"].as_str() {
        return if OUT_OF_MEMORY.contains(&error) {
            PeerAnswer::OutOfMemory
        } else {
            PeerAnswer::Failed(error.lines().next().unwrap_or_default().to_string())
        };
    }
    match (json["seconds"].as_f64(), json["values"].as_array()) {
        (Some(seconds), Some(values)) => PeerAnswer::Ran {
            seconds,
            // JSON has no NaN; what is no number must not look like agreement.
            values: values
                .iter()
                .map(|v| v.as_f64().unwrap_or(f64::NAN))
                .collect(),
        },
        _ => PeerAnswer::Failed(format!("it answered {line}")),
    }
}

/// Says whether the system ended it at once, as it does where memory is short.
#[cfg(unix)]
fn by_kill(status: &std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(libc::SIGKILL)
}

#[cfg(not(unix))]
fn by_kill(_: &std::process::ExitStatus) -> bool {
    false
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input ends an idle one; one that computes is not waited for.
        self.requests = None;
        let _ = self.answers.recv_timeout(FAREWELL);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A peer in shell: `sh` in place of Python runs this program.
    fn peer(folder: &Path, script: &str) -> Result<Peer, Failure> {
        let path = folder.join("peer.sh");
        std::fs::write(&path, script).unwrap();
        let program = PeerProgram {
            name: "test",
            // An absolute path replaces the root it is joined to.
            script: Box::leak(path.to_str().unwrap().to_string().into_boxed_str()),
            requirements: "requirements.txt",
        };
        Peer::start(program, Path::new("/bin/sh"), 2, 0, folder)
    }

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn answers_errors_ends_and_silence() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"
            echo '{"test": "1.0"}'
            while read line; do case $line in
                *good*) echo '{"seconds": 0.5, "values": [1, null]}';;
                *full*) echo '{"error": "out of memory"}';;
                *wrong*) echo '{"error": "ValueError: no"}';;
                *abort*) echo 'std::bad_alloc' >&2; exit 1;;
                *exit*) echo 'the reason' >&2; exit 1;;
                *kill*) kill -9 $$;;
                *sleep*) exec sleep 30;;
            esac; done
        "#;
        let mut peer = peer(folder.path(), script).unwrap();
        assert_eq!(peer.versions()["test"], "1.0");
        let mut ask = |what: &str, limit| peer.ask(&json!({"case": what}), limit).unwrap();
        for _ in 0..2 {
            let PeerAnswer::Ran { seconds, values } = ask("good", LONG) else {
                panic!("it did not run");
            };
            assert_eq!((seconds, values[0], values[1].is_nan()), (0.5, 1.0, true));
            assert_eq!(ask("full", LONG), PeerAnswer::OutOfMemory);
            assert_eq!(ask("abort", LONG), PeerAnswer::OutOfMemory);
            assert_eq!(ask("kill", LONG), PeerAnswer::OutOfMemory);
            assert_eq!(
                ask("wrong", LONG),
                PeerAnswer::Failed("ValueError: no".into())
            );
            assert_eq!(
                ask("exit", LONG),
                PeerAnswer::Failed("it ended: the reason".into())
            );
            assert_eq!(ask("sleep", SHORT), PeerAnswer::TooLong(SHORT));
        }
    }

    #[test]
    fn one_that_cannot_start_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo 'ModuleNotFoundError: No module named jax' >&2; exit 1";
        let Err(error) = peer(folder.path(), script) else {
            panic!("it started");
        };
        let error = error.to_string();
        for word in [
            "/bin/sh",
            "No module named jax",
            "requirements.txt",
            "--python",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }
}
