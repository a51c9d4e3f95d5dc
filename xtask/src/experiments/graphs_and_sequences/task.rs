//! The two tasks: samples with the masks and graphs that belong to them.

use super::Failure;
use ndarray::{Array1, Array2, ArrayD, Axis};
use ntk_data::{synthetic, targets};
use ntk_kernels::metrics::accuracy;
use ntk_kernels::network::Shape;
use ntk_kernels::{Graphs, Structure};
use ntk_train::{Inputs, Scalar};
use serde_json::{Value as Json, json};
use std::ops::{Range, RangeInclusive};

const NODES: RangeInclusive<usize> = 20..=40;
/// The number of features of a node.
const FEATURES: usize = 32;
const LENGTHS: RangeInclusive<usize> = 6..=16;
/// The number of tokens, padding's included.
pub(super) const VOCABULARY: usize = 12;

/// Samples as networks and kernels take them.
pub(super) struct Samples<T> {
    pub(super) x: ArrayD<T>,
    pub(super) structure: Structure,
    /// One-hot targets, (n, classes).
    pub(super) y: Array2<T>,
}

impl<T: Scalar> Samples<T> {
    /// Takes some of them, one after another.
    pub(super) fn range(&self, range: Range<usize>) -> Self {
        let positions: Vec<usize> = range.collect();
        Self {
            x: self.x.select(Axis(0), &positions),
            structure: self
                .structure
                .select(&positions)
                .expect("samples that exist"),
            y: self.y.select(Axis(0), &positions),
        }
    }

    /// Returns the same with rounded numbers.
    pub(super) fn cast<U: Scalar>(&self) -> Samples<U> {
        let of = |&v: &T| U::of(ntk_linalg::Real::to_f64(v));
        Samples {
            x: self.x.map(of),
            structure: self.structure.clone(),
            y: self.y.map(of),
        }
    }

    /// Returns them as a network takes them.
    pub(super) fn inputs(&self) -> Inputs<'_, T> {
        Inputs::new(&self.x).structure(&self.structure)
    }

    /// Returns the share of samples at whose class the outputs are largest.
    pub(super) fn accuracy(&self, outputs: &Array2<T>) -> Result<f64, Failure> {
        Ok(accuracy(outputs, &self.y)?)
    }
}

/// A `Task` is to be learned from some samples and tested on others.
pub(super) struct Task {
    pub(super) train: Samples<f64>,
    pub(super) test: Samples<f64>,
    /// The shape of a sample.
    pub(super) shape: Shape,
}

impl Task {
    fn new(
        x: ArrayD<f64>,
        structure: Structure,
        labels: &Array1<u8>,
        classes: usize,
        train: usize,
    ) -> Result<Self, Failure> {
        let y: Array2<f64> = targets::one_hot(labels, classes)?;
        let n = x.len_of(Axis(0));
        // Token ids have no channels.
        let channels = x.shape().get(2).copied().unwrap_or(1);
        let shape = Shape::new([x.shape()[1]], channels);
        let all = Samples { x, structure, y };
        Ok(Self {
            train: all.range(0..train),
            test: all.range(train..n),
            shape,
        })
    }

    /// Draws graphs, whose class is the family.
    pub(super) fn graphs([train, test]: [usize; 2], seed: u64) -> Result<Self, Failure> {
        let all = synthetic::graphs::<f64>(train + test, NODES, FEATURES, seed)?;
        let structure = Structure::of_mask(&all.mask).graphs(Graphs::dense(&all.weights)?);
        let classes = synthetic::FAMILIES.len();
        Self::new(all.x.into_dyn(), structure, &all.labels, classes, train)
    }

    /// Draws sequences, whose class is which of two tokens comes first.
    pub(super) fn sequences([train, test]: [usize; 2], seed: u64) -> Result<Self, Failure> {
        let all = synthetic::first_of_two::<f64>(train + test, LENGTHS, VOCABULARY, seed)?;
        let structure = Structure::of_mask(&all.mask);
        Self::new(
            all.x.into_dyn(),
            structure,
            &all.labels,
            synthetic::TOKENS.len(),
            train,
        )
    }

    /// Returns the number of classes.
    pub(super) fn classes(&self) -> usize {
        self.train.y.ncols()
    }
}

pub(super) fn describe() -> Json {
    json!({
        "graphs": {
            "families": synthetic::FAMILIES,
            "nodes": [NODES.start(), NODES.end()],
            "features": format!("{FEATURES} standard normals"),
            "weights": "D^-1/2 (A + 1) D^-1/2",
        },
        "sequences": {
            "lengths": [LENGTHS.start(), LENGTHS.end()],
            "vocabulary": VOCABULARY,
            "class": format!("which of {:?} comes first", synthetic::TOKENS),
        },
        "targets": "one-hot; less 1/classes for kernels",
    })
}
