//! From a [`Network`] to the layers and parameters of a finite one.

use crate::init::Drawn;
use crate::layers::{
    Elementwise, FiniteLayer, Flattened, Masked, Normalization, Patches, Paths, Pooled, Sequence,
    Weights,
};
use crate::model::ModelError;
use ntk_kernels::network::{Layer, Network, Parameterization, Shape, inside, top};
use ntk_linalg::Real;

/// One parameter of a model.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// As `layers.3.branch.paths.1.0.weight`.
    pub(crate) name: String,
    /// As in a file: (fan_in, width) of a dense layer, (height, width, in, out) of a
    /// convolution, (width) of a bias.
    pub(crate) axes: Vec<usize>,
    /// As a matrix.
    pub(crate) shape: (usize, usize),
}

/// A network built for one shape of input.
pub(crate) struct Built<T> {
    pub(crate) layers: Sequence<T>,
    pub(crate) slots: Vec<Slot>,
    /// Of every layer with parameters.
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) output: Shape,
}

/// Builds the layers of `network`.
pub(crate) fn build<T: Real>(network: &Network, input: &Shape) -> Result<Built<T>, ModelError> {
    let output = network.output(input)?;
    let mut builder = Builder {
        parameterization: network.parameterization,
        number: 0,
        slots: Vec::new(),
        drawn: Vec::new(),
    };
    let (layers, _) = builder.sequence(&network.layers, &top, input.clone())?;
    Ok(Built {
        layers,
        slots: builder.slots,
        drawn: builder.drawn,
        output,
    })
}

type Boxed<T> = Box<dyn FiniteLayer<T>>;

struct Builder {
    parameterization: Parameterization,
    /// Of the next layer, those of branches' paths before their branch.
    number: u64,
    slots: Vec<Slot>,
    drawn: Vec<Drawn>,
}

/// Positions of one sample.
fn positions(shape: &Shape) -> usize {
    shape.positions().iter().product()
}

impl Builder {
    fn sequence<T: Real>(
        &mut self,
        layers: &[Layer],
        path: &dyn Fn(usize) -> String,
        mut shape: Shape,
    ) -> Result<(Sequence<T>, Shape), ModelError> {
        let mut sequence: Vec<Boxed<T>> = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let (next, after) = self.layer(layer, &path(i), &shape)?;
            sequence.extend(next);
            shape = after;
            self.number += 1;
        }
        Ok((Sequence(sequence), shape))
    }

    /// The finite layer, none for the identity, and the shape after it.
    fn layer<T: Real>(
        &mut self,
        layer: &Layer,
        path: &str,
        shape: &Shape,
    ) -> Result<(Option<Boxed<T>>, Shape), ModelError> {
        let rows = positions(shape);
        let refuse = || {
            Err(ModelError::Layer {
                path: path.into(),
                layer: layer.name().into(),
            })
        };
        // The whole network was checked before.
        let after = match layer {
            Layer::Branch(_) => shape.clone(),
            layer => Network::new().then(layer.clone()).output(shape)?,
        };
        let finite: Boxed<T> = match layer {
            Layer::Identity => return Ok((None, after)),
            Layer::Dense(dense) => Box::new(self.weights(
                path,
                Fans {
                    patch: shape.channels(),
                    filter: vec![],
                    channels: shape.channels(),
                    width: dense.width,
                    positions: rows,
                },
                (dense.w_std, dense.b_std),
                None,
            )),
            Layer::Conv(conv) => {
                let windows = conv.windows(shape, &after);
                let patches = Patches::new(&windows, shape.channels());
                Box::new(self.weights(
                    path,
                    Fans {
                        patch: patches.size(),
                        filter: conv.filter.clone(),
                        channels: shape.channels(),
                        width: conv.channels,
                        positions: positions(&after),
                    },
                    (conv.w_std, conv.b_std),
                    Some(patches),
                ))
            }
            Layer::Pool(pool) => Box::new(Pooled::windows(
                &pool.windows(shape, &after),
                pool.pooling,
                pool.normalize_edges,
            )),
            Layer::GlobalPool(pooling) => Box::new(Pooled::global(rows, *pooling)),
            Layer::Flatten => Box::new(Flattened { positions: rows }),
            Layer::LayerNorm(norm) => {
                let over = norm.over_positions(shape).unwrap_or_default();
                Box::new(Normalization::new(norm.eps, shape.positions(), &over))
            }
            Layer::Dropout(dropout) => Box::new(Masked {
                keep: dropout.keep,
                layer: self.number,
                positions: rows,
            }),
            Layer::Activation(activation) => match Elementwise::new(activation, rows) {
                Some(elementwise) => Box::new(elementwise),
                None => return refuse(),
            },
            Layer::Branch(branch) => {
                let mut paths = Vec::new();
                let mut end = shape.clone();
                for (number, layers) in branch.paths.iter().enumerate() {
                    let inner = |j| inside(path, number, j);
                    let (sequence, after) = self.sequence(layers, &inner, shape.clone())?;
                    paths.push(sequence);
                    end = after;
                }
                let merged = Paths {
                    paths,
                    merge: branch.merge,
                    positions: positions(&end),
                };
                return Ok((Some(Box::new(merged)), end));
            }
            Layer::Attention(_) => return refuse(),
        };
        Ok((Some(finite), after))
    }

    fn weights(
        &mut self,
        path: &str,
        fans: Fans,
        (w_std, b_std): (f64, f64),
        patches: Option<Patches>,
    ) -> Weights {
        let ntk = self.parameterization == Parameterization::Ntk;
        let fan_in = fans.patch;
        let filter: usize = fans.filter.iter().product();
        let mut slot = |name: &str, axes: Vec<usize>, shape| {
            self.slots.push(Slot {
                name: format!("{}.{name}", dotted(path)),
                axes,
                shape,
            });
            self.slots.len() - 1
        };
        let mut axes = fans.filter.clone();
        axes.extend([fans.channels, fans.width]);
        let weights = slot("weight", axes, (fan_in, fans.width));
        let bias = (b_std > 0.0).then(|| slot("bias", vec![fans.width], (1, fans.width)));
        self.drawn.push(Drawn {
            parameterization: self.parameterization,
            w_std,
            b_std,
            fan_in,
            fan_out: filter * fans.width,
            width: fans.width,
            layer: self.number,
        });
        Weights {
            weights,
            bias,
            w_scale: if ntk {
                w_std / (fan_in as f64).sqrt()
            } else {
                1.0
            },
            b_scale: if ntk { b_std } else { 1.0 },
            positions: fans.positions,
            patches,
        }
    }
}

struct Fans {
    /// Numbers in one patch.
    patch: usize,
    /// None for a dense layer.
    filter: Vec<usize>,
    /// Of the input.
    channels: usize,
    width: usize,
    /// Of the output.
    positions: usize,
}

/// `layers[3].branch.paths[1][0]` as `layers.3.branch.paths.1.0`.
fn dotted(path: &str) -> String {
    path.replace("][", ".").replace('[', ".").replace(']', "")
}
