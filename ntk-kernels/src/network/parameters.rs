//! Lists the trained parameters of each layer: names, shapes, scales, and what they start from.

use super::Parameterization;
use super::action::{Action, Logits, Recurrence, Weights};
use super::shape::{MOST_NUMBERS, Shape};

/// A `Parameter` describes one array of trained numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The parameter's name, such as `layers.3.branch.paths.1.0.weight`.
    pub name: String,
    /// The role of the parameter: weights, biases or scales.
    pub role: Role,
    /// The shape of the array in a file: (fan_in, width) for a dense layer, (height, width, in,
    /// out) for a convolution, (width) for a bias.
    pub axes: Vec<usize>,
    /// The shape of the array as a matrix: (fan_in, width) for weights, (1, width) for a bias.
    pub shape: (usize, usize),
    /// The factor by which the stored numbers are multiplied: `w_std / sqrt(fan_in)` or `b_std` in
    /// the NTK parameterisation, 1 in the standard one.
    pub scale: f64,
    /// The numbers that it starts from, unless they are set otherwise.
    pub start: Start,
    /// The number of inputs to one output: input channels times positions of the receptive field.
    pub fan_in: usize,
    /// The number of outputs to which one input contributes: output channels times positions of the
    /// receptive field.
    pub fan_out: usize,
}

/// A `Role` says what a parameter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The parameter multiplies the input.
    Weight,
    /// The parameter is added.
    Bias,
    /// The parameter multiplies each channel by a number of its own.
    Scale,
    /// The parameter is a mean or variance of each channel, stored while another library trained, and is
    /// not trained here.
    Statistic,
}

/// A `Start` says what the stored numbers of a parameter are before training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// They are independent and normal, of mean zero and this standard deviation.
    Normal(f64),
    /// They are all this number.
    Constant(f64),
}

impl Parameter {
    /// Says that there are too many numbers, if there are.
    pub(super) fn excess(&self) -> Option<String> {
        let (rows, columns) = self.shape;
        let most = rows.saturating_mul(columns).max(self.fan_out);
        (most > MOST_NUMBERS).then(|| {
            format!(
                "its weights, {rows} inputs times {columns} outputs, are more than memory can hold; use fewer channels"
            )
        })
    }
}

/// Makes the parameters of one layer.
struct Of<'a> {
    path: &'a str,
    parameterization: Parameterization,
}

/// The numbers of inputs to one output, and of outputs to which one input contributes.
#[derive(Clone, Copy)]
struct Fans {
    fan_in: usize,
    fan_out: usize,
}

impl Of<'_> {
    /// Makes weights of this standard deviation times `sqrt(fan_in)`, whose matrix has these rows.
    fn weights(
        &self,
        name: &str,
        axes: &[usize],
        rows: usize,
        w_std: f64,
        fans: Fans,
    ) -> Parameter {
        let root = (fans.fan_in as f64).sqrt();
        self.parameter((name, Role::Weight), axes, rows, w_std / root, fans)
    }

    /// Makes biases of this standard deviation.
    fn bias(&self, name: &str, axes: &[usize], rows: usize, b_std: f64, fans: Fans) -> Parameter {
        self.parameter((name, Role::Bias), axes, rows, b_std, fans)
    }

    /// Makes a scale and a shift of each channel, which change nothing at first.
    fn scale_and_shift(&self, channels: usize) -> [Parameter; 2] {
        [
            self.of_channels("scale", Role::Scale, channels, 1.0),
            self.of_channels("shift", Role::Bias, channels, 0.0),
        ]
    }

    /// Makes stored means and variances of each channel, which change nothing at first.
    fn statistics(&self, channels: usize) -> [Parameter; 2] {
        [
            self.of_channels("mean", Role::Statistic, channels, 0.0),
            self.of_channels("variance", Role::Statistic, channels, 1.0),
        ]
    }

    /// Makes a number for each channel; both parameterisations have them as they are.
    fn of_channels(&self, name: &str, role: Role, channels: usize, start: f64) -> Parameter {
        Parameter {
            name: format!("{}.{name}", dotted(self.path)),
            role,
            axes: vec![channels],
            shape: (1, channels),
            scale: 1.0,
            start: Start::Constant(start),
            fan_in: 1,
            fan_out: 1,
        }
    }

    /// Makes numbers of this standard deviation in what they are used for.
    fn parameter(
        &self,
        (name, role): (&str, Role),
        axes: &[usize],
        rows: usize,
        std: f64,
        Fans { fan_in, fan_out }: Fans,
    ) -> Parameter {
        let (scale, start) = match self.parameterization {
            Parameterization::Ntk => (std, 1.0),
            Parameterization::Standard => (1.0, std),
        };
        Parameter {
            name: format!("{}.{name}", dotted(self.path)),
            role,
            axes: axes.to_vec(),
            shape: (rows, axes.last().copied().unwrap_or(1)),
            scale,
            start: Start::Normal(start),
            fan_in,
            fan_out,
        }
    }
}

impl Action {
    /// Lists the parameters of the layer at `path` that does this to samples of shape `before`, weights
    /// before biases.
    pub(super) fn parameters(
        &self,
        path: &str,
        before: &Shape,
        parameterization: Parameterization,
    ) -> Vec<Parameter> {
        let of = Of {
            path,
            parameterization,
        };
        match self {
            Self::Weights(weights) => weights.parameters(&of),
            Self::Attention(logits) => logits.parameters(before, path),
            Self::Recurrent(recurrence) => recurrence.parameters(&of),
            Self::Embedding {
                vocabulary,
                width,
                w_std,
            } => {
                // One vector is all that an output reads.
                let (fan_in, fan_out) = (1, *width);
                let axes = [*vocabulary, *width];
                let fans = Fans { fan_in, fan_out };
                vec![of.weights("weight", &axes, *vocabulary, *w_std, fans)]
            }
            Self::Normalize { affine: true, .. } => of.scale_and_shift(before.channels()).into(),
            Self::BatchNorm { affine, .. } => {
                let mut all = match affine {
                    true => of.scale_and_shift(before.channels()).to_vec(),
                    false => Vec::new(),
                };
                all.extend(of.statistics(before.channels()));
                all
            }
            Self::Nothing
            | Self::Positions(_)
            | Self::Flatten { .. }
            | Self::Activation(_)
            | Self::Normalize { affine: false, .. }
            | Self::Dropout { .. }
            | Self::Aggregate { .. }
            | Self::Concat { .. }
            | Self::Merge(_) => Vec::new(),
        }
    }
}

impl Weights {
    fn parameters(&self, of: &Of<'_>) -> Vec<Parameter> {
        let (taps, width) = (self.taps(), self.width);
        // Weights of their own at every output position, or the same at all.
        let outputs: Vec<usize> = match (&self.windows, self.shared) {
            (Some(windows), false) => windows.outputs()[..self.filter.len()].to_vec(),
            _ => Vec::new(),
        };
        let sets: usize = outputs.iter().product();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let fan_in = match of.parameterization {
            Parameterization::Ntk => self.fan_in,
            Parameterization::Standard => self.base_fan_in().round() as usize,
        };
        let fan_out = taps.saturating_mul(width / self.groups.max(1));
        let fans = Fans { fan_in, fan_out };
        let axes = [
            &outputs[..],
            &self.filter,
            &[self.fan_in / taps.max(1), width],
        ]
        .concat();
        let rows = sets.saturating_mul(self.fan_in);
        let mut weight = of.weights("weight", &axes, rows, self.w_std, fans);
        if of.parameterization == Parameterization::Standard {
            weight.scale = self.spread.sqrt().recip();
        }
        let axes = [&outputs[..], &[width]].concat();
        let bias = |b_std| of.bias("bias", &axes, sets, b_std, fans);
        std::iter::once(weight)
            .chain(self.b_std.map(bias))
            .collect()
    }
}

impl Recurrence {
    fn parameters(&self, of: &Of<'_>) -> Vec<Parameter> {
        let (width, fan_out) = (self.width, self.width);
        let weights = |name, fan_in: usize, std| {
            let fans = Fans { fan_in, fan_out };
            of.weights(name, &[fan_in, width], fan_in, std, fans)
        };
        let fans = Fans {
            fan_in: width,
            fan_out,
        };
        let mut all = vec![
            weights("input.weight", self.channels, self.u_std),
            weights("state.weight", width, self.w_std),
        ];
        if let Some(b_std) = self.b_std {
            let names = match self.biases {
                1 => &["bias"][..],
                _ => &["input.bias", "state.bias"],
            };
            let biases = names.iter();
            all.extend(biases.map(|name| of.bias(name, &[width], 1, b_std, fans)));
        }
        all
    }
}

impl Logits {
    /// Lists them in the NTK parameterisation, whatever the network's is.
    fn parameters(&self, before: &Shape, path: &str) -> Vec<Parameter> {
        let of = Of {
            path,
            parameterization: Parameterization::Ntk,
        };
        let weights = |name, fan_in: usize, fan_out: usize, std| {
            let fans = Fans { fan_in, fan_out };
            of.weights(name, &[fan_in, fan_out], fan_in, std, fans)
        };
        let own = before.channels();
        let further = self
            .embedding
            .as_ref()
            .and_then(|e| e.channels)
            .unwrap_or(0);
        let of_keys = own.saturating_add(further);
        let of_values = match &self.embedding {
            Some(embedding) if embedding.values => of_keys,
            _ => own,
        };
        let [keys, values] = [self.key_channels, self.value_channels]
            .map(|channels| channels.saturating_mul(self.heads));
        let mut all = Vec::new();
        if let Some(embedding) = &self.embedding {
            let positions = before.positions().iter().product();
            let channels = if further == 0 { own } else { further };
            // The rows of a root of the covariances of positions stand in for inputs.
            let (fan_in, fan_out) = (1, channels);
            let axes = [&embedding.sizes[..], &[channels]].concat();
            let fans = Fans { fan_in, fan_out };
            all.push(of.weights("embedding.weight", &axes, positions, 1.0, fans));
        }
        if !self.linear_scaling {
            all.push(weights(
                "query.weight",
                of_keys,
                keys,
                self.logit_std.sqrt(),
            ));
        }
        all.push(weights("key.weight", of_keys, keys, self.logit_std.sqrt()));
        all.push(weights("value.weight", of_values, values, 1.0));
        all.push(weights("out.weight", values, self.width, self.value_std));
        let fans = Fans {
            fan_in: values,
            fan_out: self.width,
        };
        let bias = |b_std| of.bias("out.bias", &[self.width], 1, b_std, fans);
        all.extend(self.b_std.map(bias));
        all
    }
}

/// Writes the path `layers[3].branch.paths[1][0]` as `layers.3.branch.paths.1.0`.
fn dotted(path: &str) -> String {
    path.replace("][", ".").replace('[', ".").replace(']', "")
}
