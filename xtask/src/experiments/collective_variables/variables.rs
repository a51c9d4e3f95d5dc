//! The collective variables of a network: entropy and trace of its tangent kernel.

use super::Failure;
use crate::experiments::study::CLASSES;
use ndarray::Array2;
use ntk_entropy::{Normalization, Spectrum, von_neumann};
use ntk_kernels::network::{Network, dense, relu};
use ntk_linalg::{Observer, Real};
use ntk_train::{Init, Model, Scalar};
use serde_json::{Value as Json, json};

/// What is read off a kernel of n images.
pub(super) struct Variable {
    /// In names of values.
    pub(super) name: &'static str,
    /// Over panels.
    pub(super) title: &'static str,
    /// On axes: the variable itself, and how far it is from the closed form.
    pub(super) label: &'static str,
    pub(super) deviation: &'static str,
}

/// The number of variables.
pub(super) const COUNT: usize = 3;
/// The index of the trace.
pub(super) const TRACE: usize = 2;
/// The von Neumann entropy of `K / tr K`, in nats, from 0 to ln n; the same of the cosines
/// `K_ij / sqrt(K_ii K_jj)` over n, which is K without its magnitudes; and `tr K`.
pub(super) const VARIABLES: [Variable; COUNT] = [
    Variable {
        name: "entropy",
        title: "Entropy of K / tr K",
        label: "entropy [nats]",
        deviation: "deviation [nats]",
    },
    Variable {
        name: "cosine_entropy",
        title: "Entropy of the cosines",
        label: "cosine entropy [nats]",
        deviation: "deviation [nats]",
    },
    Variable {
        name: "trace",
        title: "Trace",
        label: "tr K",
        deviation: "deviation",
    },
];

/// Computes [`VARIABLES`] of a kernel matrix (n, n). Cost: two times its eigenvalues.
pub(super) fn of_kernel<T: Real>(kernel: &Array2<T>) -> Result<[f64; COUNT], Failure> {
    let whole = Spectrum::of_kernel(kernel, Normalization::Trace)?;
    let cosine = Spectrum::of_kernel(kernel, Normalization::Cosine)?;
    let entropies = [&whole, &cosine].map(von_neumann::entropy);
    Ok([entropies[0], entropies[1], whole.trace])
}

/// Computes [`VARIABLES`] of a network as it is now on `x` (n, d): of its traced kernel, the mean
/// over outputs.
pub(super) fn of_model<T: Scalar>(
    model: &Model<T>,
    x: &Array2<T>,
    observer: &dyn Observer,
) -> Result<[f64; COUNT], Failure> {
    of_kernel(&model.kernel_fn().observer(observer).ntk(x)?)
}

/// A network of equally wide hidden layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    pub(super) width: usize,
    /// The number of hidden layers.
    pub(super) layers: usize,
}

/// The layers where the width changes, and the width where their number does.
pub(super) const MIDDLE: Architecture = Architecture {
    width: 64,
    layers: 2,
};

impl Architecture {
    /// Changes the width of [`MIDDLE`].
    pub(super) fn wide(width: usize) -> Self {
        Self { width, ..MIDDLE }
    }

    /// Changes the number of layers of [`MIDDLE`].
    pub(super) fn deep(layers: usize) -> Self {
        Self { layers, ..MIDDLE }
    }

    /// Makes a network of relu without biases; the weights' variance of two keeps the signal's size
    /// from layer to layer (He et al. 2015, arXiv:1502.01852), so that deep networks can be compared
    /// with shallow ones.
    pub(super) fn network(self) -> Network {
        let hidden = |network: Network, _| {
            let dense = dense().width(self.width).w_std(2.0_f64.sqrt());
            network.then(dense).then(relu())
        };
        let hidden = (0..self.layers).fold(Network::new(), hidden);
        hidden.then(dense().width(CLASSES))
    }

    /// Draws a model with this seed, for inputs of `d` numbers.
    pub(super) fn model<T: Scalar>(self, d: usize, seed: u64) -> Result<Model<T>, Failure> {
        Ok(Model::new(&self.network(), d, Init::default(), seed)?)
    }

    pub(super) fn place(self) -> Json {
        json!({"width": self.width, "layers": self.layers})
    }

    /// Returns about how many multiplications a pass of one input of `d` numbers takes.
    pub(super) fn cost(self, d: usize) -> usize {
        self.width * (d + (self.layers - 1) * self.width + CLASSES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn variables_of_kernels_by_hand() {
        let of = |kernel: Array2<f64>| of_kernel(&kernel);
        let found = of(array![[3.0, 0.0], [0.0, 1.0]]).unwrap();
        let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        let expected = [entropy, 2.0_f64.ln(), 4.0];
        approx::assert_abs_diff_eq!(found[..], expected[..], epsilon = 1e-15);
        // Two equal images: one direction.
        assert_eq!(of(array![[2.0, 2.0], [2.0, 2.0]]).unwrap(), [0.0, 0.0, 4.0]);
        assert!(of(array![[0.0, 0.0], [0.0, 0.0]]).is_err());
    }
}
