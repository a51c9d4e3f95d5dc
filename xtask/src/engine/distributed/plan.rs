//! `--dry-run`: what the job needs, of machines like this one.

use super::model::{Job, Memory, Part, Rates};
use crate::Failure;
use crate::cli::{Common, Distributed};
use crate::engine::files;
use crate::engine::large::plan::{PRODUCTS, seconds_per_entry};
use crate::engine::large::problems::{CLASSES, Loaded};
use crate::engine::progress::duration;
use crate::engine::space::size;
use ndarray::{Array1, Array2};
use ntk_linalg::{LinalgError, matmul};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::time::Instant;

/// Of a usual network of a cluster: bytes in a second, and seconds of an empty message.
const LINK: f64 = 10e9;
const LATENCY: f64 = 2e-6;

/// The job of these flags on `ranks`, of (training, test) images, be there so many or not.
pub(super) fn job(loaded: &Loaded, args: &Distributed, (n, m): (u64, u64), ranks: u32) -> Job {
    Job {
        n,
        m,
        d: (loaded.train.images.len() / loaded.train.len().max(1)) as u64,
        outputs: CLASSES as u64,
        ranks: ranks.into(),
        block: args.block.into(),
        solver: args.of.solver,
        rank: args.of.rank as u64,
        products: PRODUCTS,
        spectrum: args.spectrum,
        store: args.of.store.is_some(),
    }
}

/// Tells the job's plan.
pub(super) fn show(common: &Common, loaded: &Loaded, job: &Job) -> Result<(), Failure> {
    if let Some(refusal) = job.refusal() {
        return Err(refusal.into());
    }
    let rates = measured(loaded)?;
    let (parts, memory) = (job.parts(&rates), job.memory());
    let name = loaded.problem.name;
    let threads = rayon::current_num_threads();
    let line = format!(
        "{name}: {} training and {} test images of {} pixels on {} ranks of {threads} threads, in a \
         grid of {:?}",
        job.n,
        job.m,
        job.d,
        job.ranks,
        job.grid()
    );
    let answer = json!({
        "what": line,
        "grid": job.grid(),
        "memory_bytes": {
            "matrix": memory.matrix,
            "copies": memory.copies,
            "samples": memory.samples,
            "preconditioner": memory.preconditioner,
            "vectors": memory.vectors,
            "root": memory.root,
            "total": memory.total(),
        },
        "rates": {
            "entries_per_second": 1.0 / rates.entry,
            "operations_per_second": 1.0 / rates.operation,
            "entries_per_second_of_a_vector": 1.0 / rates.vector,
            "entries_per_second_of_all_outputs": 1.0 / rates.vectors,
            "bytes_per_second": rates.link,
            "seconds_per_message": rates.latency,
        },
        "products": job.products,
        "parts": parts.iter().map(part).collect::<Vec<_>>(),
        "expected_seconds": parts.iter().map(|part| part.seconds).sum::<f64>(),
    });
    files::show(common, &answer, &text(&line, &rates, &memory, &parts)?)
}

fn part(part: &Part) -> Json {
    json!({
        "name": part.name,
        "operations": part.operations,
        "bytes": part.bytes,
        "messages": part.messages,
        "seconds": part.seconds,
    })
}

fn text(line: &str, rates: &Rates, memory: &Memory, parts: &[Part]) -> Result<String, Failure> {
    let mut text = line.to_string();
    write!(
        text,
        "\n  a rank as measured here: {:.3e} entries and {:.3e} operations a second; links as \
         assumed: {:.0e} bytes a second, {:.0e} s a message",
        1.0 / rates.entry,
        1.0 / rates.operation,
        rates.link,
        rates.latency
    )?;
    write!(
        text,
        "\n  memory of the largest rank: {} = matrix {} x {}, samples {}, preconditioner {}, \
         vectors {}, rank 0 besides {}",
        size(memory.total()),
        size(memory.matrix),
        memory.copies,
        size(memory.samples),
        size(memory.preconditioner),
        size(memory.vectors),
        size(memory.root)
    )?;
    write!(
        text,
        "\n  {:<16} {:>12} {:>12} {:>12} {:>12}",
        "part", "operations", "bytes", "messages", "time"
    )?;
    for part in parts {
        let Part {
            name,
            operations,
            bytes,
            messages,
            seconds,
        } = part;
        let time = match *seconds < 10.0 {
            true => format!("{seconds:.2} s"),
            false => duration(*seconds),
        };
        write!(
            text,
            "\n  {name:<16} {operations:>12.2e} {bytes:>12.2e} {messages:>12.2e} {time:>12}"
        )?;
    }
    let all: f64 = parts.iter().map(|part| part.seconds).sum();
    let threads = rayon::current_num_threads();
    write!(
        text,
        "\n  in all about {}, where each rank has {threads} cores of its own",
        duration(all)
    )?;
    Ok(text)
}

/// Of this machine at this moment, on all threads.
fn measured(loaded: &Loaded) -> Result<Rates, Failure> {
    Ok(Rates {
        entry: seconds_per_entry::<f64>(loaded)?,
        operation: seconds_per_operation()?,
        vector: seconds_per_read(),
        vectors: seconds_per_product()?,
        link: LINK,
        latency: LATENCY,
    })
}

/// Of a product of square matrices.
fn seconds_per_operation() -> Result<f64, LinalgError> {
    const SIDE: usize = 2048;
    let a = Array2::<f64>::ones((SIDE, SIDE));
    matmul(a.view(), a.t())?;
    let begun = Instant::now();
    matmul(a.view(), a.t())?;
    Ok(begun.elapsed().as_secs_f64() / (2 * SIDE * SIDE * SIDE) as f64)
}

/// A strip below the diagonal as a rank has it: more than caches hold.
fn strip() -> Array2<f64> {
    Array2::ones((128, 1 << 18)).reversed_axes()
}

/// Of a product of a strip with one vector, for each of its entries: of a symmetric matrix each is
/// read once, and memory is what it waits for.
fn seconds_per_read() -> f64 {
    let strip = strip();
    let vector = Array1::ones(strip.nrows());
    let begun = Instant::now();
    std::hint::black_box(strip.t().dot(&vector));
    begun.elapsed().as_secs_f64() / strip.len() as f64
}

/// Of products of a strip with as many vectors as there are outputs, as it is and mirrored, for
/// each of its entries.
fn seconds_per_product() -> Result<f64, LinalgError> {
    let strip = strip();
    let (left, right) = (
        Array2::ones((strip.nrows(), CLASSES)),
        Array2::ones((strip.ncols(), CLASSES)),
    );
    let begun = Instant::now();
    matmul(strip.view(), right.view())?;
    matmul(strip.t(), left.view())?;
    Ok(begun.elapsed().as_secs_f64() / strip.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SolverName;

    /// One core as the page says that it was measured.
    const CORE: Rates = Rates {
        entry: 1.0 / 15.9e6,
        operation: 1.0 / 36.6e9,
        vector: 1.0 / 1.43e9,
        vectors: 1.0 / 238e6,
        link: LINK,
        latency: LATENCY,
    };

    fn job(n: u64, m: u64, ranks: u64, products: f64) -> Job {
        Job {
            n,
            m,
            d: 784,
            outputs: 10,
            ranks,
            block: 128,
            solver: SolverName::Both,
            rank: 500,
            products,
            spectrum: true,
            store: false,
        }
    }

    /// The cells of the page's row of this name, in the section of this title.
    fn row(section: &str, name: &str) -> Vec<String> {
        let page = crate::launch::workspace_root().join("docs/distributed.md");
        let page = std::fs::read_to_string(page).unwrap();
        let section = page
            .split("\n## ")
            .find(|s| s.starts_with(section))
            .unwrap();
        let line = section
            .lines()
            .find(|l| l.starts_with(&format!("| {name} |")));
        let cells = line.unwrap_or_else(|| panic!("no row {name}")).split('|');
        cells.map(|cell| cell.trim().to_string()).collect()
    }

    #[test]
    fn the_page_says_what_the_model_does() {
        for (column, ranks) in [(2, 1), (4, 2), (6, 4)] {
            for part in job(4000, 2000, ranks, 80.0).parts(&CORE) {
                let cells = row("The model beside", part.name);
                assert_eq!(cells[column], format!("{:.2}", part.seconds), "{part:?}");
            }
        }
        let million = job(1_000_000, 10_000, 1024, PRODUCTS);
        for part in million.parts(&CORE) {
            let cells = row("A million", part.name);
            let bytes = format!("{:.1e}", part.bytes);
            let expected = [
                bytes,
                format!("{:.1e}", part.messages),
                duration(part.seconds),
            ];
            assert_eq!(cells[3..6], expected, "{part:?}");
            assert_eq!(cells[2], format!("{:.1e}", part.operations));
        }
        let memory = million.memory();
        for (name, bytes) in [
            ("matrix", memory.matrix),
            ("matrix, with the spectrum", memory.matrix * memory.copies),
            ("samples", memory.samples),
            ("the preconditioner", memory.preconditioner),
            ("vectors and blocks", memory.vectors),
            ("rank 0 besides", memory.root),
            ("all", memory.total()),
        ] {
            assert_eq!(row("A million", name)[2], size(bytes), "{name}");
        }
    }
}
