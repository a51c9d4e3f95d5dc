//! The distributions that parameters start from.

use ntk_kernels::network::{Graph, Parameter, Role, Start};
use ntk_linalg::Real;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use serde::{Deserialize, Serialize};

/// An `Init` says which distributions weights and biases are drawn from at first; the default
/// is that of the network's parameterisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Init {
    /// The distribution of the weights.
    pub weights: WeightInit,
    /// The distribution of the biases, in layers that have them: those with a `b_std`.
    pub biases: BiasInit,
}

/// A `WeightInit` is the distribution of a layer's stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightInit {
    /// The one of the network's parameterisation: standard normal (NTK) or
    /// `N(0, w_std^2 / fan_in)` (standard).
    #[default]
    Network,
    /// The normal distribution `N(0, 2 / (fan_in + fan_out))` (Glorot & Bengio 2010, AISTATS, eq.
    /// 12, as PyTorch's `xavier_normal_`), whatever `w_std`.
    XavierNormal,
    /// The uniform distribution between plus and minus `sqrt(6 / (fan_in + fan_out))` (the same,
    /// eq. 16).
    XavierUniform,
    /// The normal distribution `N(0, 1 / fan_in)` (LeCun et al. 1998, "Efficient BackProp", section 4.6).
    LecunNormal,
    /// The normal distribution `N(0, 2 / fan_in)` (He et al. 2015, arXiv:1502.01852, eq. 10).
    HeNormal,
}

/// A `BiasInit` is the distribution of a layer's stored biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BiasInit {
    /// The one of the network's parameterisation: standard normal (NTK) or `N(0, b_std^2)`
    /// (standard).
    #[default]
    Network,
    /// Zero.
    Zeros,
}

impl Init {
    /// Draws the numbers of all parameters, in their order.
    ///
    /// Every layer draws from its own stream of the seed, so changing one layer leaves the
    /// others as they were.
    pub(crate) fn draw<T: Real>(self, graph: &Graph, seed: u64) -> Vec<Vec<T>> {
        let mut all = Vec::new();
        for (number, node) in graph.nodes.iter().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(number as u64);
            let parameters = node.parameters.iter();
            all.extend(parameters.map(|p| self.numbers(p, &mut rng)));
        }
        all
    }

    fn numbers<T: Real>(self, parameter: &Parameter, rng: &mut ChaCha8Rng) -> Vec<T> {
        let count = parameter.shape.0 * parameter.shape.1;
        let start = match parameter.start {
            Start::Normal(std) => std,
            Start::Constant(value) => return vec![T::of(value); count],
        };
        let (fan_in, fan_out) = (parameter.fan_in as f64, parameter.fan_out as f64);
        let std = match parameter.role {
            Role::Weight => match self.weights {
                WeightInit::Network => start,
                WeightInit::XavierNormal | WeightInit::XavierUniform => {
                    (2.0 / (fan_in + fan_out)).sqrt()
                }
                WeightInit::LecunNormal => fan_in.recip().sqrt(),
                WeightInit::HeNormal => (2.0 / fan_in).sqrt(),
            },
            Role::Scale | Role::Statistic => start,
            Role::Bias => match self.biases {
                BiasInit::Network => start,
                BiasInit::Zeros => 0.0,
            },
        };
        let uniform = parameter.role == Role::Weight && self.weights == WeightInit::XavierUniform;
        let number = |_| {
            T::of(if uniform {
                // Uniform on -1 to 1 has variance 1/3.
                let u: f64 = StandardUniform.sample(rng);
                3.0_f64.sqrt() * std * (2.0 * u - 1.0)
            } else {
                let z: f64 = StandardNormal.sample(rng);
                std * z
            })
        };
        (0..count).map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_kernels::network::{Network, Parameterization, Shape, dense, identity};

    /// A dense layer after so many that do nothing.
    fn layer(width: usize, number: usize) -> Network {
        let before = (0..number).fold(Network::new(), |network, _| network.then(identity()));
        before.then(dense().width(width).w_std(1.5).b_std(2.0))
    }

    fn draw<T: Real>(init: Init, network: &Network, fan_in: usize, seed: u64) -> Vec<Vec<T>> {
        init.draw(&network.resolve(Shape::features(fan_in)).unwrap(), seed)
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
            let network = layer(width, 0).parameterization(parameterization);
            let [w, b] = &draw::<f64>(init, &network, fan_in, 7)[..] else {
                panic!("weights and a bias")
            };
            let found = w.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
            assert!(
                (found / variance - 1.0).abs() < tolerance,
                "{weights:?}: {found} for {variance}"
            );
            let mean = w.iter().sum::<f64>() / w.len() as f64;
            assert!(mean.abs() < 5.0 * (variance / w.len() as f64).sqrt());
            assert!(b.iter().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn f32_is_f64_rounded_and_layers_do_not_depend_on_each_other() {
        let init = Init::default();
        let draw = |width, number| {
            let network = layer(width, number);
            let (mut double, mut single) = (
                draw::<f64>(init, &network, 3, 1),
                draw::<f32>(init, &network, 3, 1),
            );
            (double.swap_remove(0), single.swap_remove(0))
        };
        let (double, single) = draw(4, 2);
        let rounded: Vec<_> = double.iter().map(|&v| v as f32).collect();
        assert_eq!(single, rounded);
        assert_eq!(draw(4, 2).0, double);
        assert_ne!(draw(4, 1).0, double);
    }
}
