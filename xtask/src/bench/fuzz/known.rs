//! Where neural_tangents 0.6.5 is known to be wrong, as finite networks or extended precision showed.

use super::{Difference, Drawn};
use ntk_kernels::network::{Action, Graph, Node};

/// A fault of neural_tangents, and the differences that it explains.
struct Fault {
    sentence: &'static str,
    explains: fn(&Drawn<'_>, &Difference) -> bool,
}

const FAULTS: [Fault; 8] = [
    Fault {
        sentence: "after an odd number of convolutions the axes of positions are reversed, which conv_local and \
                   resize over two or more axes forget",
        explains: |drawn, _| {
            let graph = &drawn.graph;
            drawn.any(|node| {
                ["conv_local", "resize"].contains(&node.layer.name())
                    && node.before.positions().len() > 1
                    && reversed(graph, node.reads[0])
            })
        },
    },
    Fault {
        sentence: "sign takes the covariances of all positions of a sample to be 1, which is seen in the variances \
                   once positions are mixed",
        explains: |drawn, _| {
            let sign = |node: &Node| node.layer.name() == "sign";
            let mixed = |node: &Node| mixes(node) && drawn.above(node, &sign, &|_| false);
            let variances = |node: &Node| {
                matches!(
                    node.action,
                    Action::Activation(_) | Action::Normalize { .. }
                )
            };
            let attention = |node: &Node| matches!(node.action, Action::Attention(_));
            drawn.any(|node| {
                variances(node) && drawn.above(node, &mixed, &|_| false)
                    || attention(node) && drawn.above(node, &sign, &|_| false)
            })
        },
    },
    Fault {
        sentence: "rectified_monomial, polynomial and quadrature are no number where a variance is 0, and \
                   rectified_monomial where samples or positions are parallel",
        explains: |drawn, difference| {
            let names = ["rectified_monomial", "polynomial", "quadrature"];
            difference.theirs.is_none() && drawn.has(&names)
        },
    },
    Fault {
        sentence: "quadrature has another rule, whose error grows with the variance",
        explains: |drawn, difference| {
            drawn.has(&["quadrature"]) && difference.far.is_some_and(|far| far < QUADRATURE)
        },
    },
    Fault {
        sentence: "between conv_local and sums of positions without an activation covariances of different positions \
                   are dropped: of other paths, and of masks, which count once in place of for each sample",
        explains: |drawn, _| {
            let local = |node: &Node| node.layer.name() == "conv_local";
            let activation = |node: &Node| matches!(node.action, Action::Activation(_));
            let linear = |node: &Node| drawn.above(node, &local, &activation);
            let masked = drawn.draw.structure.masked().is_some();
            let merged = |node: &Node| node.layer.name() == "branch" && linear(node);
            drawn.any(|node| {
                mixes(node) && linear(node) && (masked || drawn.above(node, &merged, &activation))
            })
        },
    },
    Fault {
        sentence: "layer_norm over positions adds eps at masked positions too",
        explains: |drawn, _| {
            let over = |node: &Node| match &node.action {
                Action::Normalize { eps, over, .. } => *eps > 0.0 && over.contains(&true),
                _ => false,
            };
            drawn.draw.structure.masked().is_some() && drawn.any(over)
        },
    },
    Fault {
        sentence: "the mask of a circular conv_transpose does not wrap",
        explains: |drawn, _| {
            let circular = |node: &Node| {
                node.layer.name() == "conv_transpose"
                    && node.layer.kind().options()["padding"] == "circular"
            };
            drawn.draw.structure.masked().is_some() && drawn.any(circular)
        },
    },
    Fault {
        sentence: "the angle between parallel samples or positions is the root of a rounding error",
        explains: |drawn, difference| {
            let names = [
                "relu",
                "leaky_relu",
                "abs",
                "abrelu",
                "sign",
                "rectified_monomial",
            ];
            difference.far.is_some_and(|far| far < ANGLE) && drawn.has(&names)
        },
    },
];

/// The largest difference that an error of quadrature explains.
const QUADRATURE: f64 = 0.05;

/// The largest difference that a rounded angle explains: some layers' sum of `sqrt(2 epsilon)`, 2e-8.
const ANGLE: f64 = 1e-7;

/// Returns a sentence about what explains a difference, if anything known does.
pub(super) fn reason(drawn: &Drawn<'_>, difference: &Difference) -> Option<&'static str> {
    let fault = FAULTS
        .iter()
        .find(|fault| (fault.explains)(drawn, difference))?;
    Some(fault.sentence)
}

impl Drawn<'_> {
    fn any(&self, says: impl Fn(&Node) -> bool) -> bool {
        self.graph.nodes.iter().any(says)
    }

    fn has(&self, names: &[&str]) -> bool {
        self.any(|node| names.contains(&node.layer.name()))
    }

    /// Says whether this holds of a node that another one reads, directly or through others, none of
    /// which stops the search.
    fn above(
        &self,
        node: &Node,
        says: &impl Fn(&Node) -> bool,
        stops: &impl Fn(&Node) -> bool,
    ) -> bool {
        let mut read = node.reads.iter().flatten().map(|&at| &self.graph.nodes[at]);
        read.any(|node| says(node) || !stops(node) && self.above(node, says, stops))
    }
}

/// Says whether values of different positions of a sample meet in a layer.
fn mixes(node: &Node) -> bool {
    let positions: usize = node.before.positions().iter().product();
    let apart = match &node.action {
        Action::Weights(weights) => weights.windows.is_none(),
        Action::Positions(_) | Action::Attention(_) | Action::Aggregate { .. } => false,
        Action::Normalize { over, .. } => !over.contains(&true),
        _ => true,
    };
    positions > 1 && !apart
}

/// Says whether neural_tangents has the axes of positions in reverse order after a node.
fn reversed(graph: &Graph, at: Option<usize>) -> bool {
    let Some(at) = at else {
        return false;
    };
    let node = &graph.nodes[at];
    let before = |&read: &Option<usize>| reversed(graph, read);
    match node.layer.name() {
        "conv" | "conv_transpose" => !before(&node.reads[0]),
        "flatten" | "global_avg_pool" | "global_sum_pool" | "position_map" | "scale" => false,
        // The order of most paths.
        _ => 2 * node.reads.iter().filter(|read| before(read)).count() > node.reads.len(),
    }
}
