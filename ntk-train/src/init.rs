//! What parameters start from.

use ndarray::Array2;
use ntk_kernels::network::Parameterization;
use ntk_linalg::Real;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use serde::{Deserialize, Serialize};

/// Distributions of the initial weights and biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Init {
    /// Of the weights.
    pub weights: WeightInit,
    /// Of the biases, in layers that have them (`b_std > 0`).
    pub biases: BiasInit,
}

/// Distribution of a layer's stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightInit {
    /// As the network's parameterisation says: standard normal (NTK) or
    /// `N(0, w_std^2 / fan_in)` (standard).
    #[default]
    Network,
    /// `N(0, 2 / (fan_in + fan_out))` (Glorot & Bengio 2010, AISTATS, eq. 12, as PyTorch's
    /// `xavier_normal_`), whatever `w_std`.
    XavierNormal,
    /// Uniform between plus and minus `sqrt(6 / (fan_in + fan_out))` (the same, eq. 16).
    XavierUniform,
    /// `N(0, 1 / fan_in)` (LeCun et al. 1998, "Efficient BackProp", section 4.6).
    LecunNormal,
    /// `N(0, 2 / fan_in)` (He et al. 2015, arXiv:1502.01852, eq. 10).
    HeNormal,
}

/// Distribution of a layer's stored biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BiasInit {
    /// As the network's parameterisation says: standard normal (NTK) or `N(0, b_std^2)` (standard).
    #[default]
    Network,
    /// All zero.
    Zeros,
}

/// A layer whose parameters are to be drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) parameterization: Parameterization,
    pub(crate) w_std: f64,
    pub(crate) b_std: f64,
    /// Inputs of one output: channels times the filter's positions.
    pub(crate) fan_in: usize,
    /// Outputs that one input counts for: channels times the filter's positions.
    pub(crate) fan_out: usize,
    pub(crate) width: usize,
    /// Number of the layer in the network.
    pub(crate) layer: u64,
}

impl Init {
    /// Weights (fan_in, width) and, where the layer has one, the bias (1, width).
    ///
    /// Every layer draws from its own stream of the seed, so changing one layer leaves the
    /// others as they were.
    pub(crate) fn draw<T: Real>(self, layer: &Drawn, seed: u64) -> (Array2<T>, Option<Array2<T>>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(layer.layer);
        let standard = layer.parameterization == Parameterization::Standard;
        let (fan_in, fan_out) = (layer.fan_in as f64, layer.fan_out as f64);
        let normal = |rng: &mut ChaCha8Rng, std: f64| {
            let z: f64 = StandardNormal.sample(rng);
            std * z
        };
        let w_std = match self.weights {
            WeightInit::Network if standard => layer.w_std / fan_in.sqrt(),
            WeightInit::Network => 1.0,
            WeightInit::XavierNormal | WeightInit::XavierUniform => {
                (2.0 / (fan_in + fan_out)).sqrt()
            }
            WeightInit::LecunNormal => fan_in.recip().sqrt(),
            WeightInit::HeNormal => (2.0 / fan_in).sqrt(),
        };
        let weights = Array2::from_shape_simple_fn((layer.fan_in, layer.width), || {
            T::of(match self.weights {
                // Uniform on -1 to 1 has variance 1/3.
                WeightInit::XavierUniform => {
                    let u: f64 = StandardUniform.sample(&mut rng);
                    3.0_f64.sqrt() * w_std * (2.0 * u - 1.0)
                }
                _ => normal(&mut rng, w_std),
            })
        });
        let b_std = match self.biases {
            BiasInit::Network if standard => layer.b_std,
            BiasInit::Network => 1.0,
            BiasInit::Zeros => 0.0,
        };
        let bias = (layer.b_std > 0.0).then(|| {
            Array2::from_shape_simple_fn((1, layer.width), || T::of(normal(&mut rng, b_std)))
        });
        (weights, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(fan_in: usize, width: usize) -> Drawn {
        Drawn {
            parameterization: Parameterization::Ntk,
            w_std: 1.5,
            b_std: 2.0,
            fan_in,
            fan_out: width,
            width,
            layer: 0,
        }
    }

    #[test]
    fn standard_deviations_are_as_stated() {
        // The sample variance of N normals has standard deviation sqrt(2 / N) of itself; 5 of
        // them, which is more than enough for uniforms.
        let (fan_in, width) = (300, 200);
        let tolerance = 5.0 * (2.0 / (fan_in * width) as f64).sqrt();
        let (ntk, standard) = (Parameterization::Ntk, Parameterization::Standard);
        for (weights, parameterization, variance) in [
            (WeightInit::Network, ntk, 1.0),
            (WeightInit::Network, standard, 2.25 / 300.0),
            (WeightInit::XavierNormal, standard, 2.0 / 500.0),
            (WeightInit::XavierUniform, standard, 2.0 / 500.0),
            (WeightInit::LecunNormal, ntk, 1.0 / 300.0),
            (WeightInit::HeNormal, ntk, 2.0 / 300.0),
        ] {
            let biases = BiasInit::Zeros;
            let init = Init { weights, biases };
            let drawn = Drawn {
                parameterization,
                ..layer(fan_in, width)
            };
            let (w, b) = init.draw::<f64>(&drawn, 7);
            let found = w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
            assert!(
                (found / variance - 1.0).abs() < tolerance,
                "{weights:?}: {found} for {variance}"
            );
            let mean = w.sum() / w.len() as f64;
            assert!(mean.abs() < 5.0 * (variance / w.len() as f64).sqrt());
            assert!(b.unwrap().iter().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn f32_is_f64_rounded_and_layers_do_not_depend_on_each_other() {
        let init = Init::default();
        let draw = |width, number| {
            let drawn = Drawn {
                layer: number,
                ..layer(3, width)
            };
            (init.draw::<f64>(&drawn, 1).0, init.draw::<f32>(&drawn, 1).0)
        };
        let (double, single) = draw(4, 2);
        assert_eq!(single, double.mapv(|v| v as f32));
        assert_eq!(draw(4, 2).0, double);
        assert_ne!(draw(4, 1).0, double);
    }
}
