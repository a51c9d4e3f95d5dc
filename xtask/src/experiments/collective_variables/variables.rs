//! The collective variables of a network: entropy and trace of its tangent kernel.

use super::Failure;
use ndarray::ArrayView2;
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::network::{Network, Shape, dense, relu};
use ntk_linalg::{Observer, Real};
use ntk_train::{Init, Model, Scalar, Trace};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

/// Classes, and so outputs.
pub(super) const CLASSES: usize = 10;

/// What is read off a kernel of n images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// The von Neumann entropy of `K / tr K`, in nats, from 0 to ln n.
    Entropy,
    /// The same of the cosines `K_ij / sqrt(K_ii K_jj)` over n: K without its magnitudes.
    CosineEntropy,
    /// `tr K`, the sum over the images.
    Trace,
}

impl Variable {
    pub(super) const ALL: [Self; 3] = [Self::Entropy, Self::CosineEntropy, Self::Trace];

    /// In names of values.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::CosineEntropy => "cosine_entropy",
            Self::Trace => "trace",
        }
    }

    /// Over panels.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Entropy => "Entropy of K / tr K",
            Self::CosineEntropy => "Entropy of the cosines",
            Self::Trace => "Trace",
        }
    }

    /// On axes.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Entropy => "entropy [nats]",
            Self::CosineEntropy => "cosine entropy [nats]",
            Self::Trace => "tr K",
        }
    }
}

/// The variables of one kernel, in the order of [`Variable::ALL`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Variables(pub(super) [f64; 3]);

impl Variables {
    /// Of a kernel matrix (n, n). Cost: two times its eigenvalues.
    pub(super) fn of_kernel<T: Real>(kernel: ArrayView2<'_, T>) -> Result<Self, Failure> {
        let whole = Spectrum::of_kernel(kernel, Normalization::Trace)?;
        let cosine = Spectrum::of_kernel(kernel, Normalization::Cosine)?;
        Ok(Self([
            von_neumann::entropy(&whole),
            von_neumann::entropy(&cosine),
            whole.trace,
        ]))
    }

    /// Of a network as it is now on `x` (n, d): of its traced kernel, the mean over outputs.
    pub(super) fn of_model<T: Scalar>(
        model: &Model<T>,
        x: ArrayView2<'_, T>,
        observer: &dyn Observer,
    ) -> Result<Self, Failure> {
        Self::of_kernel(model.ntk(x, None, Trace::Traced, observer)?.view())
    }

    pub(super) fn get(&self, variable: Variable) -> f64 {
        self.0[variable as usize]
    }
}

/// A network of equally wide hidden layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    pub(super) width: usize,
    /// Hidden layers.
    pub(super) layers: usize,
}

impl Architecture {
    /// relu without biases; the weights' variance of two keeps the signal's size from layer to
    /// layer (He et al. 2015, arXiv:1502.01852), so that deep networks can be compared with
    /// shallow ones.
    pub(super) fn network(self) -> Network {
        let hidden = |network: Network| {
            let dense = dense().width(self.width).w_std(2.0_f64.sqrt());
            network.then(dense).then(relu())
        };
        (0..self.layers)
            .fold(Network::new(), |network, _| hidden(network))
            .then(dense().width(CLASSES))
    }

    /// Drawn with this seed, for inputs of `d` numbers.
    pub(super) fn model<T: Scalar>(self, d: usize, seed: u64) -> Result<Model<T>, Failure> {
        let shape = Shape::features(d);
        Ok(Model::new(&self.network(), &shape, Init::default(), seed)?)
    }

    pub(super) fn place(self) -> [(&'static str, Json); 2] {
        [("width", json!(self.width)), ("layers", json!(self.layers))]
    }

    /// Multiplications of a pass of one input of `d` numbers, about.
    pub(super) fn cost(self, d: usize) -> usize {
        self.width * (d + (self.layers - 1) * self.width + CLASSES)
    }
}

/// Networks that do not know of each other, one a thread: small products gain nothing from more.
/// `cost` is the progress that one makes, in any unit.
pub(super) fn each<J: Sync, R: Send>(
    step: &str,
    jobs: &[J],
    cost: impl Fn(&J) -> usize + Sync,
    observer: &dyn Observer,
    work: impl Fn(&J) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    observer.begin(step, jobs.iter().map(|job| cost(job) as u64).sum());
    // An error is told as text, which can change threads.
    let one = |job: &J| -> Result<R, String> {
        observer.check().map_err(|e| e.to_string())?;
        let found = work(job).map_err(|e| e.to_string())?;
        observer.advance(cost(job) as u64);
        Ok(found)
    };
    // One by one, not in halves: costs differ by orders of magnitude.
    let jobs = jobs.par_iter().with_max_len(1);
    Ok(jobs.map(one).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn variables_of_kernels_by_hand() {
        let of = |kernel: Array2<f64>| Variables::of_kernel(kernel.view());
        let found = of(array![[3.0, 0.0], [0.0, 1.0]]).unwrap();
        let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert_relative_eq!(found.get(Variable::Entropy), entropy, epsilon = 1e-15);
        let half = 2.0_f64.ln();
        assert_relative_eq!(found.get(Variable::CosineEntropy), half, epsilon = 1e-15);
        assert_relative_eq!(found.get(Variable::Trace), 4.0);
        // Two equal images: one direction.
        let same = of(array![[2.0, 2.0], [2.0, 2.0]]).unwrap();
        assert_eq!(same, Variables([0.0, 0.0, 4.0]));
        assert!(of(array![[0.0, 0.0], [0.0, 0.0]]).is_err());
    }

    #[test]
    fn the_first_failure_ends_all() {
        let jobs = [1_usize, 2, 3];
        let twice = |job: &usize| Ok(2 * job);
        assert_eq!(each("", &jobs, |_| 1, &(), twice).unwrap(), [2, 4, 6]);
        let fails = |job: &usize| if *job == 2 { Err("two".into()) } else { Ok(0) };
        let error = each("", &jobs, |_| 1, &(), fails).unwrap_err();
        assert_eq!(error.to_string(), "two");
        assert!(each("", &[], |_: &usize| 1, &(), fails).unwrap().is_empty());
    }
}
