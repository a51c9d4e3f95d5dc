//! Every backend beside numpy, in turns on the same machine, as a table in Markdown.
//!
//! ```text
//! cargo bench -p ntk-linalg --features openblas --bench against_numpy
//! cargo bench -p ntk-linalg --features openblas --bench against_numpy -- 500 1000
//! ```
//!
//! Arguments are the orders to measure (default 500 1000 2000 4000). The Python
//! that has numpy is `python3`, or what the variable `PYTHON` names.
#![allow(clippy::print_stdout)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ntk_linalg::{Backend, Real};

/// Between two measurements: BLAS threads spin for a while after a call, and would steal from the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Seconds to spend on an operation on one backend at one order, at least [`ROUNDS`] rounds.
const SECONDS: f64 = 6.0;
const ROUNDS: usize = 3;

/// numpy, in a process of its own.
struct Numpy {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Numpy {
    fn start() -> Self {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/numpy_linalg.py");
        let mut process = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("no Python: name one with numpy in the variable PYTHON");
        Self {
            requests: process.stdin.take().expect("piped above"),
            answers: BufReader::new(process.stdout.take().expect("piped above")),
            process,
        }
    }

    /// The end of its input ends it.
    fn stop(mut self) {
        drop(self.requests);
        self.process
            .wait()
            .expect("numpy's process is a child of this one");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("numpy's process ended; does PYTHON have numpy?");
        line.trim().to_owned()
    }

    fn seconds(&mut self, operation: &str, n: usize, precision: &str) -> f64 {
        writeln!(self.requests, "{operation} {n} {precision}").expect("numpy's process ended");
        self.answer().parse().expect("numpy answers with seconds")
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn measure<T: Real>(numpy: &mut Numpy, n: usize) {
    let a = common::matrix::<T>(n);
    for (name, work) in common::operations::<T>() {
        let mut of_numpy = Vec::new();
        let mut ours = vec![Vec::new(); Backend::available().len()];
        numpy.seconds(name, n, T::NAME); // wakes its threads
        let begun = Instant::now();
        while of_numpy.len() < ROUNDS || begun.elapsed().as_secs_f64() < SECONDS {
            sleep(PAUSE);
            of_numpy.push(numpy.seconds(name, n, T::NAME));
            for (&backend, seconds) in Backend::available().iter().zip(&mut ours) {
                sleep(PAUSE);
                let start = Instant::now();
                work(backend, &a);
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        let rounds = of_numpy.len();
        print!(
            "| {name} | {} | {n} | {rounds} | {:.4} |",
            T::NAME,
            median(of_numpy.clone())
        );
        for seconds in ours {
            // Round by round, so that the machine's ups and downs cancel.
            let ratios = seconds
                .iter()
                .zip(&of_numpy)
                .map(|(ours, numpy)| ours / numpy);
            let ratio = median(ratios.collect());
            print!(" {:.4} | {ratio:.2} |", median(seconds));
        }
        println!();
    }
}

fn main() {
    let mut sizes: Vec<usize> = std::env::args()
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = vec![500, 1000, 2000, 4000];
    }
    let mut numpy = Numpy::start();
    println!(
        "{} threads against {}; medians in seconds, and of the ratios to numpy in each round\n",
        rayon::current_num_threads(),
        numpy.answer()
    );
    print!("| operation | precision | n | rounds | numpy |");
    for backend in Backend::available() {
        print!(" {} | ratio |", backend.name());
    }
    println!(
        "\n|---|---|--:|--:|--:|{}",
        "--:|--:|".repeat(Backend::available().len())
    );
    for &n in &sizes {
        measure::<f64>(&mut numpy, n);
        if n == 2000 {
            measure::<f32>(&mut numpy, n);
        }
    }
    numpy.stop();
}
