//! Embeddings of token ids: a trained vector for each.

use super::site::Site;
use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, positions};
use ndarray::Array2;
use ntk_kernels::network::Node;
use ntk_linalg::Real;

/// The vector of each token.
pub(crate) struct TokenVectors {
    site: Site,
}

impl TokenVectors {
    /// Makes the layer of the table of number `first` among all parameters.
    pub(crate) fn new(node: &Node, first: usize) -> Self {
        Self {
            site: Site::new(node, first, 0, positions(&node.after)).table(),
        }
    }
}

impl<T: Real> FiniteLayer<T> for TokenVectors {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        _: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        (self.site.apply(theta, x.view()), Saved::own([x]))
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        visit(self.site.linear(saved.own[0].view(), signal.view()));
        // Ids do not change by little.
        Array2::zeros((signal.nrows(), 1))
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        _: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        direction.map(|direction| self.site.apply(direction, saved.own[0].view()))
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
