//! What parameters start from.

use crate::tensor::Scalar;
use ndarray::Array2;
use ntk_kernels::network::{Dense, Parameterization};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Distributions of the initial weights and biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Init {
    /// Of the weights.
    pub weights: WeightInit,
    /// Of the biases, in layers that have them (`b_std > 0`).
    pub biases: BiasInit,
}

/// Distribution of a layer's stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightInit {
    /// As the network's parameterisation says: standard normal (NTK) or
    /// `N(0, w_std^2 / fan_in)` (standard).
    #[default]
    Network,
    /// `N(0, 2 / (fan_in + fan_out))` (Glorot & Bengio 2010, AISTATS, eq. 12, as PyTorch's
    /// `xavier_normal_`), whatever `w_std`.
    XavierNormal,
}

/// Distribution of a layer's stored biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BiasInit {
    /// As the network's parameterisation says: standard normal (NTK) or `N(0, b_std^2)` (standard).
    #[default]
    Network,
    /// All zero.
    Zeros,
}

impl Init {
    /// Weights (fan_in, width) and, where the layer has one, the bias (1, width) of layer number `layer`.
    ///
    /// Every layer draws from its own stream of the seed, so changing one layer leaves the others as they were.
    pub(crate) fn dense<T: Scalar>(
        self,
        dense: &Dense,
        fan_in: usize,
        parameterization: Parameterization,
        seed: u64,
        layer: u64,
    ) -> (Array2<T>, Option<Array2<T>>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(layer);
        let standard = parameterization == Parameterization::Standard;
        let w_std = match self.weights {
            WeightInit::Network if standard => dense.w_std / (fan_in as f64).sqrt(),
            WeightInit::Network => 1.0,
            WeightInit::XavierNormal => (2.0 / (fan_in + dense.width) as f64).sqrt(),
        };
        let b_std = match self.biases {
            BiasInit::Network if standard => dense.b_std,
            BiasInit::Network => 1.0,
            BiasInit::Zeros => 0.0,
        };
        let mut normal = |shape, std: f64| {
            Array2::from_shape_simple_fn(shape, || {
                let z: f64 = StandardNormal.sample(&mut rng);
                T::of(std * z)
            })
        };
        let weights = normal((fan_in, dense.width), w_std);
        let bias = (dense.b_std > 0.0).then(|| normal((1, dense.width), b_std));
        (weights, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_kernels::network::dense;

    #[test]
    fn standard_deviations_are_as_stated() {
        // The sample variance of N normals has standard deviation sqrt(2 / N) of itself; 5 of them.
        let (fan_in, width) = (300, 200);
        let tolerance = 5.0 * (2.0 / (fan_in * width) as f64).sqrt();
        let layer = dense().width(width).w_std(1.5).b_std(2.0);
        for (weights, parameterization, variance) in [
            (WeightInit::Network, Parameterization::Ntk, 1.0),
            (
                WeightInit::Network,
                Parameterization::Standard,
                2.25 / 300.0,
            ),
            (
                WeightInit::XavierNormal,
                Parameterization::Standard,
                2.0 / 500.0,
            ),
        ] {
            let init = Init {
                weights,
                biases: BiasInit::Zeros,
            };
            let (w, b) = init.dense::<f64>(&layer, fan_in, parameterization, 7, 0);
            let found = w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
            assert!(
                (found / variance - 1.0).abs() < tolerance,
                "{found} for {variance}"
            );
            assert!(b.unwrap().iter().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn f32_is_f64_rounded_and_layers_do_not_depend_on_each_other() {
        let init = Init::default();
        let draw = |width, layer| {
            init.dense::<f64>(&dense().width(width), 3, Parameterization::Ntk, 1, layer)
                .0
        };
        let single = init
            .dense::<f32>(&dense().width(4), 3, Parameterization::Ntk, 1, 2)
            .0;
        assert_eq!(single, draw(4, 2).mapv(|v| v as f32));
        assert_eq!(draw(4, 2), draw(4, 2));
        assert_ne!(draw(4, 1), draw(4, 2));
    }
}
