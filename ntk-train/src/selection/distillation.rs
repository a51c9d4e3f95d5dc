//! Random network distillation (Burda et al. 2018, arXiv:1810.12894, section 2.2) as data
//! selection (Tovey et al. 2023, arXiv:2305.00995).

use super::{Distance, SelectionError, check_size};
use crate::Loss;
use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use crate::optimizer::{Memories, Optimizer};
use ndarray::{ArrayRef, ArrayView2, ArrayViewD, Axis, Dimension, s};
use ntk_linalg::observer::Observer;

/// `Distillation` selects samples by what a predictor has not yet learned of a fixed random
/// target: the farther the predictor, trained on the samples chosen so far, is from the target on
/// a sample, the newer that sample is.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_train::selection::Distillation;
/// use ntk_train::{Init, Model};
///
/// let network = Network::new().then(dense().width(32)).then(relu()).then(dense().width(4));
/// let target = Model::new(&network, 2, Init::default(), 0)?;
/// let predictor = Model::new(&network, 2, Init::default(), 1)?;
/// // Two pairs of close samples.
/// let pool = array![[1.0, 0.0], [1.0, 0.001], [0.0, 1.0], [0.001, 1.0]];
/// let chosen = Distillation::new(target, predictor).select(&pool, 2)?;
/// assert_ne!(chosen.indices[0] / 2, chosen.indices[1] / 2); // one of each pair
/// # Ok::<(), ntk_train::Error>(())
/// ```
#[must_use]
pub struct Distillation<'a, T: Scalar> {
    target: Model<T>,
    predictor: Model<T>,
    distance: Distance,
    optimizer: Optimizer,
    loss: Loss,
    threshold: f64,
    max_epochs: usize,
    batch_size: usize,
    observer: &'a dyn Observer,
}

/// A `Selection` holds what [`Distillation::select`] chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The rows of the pool that were chosen, distinct, in the order of choice.
    pub indices: Vec<usize>,
    /// The distance for which each was chosen.
    pub distances: Vec<f64>,
    /// The loss after each choice, on all samples chosen so far, at the end of the training on
    /// them: above the threshold where the cap of epochs ended it.
    pub losses: Vec<f64>,
}

impl<'a, T: Scalar> Distillation<'a, T> {
    /// Prepares a selection by a `target`, which stays as it is, and a `predictor`, which learns
    /// the target's outputs on the chosen samples: two networks of the same outputs, drawn with
    /// different seeds.
    ///
    /// Unless set otherwise, outputs are compared by their Euclidean distance, and the predictor
    /// is trained by Adam at a rate of 0.01 on the mean squared error, all chosen samples in one
    /// batch, until that is at most 0.001 or for 100 epochs.
    pub fn new(target: Model<T>, predictor: Model<T>) -> Self {
        Self {
            target,
            predictor,
            distance: Distance::PNorm(2.0),
            optimizer: Optimizer::adam(0.01),
            loss: Loss::MeanSquare,
            threshold: 1e-3,
            max_epochs: 100,
            batch_size: usize::MAX,
            observer: &(),
        }
    }

    /// Sets how the distance of the predictor's outputs from the target's is measured.
    pub fn distance(mut self, distance: Distance) -> Self {
        self.distance = distance;
        self
    }

    /// Sets the steps by which the predictor is trained; not [`Optimizer::TraceSgd`].
    pub fn optimizer(mut self, optimizer: Optimizer) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Sets the loss that these steps minimise.
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Sets the loss on all chosen samples at which the predictor has learned them.
    pub fn threshold(mut self, loss: f64) -> Self {
        self.threshold = loss;
        self
    }

    /// Sets the largest number of passes over the chosen samples after each choice, whatever the
    /// loss.
    pub fn max_epochs(mut self, epochs: usize) -> Self {
        self.max_epochs = epochs;
        self
    }

    /// Sets the number of samples in a step, in the order of choice; a last smaller batch is
    /// kept, and 0 counts as 1.
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Sets the observer: it hears of each choice, and is asked before each epoch whether to
    /// stop.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Returns the predictor as it is now.
    pub fn predictor(&self) -> &Model<T> {
        &self.predictor
    }

    /// Chooses `size` samples of the pool `x` (n, ...), each the one of largest distance
    /// between target and predictor among those not chosen before; of equal ones the first.
    ///
    /// The first choice is by the untrained predictor, so the models' seeds decide it. After
    /// each choice the predictor is trained on all chosen samples until their loss is at or
    /// below the threshold, or for the cap of epochs; it keeps its parameters and the optimiser
    /// its memory from one choice to the next. Afterwards the predictor stays as trained, and
    /// another call starts from there, with the optimiser's memory empty. Dropout is switched
    /// off throughout.
    ///
    /// Cost: a forward pass of the target over the pool; for each choice a forward pass of the
    /// predictor over the pool, and up to the cap of gradients on the chosen samples, with a
    /// forward pass each where they are more than one batch.
    ///
    /// # Errors
    /// [`SelectionError`]: an empty or too small pool, samples that do not fit the models,
    /// models of different outputs, distances out of range or not finite, a predictor that
    /// diverges, an observer that cancels.
    pub fn select<D: Dimension>(
        &mut self,
        x: &ArrayRef<T, D>,
        size: usize,
    ) -> Result<Selection, SelectionError> {
        T::select(self, x.view().into_dyn(), size)
    }

    /// Trains the predictor on the chosen samples; returns the loss on all of them at the end.
    fn learn(
        &mut self,
        memories: &mut Memories<T>,
        inputs: ArrayViewD<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<f64, SelectionError> {
        let rows = self.predictor.rows(inputs.view().into())?;
        let n = y.nrows();
        let batch = self.batch_size.max(1);
        let mut epoch = 0;
        loop {
            self.observer.check().map_err(ModelError::from)?;
            // The gradient on a batch of all comes with the loss on all.
            let (predictor, by) = (&mut self.predictor, (self.optimizer, 0.0));
            let loss = if n <= batch {
                let gradient = &mut memories.gradient;
                predictor.gradient_into(rows.all(), y, self.loss, None, gradient)
            } else {
                let outputs = T::forward(predictor, inputs.view().into())?;
                let found = self.loss.with_gradient(&outputs, &y);
                found.expect("a target for every output").0
            };
            if !loss.is_finite() {
                return Err(SelectionError::Diverged {
                    chosen: n,
                    epoch,
                    loss,
                });
            }
            if loss <= self.threshold || epoch >= self.max_epochs {
                return Ok(loss);
            }
            if n <= batch {
                memories.step(by.0, by.1, predictor.numbers_mut());
            } else {
                for first in (0..n).step_by(batch) {
                    let end = n.min(first + batch);
                    let (part, y) = (rows.all().of(first..end), y.slice(s![first..end, ..]));
                    predictor.step(part, y, self.loss, None, by, memories);
                }
            }
            epoch += 1;
        }
    }
}

/// [`Distillation::select`].
pub(crate) fn select<T: Scalar>(
    run: &mut Distillation<'_, T>,
    x: ArrayViewD<'_, T>,
    size: usize,
) -> Result<Selection, SelectionError> {
    run.distance.check()?;
    if let Optimizer::TraceSgd { .. } = run.optimizer {
        return Err(SelectionError::Optimizer {
            found: run.optimizer,
        });
    }
    let [target, predictor] = [run.target.outputs(), run.predictor.outputs()];
    if target != predictor {
        return Err(SelectionError::Outputs { target, predictor });
    }
    let targets = T::forward(&run.target, x.view().into())?;
    let n = targets.nrows();
    check_size(size, n)?;
    let mut memories = Memories::new(run.optimizer, &run.predictor);
    let mut chosen = vec![false; n];
    let mut selection = Selection {
        indices: Vec::with_capacity(size),
        distances: Vec::with_capacity(size),
        losses: Vec::with_capacity(size),
    };
    let observer = run.observer;
    observer.begin("random network distillation", size as u64);
    for _ in 0..size {
        observer.check().map_err(ModelError::from)?;
        let outputs = T::forward(&run.predictor, x.view().into())?;
        let distances = run.distance.between(&targets, &outputs)?;
        let mut farthest = None;
        for i in (0..n).filter(|&i| !chosen[i]) {
            if farthest.is_none_or(|best| distances[i] > distances[best]) {
                farthest = Some(i);
            }
        }
        let Some(farthest) = farthest else { break };
        chosen[farthest] = true;
        selection.indices.push(farthest);
        selection.distances.push(distances[farthest]);
        let inputs = x.select(Axis(0), &selection.indices);
        let outputs = targets.select(Axis(0), &selection.indices);
        let loss = run.learn(&mut memories, inputs.view(), outputs.view())?;
        selection.losses.push(loss);
        observer.advance(1);
    }
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Init;
    use crate::selection::DistanceError;
    use approx::assert_relative_eq;
    use ndarray::{Array2, Array4, concatenate};
    use ntk_kernels::network::{Network, Shape, conv, dense, flatten, relu};
    use ntk_linalg::observer::Cancelled;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn vectors(n: usize, d: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, d), |(i, j)| {
            ((3 + 7 * i + 5 * j * j + i * j) as f64).sin()
        })
    }

    fn model(width: usize, outputs: usize, inputs: usize, seed: u64) -> Model<f64> {
        let network = Network::new()
            .then(dense().width(width))
            .then(relu())
            .then(dense().width(outputs));
        Model::new(&network, Shape::features(inputs), Init::default(), seed).unwrap()
    }

    fn distillation(inputs: usize) -> Distillation<'static, f64> {
        Distillation::new(model(64, 8, inputs, 1), model(64, 8, inputs, 2))
            .threshold(1e-6)
            .max_epochs(2000)
            .batch_size(100)
    }

    /// Counts what it is asked and told, and cancels once so many choices are made.
    struct Counter {
        asked: AtomicUsize,
        chosen: AtomicUsize,
        most: usize,
    }

    impl Counter {
        fn until(most: usize) -> Self {
            Self {
                asked: 0.into(),
                chosen: 0.into(),
                most,
            }
        }
    }

    impl Observer for Counter {
        fn advance(&self, units: u64) {
            self.chosen.fetch_add(units as usize, Ordering::Relaxed);
        }

        fn cancelled(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.chosen.load(Ordering::Relaxed) >= self.most
        }
    }

    /// Five clusters of radius below 0.002 at mutually orthogonal points of length 3, ten
    /// samples each: what is learned of one sample is learned of its cluster alone.
    #[test]
    fn one_of_each_cluster_comes_first() {
        let x = Array2::from_shape_fn((50, 5), |(i, j)| {
            let centre = if i % 5 == j { 3.0 } else { 0.0 };
            centre + 1e-3 * ((11 * i + 3 * j) as f64).sin()
        });
        let mut run = distillation(5);
        let found = run.select(&x, 6).unwrap();
        let mut clusters: Vec<usize> = found.indices[..5].iter().map(|i| i % 5).collect();
        clusters.sort_unstable();
        assert_eq!(clusters, [0, 1, 2, 3, 4]);
        assert!(
            found.losses.iter().all(|&loss| loss <= run.threshold),
            "{:?}",
            found.losses
        );
        assert!(
            found.distances[5] < 0.1 * found.distances[4],
            "{:?}",
            found.distances
        );
    }

    #[test]
    fn a_copy_is_chosen_late_and_no_index_twice() {
        let once = vectors(6, 5) * 3.0;
        let x = concatenate![Axis(0), once, once];
        let found = distillation(5).select(&x, 12).unwrap();
        let mut samples: Vec<usize> = found.indices[..6].iter().map(|i| i % 6).collect();
        samples.sort_unstable();
        assert_eq!(samples, [0, 1, 2, 3, 4, 5]);
        let mut indices = found.indices.clone();
        indices.sort_unstable();
        assert_eq!(indices, (0..12).collect::<Vec<_>>());
        // A mean square of 1e-6 over 6 samples of 8 outputs leaves each at most sqrt(48e-6).
        assert!(
            found.distances[6] <= 48e-6_f64.sqrt(),
            "{:?}",
            found.distances
        );
        assert!(
            found.distances[5] > 48e-6_f64.sqrt(),
            "{:?}",
            found.distances
        );
    }

    #[test]
    fn a_threshold_out_of_reach_ends_at_the_cap() {
        let x = vectors(7, 3);
        let counter = Counter::until(usize::MAX);
        let run = distillation(3).threshold(0.0).max_epochs(3);
        let found = run.observer(&counter).select(&x, 7).unwrap();
        assert_eq!(found.indices.len(), 7);
        assert!(found.losses.iter().all(|&loss| loss > 0.0));
        // Before each choice, before each of three epochs, and where they end.
        assert_eq!(counter.asked.into_inner(), 7 * (1 + 3 + 1));
    }

    #[test]
    fn equal_seeds_choose_alike() {
        let x = vectors(20, 4);
        let run = |batch| {
            let mut run = distillation(4).batch_size(batch).max_epochs(20);
            run.select(&x, 8).unwrap()
        };
        assert_eq!(run(3), run(3));
        assert_eq!(run(0), run(1));
        let mut other = distillation(4);
        other.target = model(64, 8, 4, 5);
        let mut first = distillation(4);
        assert_ne!(
            other.select(&x, 1).unwrap().distances,
            first.select(&x, 1).unwrap().distances
        );
    }

    /// Without training, the samples in descending order of the first distances.
    #[test]
    fn an_untrained_predictor_sorts() {
        let x = vectors(9, 3);
        let mut run = distillation(3).max_epochs(0);
        let gaps = run.target.forward(&x).unwrap() - run.predictor.forward(&x).unwrap();
        let lengths = gaps.mapv(|g| g * g).sum_axis(Axis(1)).mapv(f64::sqrt);
        let mut expected: Vec<usize> = (0..9).collect();
        expected.sort_by(|&i, &j| lengths[j].total_cmp(&lengths[i]));
        let found = run.select(&x, 9).unwrap();
        assert_eq!(found.indices, expected);
        for (&i, &distance) in found.indices.iter().zip(&found.distances) {
            assert_relative_eq!(distance, lengths[i], max_relative = 1e-12);
        }
    }

    /// One step of momentum after each choice, written out: neither the parameters nor the
    /// velocity start anew.
    #[test]
    fn parameters_and_velocity_are_carried_over() {
        let x = vectors(8, 3);
        let mut run = distillation(3)
            .threshold(0.0)
            .max_epochs(1)
            .optimizer(Optimizer::momentum(0.05, 0.9));
        let found = run.select(&x, 4).unwrap();
        let mut predictor = model(64, 8, 3, 2);
        let y = run.target.forward(&x).unwrap();
        let mut velocity = predictor.zeros();
        for k in 1..=4 {
            let rows = &found.indices[..k];
            let (xs, ys) = (x.select(Axis(0), rows), y.select(Axis(0), rows));
            let gradient = predictor.gradient(&xs, &ys, Loss::MeanSquare);
            let mut parameters = predictor.parameters();
            let all = parameters.iter_mut().zip(&mut velocity);
            for ((p, v), g) in all.zip(gradient.unwrap().1) {
                *v = &*v * 0.9 + g;
                p.scaled_add(-0.05, v);
            }
            predictor.set_parameters(parameters).unwrap();
            let (loss, _) = predictor.gradient(&xs, &ys, Loss::MeanSquare).unwrap();
            assert_relative_eq!(found.losses[k - 1], loss, max_relative = 1e-12);
        }
        for (found, expected) in run
            .predictor
            .parameters()
            .iter()
            .zip(predictor.parameters())
        {
            assert_relative_eq!(*found, expected, epsilon = 1e-12);
        }
    }

    /// Batches smaller than the choice change the steps, and the loss is still that of all.
    #[test]
    fn the_loss_is_that_of_all_chosen() {
        let x = vectors(9, 3);
        let mut run = distillation(3).batch_size(2).max_epochs(4).threshold(0.0);
        let found = run.select(&x, 5).unwrap();
        let xs = x.select(Axis(0), &found.indices);
        let y = run.target.forward(&xs).unwrap();
        let (loss, _) = run.predictor.gradient(&xs, &y, run.loss).unwrap();
        assert_relative_eq!(found.losses[4], loss, max_relative = 1e-12);
    }

    #[test]
    fn images_in_any_layout() {
        let network = Network::new()
            .then(conv([3, 3]).channels(4))
            .then(relu())
            .then(flatten())
            .then(dense().width(3));
        let model =
            |seed| Model::<f32>::new(&network, Shape::new([5, 4], 1), Init::default(), seed);
        let run = || {
            Distillation::new(model(0).unwrap(), model(1).unwrap())
                .distance(Distance::Cosine)
                .optimizer(Optimizer::sgd(0.1))
                .loss(Loss::HalfMeanSquare)
                .max_epochs(5)
                .batch_size(2)
        };
        let x = Array4::from_shape_fn((6, 5, 4, 1), |(i, j, k, _)| {
            ((i * j + 2 * k + i) as f32).cos()
        });
        let found = run().select(&x, 4).unwrap();
        let stored = x
            .clone()
            .permuted_axes([3, 2, 1, 0])
            .as_standard_layout()
            .into_owned();
        let turned = stored.view().permuted_axes([3, 2, 1, 0]);
        assert_eq!(run().select(&turned, 4).unwrap(), found);
    }

    #[test]
    fn sizes() {
        let x = vectors(3, 2);
        let none = x.slice(s![..0, ..]);
        assert_eq!(
            distillation(2).select(&none, 1),
            Err(SelectionError::EmptyPool)
        );
        let (asked, available) = (4, 3);
        let found = distillation(2).select(&x, 4);
        assert_eq!(found, Err(SelectionError::TooMany { asked, available }));
        let found = distillation(2).select(&x, 0).unwrap();
        assert!(found.indices.is_empty() && found.distances.is_empty() && found.losses.is_empty());
        let found = distillation(2).select(&x.slice(s![..1, ..]), 1).unwrap();
        assert_eq!(found.indices, [0]);
    }

    #[test]
    fn what_does_not_fit() {
        let x = vectors(4, 2);
        let mut run = distillation(2);
        run.predictor = model(64, 3, 2, 2);
        let found = run.select(&x, 2);
        let (target, predictor) = (8, 3);
        assert_eq!(found, Err(SelectionError::Outputs { target, predictor }));
        let mut run = distillation(2);
        run.predictor = model(64, 8, 5, 2);
        let found = run.select(&x, 2);
        assert!(matches!(
            found,
            Err(SelectionError::Model(ModelError::Input { .. }))
        ));
        let mut run = distillation(2);
        run.distance = Distance::PNorm(0.0);
        let found = run.select(&x, 2);
        assert!(matches!(
            found,
            Err(SelectionError::Distance(DistanceError::Argument { .. }))
        ));
        let mut run = distillation(2);
        run.optimizer = Optimizer::TraceSgd {
            scale: 1.0,
            every: 1,
        };
        let found = run.select(&x, 2);
        assert!(matches!(found, Err(SelectionError::Optimizer { .. })));
    }

    #[test]
    fn numbers_that_are_not_finite() {
        let mut x = vectors(4, 2);
        let mut run = distillation(2).optimizer(Optimizer::sgd(1e150));
        let found = run.select(&x, 4);
        assert!(
            matches!(found, Err(SelectionError::Diverged { chosen: 1, .. })),
            "{found:?}"
        );
        x[[2, 0]] = f64::NAN;
        let found = distillation(2).select(&x, 2);
        let Err(SelectionError::Distance(DistanceError::NotFinite { row: 2, .. })) = found else {
            panic!("{found:?}")
        };
    }

    #[test]
    fn the_observer_cancels_between_choices() {
        let counter = Counter::until(2);
        let found = distillation(3).observer(&counter).select(&vectors(6, 3), 5);
        let cancelled = ModelError::Cancelled(Cancelled);
        assert_eq!(found, Err(SelectionError::Model(cancelled)));
        assert_eq!(counter.chosen.into_inner(), 2);
    }
}
