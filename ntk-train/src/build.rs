//! From a resolved graph to the layers of a finite network.

use crate::layers::{
    AffineLayer, EdgeSums, Elementwise, FiniteLayer, Flattened, Masked, Mixed, Normalization,
    NumberedLayer, Paths, ScaleAndShift, SelfAttention, Sequence, SideBySide, Standardization,
    Tied, TokenVectors, positions,
};
use crate::model_error::ModelError;
use ntk_kernels::network::{Action, Graph, Node};
use ntk_linalg::Real;

/// Returns the number of each layer's first parameter among all.
pub(crate) fn first_parameters(graph: &Graph) -> Vec<usize> {
    let counts = graph.nodes.iter().map(|node| node.parameters.len());
    counts
        .scan(0, |next, count| {
            Some(std::mem::replace(next, *next + count))
        })
        .collect()
}

/// Builds the layers of `graph`, those inside branches with them.
pub(crate) fn build<T: Real>(graph: &Graph) -> Result<Sequence<T>, ModelError> {
    sequence(graph, &first_parameters(graph), &graph.layers)
}

fn sequence<T: Real>(
    graph: &Graph,
    first: &[usize],
    numbers: &[usize],
) -> Result<Sequence<T>, ModelError> {
    let layers = numbers.iter().map(|&number| {
        Ok::<_, ModelError>(NumberedLayer {
            layer: layer(graph, first, number)?,
            number,
            positions: positions(&graph.nodes[number].after),
        })
    });
    Ok(Sequence(layers.collect::<Result<_, _>>()?))
}

fn layer<T: Real>(
    graph: &Graph,
    first: &[usize],
    number: usize,
) -> Result<Box<dyn FiniteLayer<T>>, ModelError> {
    let node = &graph.nodes[number];
    let paths = node.paths.iter();
    let paths = paths.map(|path| sequence(graph, first, path));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    if let Some(reason) = &node.no_finite {
        return Err(refusal(node, reason.clone()));
    }
    Ok(match &node.action {
        Action::Nothing => Box::new(Sequence(Vec::new())),
        Action::Weights(weights) => Box::new(AffineLayer::new(weights, node, first[number])),
        Action::Positions(map) => Box::new(Mixed::new(map, node.reads[0])),
        Action::Flatten { over } => Box::new(Flattened::new(&node.before, over)),
        Action::Activation(activation) => Box::new(Elementwise::new(activation, &node.before)),
        Action::Normalize { eps, over, affine } => {
            let layer = Normalization::new(*eps, &node.before, over, node.reads[0]);
            scaled(Box::new(layer), *affine, node, (first[number], number))
        }
        Action::BatchNorm { eps, affine } => {
            let layer = Standardization::new(*eps, *affine, first[number]);
            scaled(Box::new(layer), *affine, node, (first[number], number))
        }
        Action::Dropout { keep } => Box::new(Masked::new(*keep, number, &node.before)),
        Action::Merge(merge) => Box::new(Paths::new(paths, *merge, &node.after)),
        Action::Concat { axis } => {
            let ends = node.reads.iter();
            let ends = ends.map(|end| end.map_or(&graph.input, |end| &graph.nodes[end].after));
            let ends: Vec<_> = ends.collect();
            Box::new(SideBySide::new(paths, &ends, *axis, &node.after))
        }
        Action::Attention(logits) => {
            let layer = SelfAttention::new(logits, node, first[number]);
            Box::new(layer.map_err(|reason| refusal(node, reason))?)
        }
        Action::Aggregate { over } => Box::new(EdgeSums::new(&node.before, over)),
        Action::Recurrent(recurrence) => Box::new(Tied::new(recurrence, node, first[number])),
        Action::Embedding { .. } => Box::new(TokenVectors::new(node, first[number])),
    })
}

/// Adds the trained scale and shift of each channel that follow a normalisation, if they do.
fn scaled<T: Real>(
    layer: Box<dyn FiniteLayer<T>>,
    affine: bool,
    node: &Node,
    (first, number): (usize, usize),
) -> Box<dyn FiniteLayer<T>> {
    if !affine {
        return layer;
    }
    let positions = positions(&node.after);
    let numbered = |layer| NumberedLayer {
        layer,
        number,
        positions,
    };
    let scale = Box::new(ScaleAndShift::new(node, first));
    Box::new(Sequence(vec![numbered(layer), numbered(scale)]))
}

fn refusal(node: &Node, reason: String) -> ModelError {
    ModelError::Layer {
        path: node.path.clone(),
        layer: node.layer.name().into(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Stencil;
    use crate::{Init, Model, ModelError};
    use ntk_kernels::network::*;

    #[test]
    fn names_axes_and_shapes_of_parameters() {
        let network = Network::new()
            .then(conv([3]).channels(4).same().b_std(0.5))
            .then(own(Stencil(vec![0.0, 1.0])))
            .then(branch([
                Network::new().then(conv([2]).channels(5).same()),
                Network::new()
                    .then(relu())
                    .then(residual(Network::new().then(dense().width(4))))
                    .then(dense().width(5).b_std(1.0)),
            ]))
            .then(flatten())
            .then(dense().width(2));
        let input = Shape::new([6], 2);
        let model = Model::<f64>::new(&network, &input, Init::default(), 1).unwrap();
        let found: Vec<_> = model.graph().parameters().collect();
        let expected: [(&str, &[usize], (usize, usize)); 7] = [
            ("layers.0.weight", &[3, 2, 4], (6, 4)),
            ("layers.0.bias", &[4], (1, 4)),
            ("layers.2.branch.paths.0.0.weight", &[2, 4, 5], (8, 5)),
            (
                "layers.2.branch.paths.1.1.branch.paths.0.0.weight",
                &[4, 4],
                (4, 4),
            ),
            ("layers.2.branch.paths.1.2.weight", &[4, 5], (4, 5)),
            ("layers.2.branch.paths.1.2.bias", &[5], (1, 5)),
            ("layers.4.weight", &[30, 2], (30, 2)),
        ];
        assert_eq!(found.len(), 7);
        for (found, (name, axes, shape)) in found.into_iter().zip(expected) {
            assert_eq!(found.name, name);
            assert_eq!((&found.axes[..], found.shape), (axes, shape), "{name}");
        }
        let parameters = model.parameters();
        assert!(parameters.iter().zip(expected).all(|(p, e)| p.dim() == e.2));
        assert_eq!(model.network(), network);
    }

    #[test]
    fn layers_without_a_finite_form_say_why() {
        let network = Network::new()
            .then(dense())
            .then(residual(Network::new().then(exp_normalized(1.0, 0.5))));
        let error = Model::<f64>::new(&network, Shape::features(3), Init::default(), 1)
            .err()
            .unwrap();
        assert!(matches!(error, ModelError::Layer { .. }));
        assert!(
            error
                .to_string()
                .starts_with("layers[1].branch.paths[0][0].exp_normalized: it is known by"),
            "{error}"
        );
    }
}
