//! A trained scale and shift of each channel.

use super::site::Site;
use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, positions};
use ndarray::Array2;
use ntk_kernels::network::Node;
use ntk_linalg::Real;

/// `y_c = g_c x_c + b_c`, the same at all positions.
pub(crate) struct ScaleAndShift {
    site: Site,
}

impl ScaleAndShift {
    /// Makes the layer of the node's first two parameters, of which the first has number `first` among
    /// all.
    pub(crate) fn new(node: &Node, first: usize) -> Self {
        let site = Site::new(node, first, 0, positions(&node.after));
        Self {
            site: site.bias(node, first, 1).diagonal(),
        }
    }
}

impl<T: Real> FiniteLayer<T> for ScaleAndShift {
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
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        visit(self.site.linear(saved.own[0].view(), signal.view()));
        let mut by_input = Array2::zeros(signal.raw_dim());
        self.site.back(theta, signal.view(), by_input.view_mut());
        by_input
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        let moves = dx.is_some() || direction.is_some();
        moves.then(|| {
            self.site
                .tangent(theta, &saved.own[0], dx.as_ref(), direction)
        })
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
