//! Counts the numbers that a block of pairs of samples needs on its way through a plan.

use super::plan::{Plan, Stage, Then};

/// Planes of a batch that exist at once for each layer that a path goes through: before and after.
const PLANES: u64 = 2;

impl Plan {
    /// Returns the most packs of one kernel that exist at once, with batches of so many planes.
    pub(super) fn packs(&self, batch: usize) -> u64 {
        self.from(0, batch)
    }

    fn from(&self, mut held: u64, batch: usize) -> u64 {
        let mut most = held;
        for stage in &self.stages {
            most = most.max(stage.packs(held, batch));
            held = count(stage.out.len());
        }
        most.max(held)
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl Stage {
    fn packs(&self, held: u64, batch: usize) -> u64 {
        let kept = count(self.kept.len());
        let positions = self.source.axes.map(|axis| count(axis.size));
        let plane = positions[0].saturating_mul(positions[1]);
        // What is summed has a second number to take what rounding loses.
        let sums = if self.sink.sums() { 2 } else { 1 };
        let planes = plane.saturating_mul(count(batch)).saturating_mul(PLANES);
        let filling = kept.saturating_mul(sums).saturating_add(planes);
        let out = count(self.out.len());
        let after = match &self.then {
            Then::Nothing | Then::Affine(_) => 0,
            Then::Pool(sums, _) => sums.as_ref().map_or(0, |sums| sums.packs(&self.out)),
            Then::Branch { paths, .. } => {
                let path = |path: &Plan| path.from(count(path.source().len()), batch);
                let most = paths.iter().map(path).max();
                most.unwrap_or(0).saturating_add(out)
            }
        };
        held.saturating_add(filling.max(kept.saturating_add(after)))
    }
}
