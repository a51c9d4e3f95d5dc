//! `--dry-run`: the memory that the job needs.

use super::model::Job;
use crate::Failure;
use crate::cli::{Common, Distributed};
use crate::commands::large::problems::CLASSES;
use crate::files;
use crate::space::size;
use ntk_data::DataSet;
use serde_json::json;

/// The job of these flags on `ranks`, of as many images as asked for, be there so many or not.
pub(crate) fn job(set: &DataSet, args: &Distributed, ranks: u32) -> Job {
    let count = |asked: Option<u32>, there: usize| asked.map_or(there as u64, u64::from);
    let (train, test) = (&set.train, &set.test);
    Job {
        n: count(args.of.train.first().copied(), train.len()),
        m: count(args.of.test, test.len()),
        d: (train.images.len() / train.len().max(1)) as u64,
        outputs: CLASSES as u64,
        ranks: ranks.into(),
        block: args.block.into(),
        solver: args.of.solver,
        rank: args.of.rank as u64,
        spectrum: args.spectrum,
        store: args.of.store.is_some(),
    }
}

/// Tells the job's plan.
pub(crate) fn show(common: &Common, problem: &str, job: &Job) -> Result<(), Failure> {
    if let Some(refusal) = job.refusal() {
        return Err(refusal.into());
    }
    let memory = job.memory();
    let line = format!(
        "{problem}: {} training and {} test images of {} pixels on {} ranks, in a grid of {:?}",
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
    });
    let text = format!(
        "{line}\n  memory of the largest rank: {} = matrix {} x {}, samples {}, preconditioner {}, \
         vectors {}, rank 0 besides {}",
        size(memory.total()),
        size(memory.matrix),
        memory.copies,
        size(memory.samples),
        size(memory.preconditioner),
        size(memory.vectors),
        size(memory.root)
    );
    files::show(common, &answer, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SolverName;
    use std::path::Path;

    /// The cells of the page's row of this name, in the section of this title.
    fn row(section: &str, name: &str) -> Vec<String> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/distributed.md");
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
        let million = Job {
            n: 1_000_000,
            m: 10_000,
            d: 784,
            outputs: 10,
            ranks: 1024,
            block: 128,
            solver: SolverName::Both,
            rank: 500,
            spectrum: true,
            store: false,
        };
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
