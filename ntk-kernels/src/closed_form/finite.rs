//! Refuses kernels that are not finite, and says at which layer they left the numbers.

use super::{
    Diagonal, Input, Inputs, Kernel, KernelError, Matrices, Wanted, compute_unchecked, sample_shape,
};
use crate::gram::first_non_finite;
use crate::network::{Network, flatten};
use crate::structure::Structure;
use ndarray::{ArrayViewD, Axis, Slice};
use ntk_linalg::Real;

/// Refuses matrices with an entry that is not finite. Cost: a pass over them.
pub(super) fn check_matrices<T: Real>(
    network: &Network,
    Inputs(x1, x2): &Inputs<'_, T>,
    matrices: &Matrices<T>,
) -> Result<(), KernelError> {
    let both = [(Kernel::Nngp, &matrices.nngp), (Kernel::Ntk, &matrices.ntk)];
    for (kernel, matrix) in both {
        let Some((at, value)) = matrix
            .as_ref()
            .and_then(|matrix| first_non_finite(&matrix.view()))
        else {
            continue;
        };
        let [row, column] = [at[0], at[1]];
        let (others, other) = x2.as_ref().map_or((x1, "x1"), |x2| (x2, "x2"));
        let own = x2.is_none() && row == column;
        return Err(KernelError::NotFinite {
            kernel,
            one: format!("x1[{row}]").into(),
            other: format!("{other}[{column}]").into(),
            value,
            layer: layer(
                network,
                kernel,
                sample(x1, row),
                (!own).then(|| sample(others, column)),
            ),
            precision: T::NAME,
        });
    }
    Ok(())
}

/// Refuses kernels of samples with themselves that are not finite.
pub(super) fn check_diagonal<T: Real>(
    network: &Network,
    x: &Input<'_, T>,
    diagonal: &Diagonal<T>,
) -> Result<(), KernelError> {
    let both = [(Kernel::Nngp, &diagonal.nngp), (Kernel::Ntk, &diagonal.ntk)];
    for (kernel, values) in both {
        if let Some((at, value)) = first_non_finite(&values.view()) {
            let name: Box<str> = format!("x[{}]", at[0]).into();
            return Err(KernelError::NotFinite {
                kernel,
                one: name.clone(),
                other: name,
                value,
                layer: layer(network, kernel, sample(x, at[0]), None),
                precision: T::NAME,
            });
        }
    }
    Ok(())
}

/// One sample of an input.
struct One<'a, T> {
    x: ArrayViewD<'a, T>,
    structure: Structure,
}

fn sample<'a, T>(input: &'a Input<'_, T>, number: usize) -> One<'a, T> {
    let structure = input.structure.of_samples(number..number + 1);
    One {
        x: input.x.slice_axis(Axis(0), Slice::from(number..=number)),
        structure: structure.expect("a sample whose kernel was computed"),
    }
}

impl<T> One<'_, T> {
    fn input<'b>(&'b self, structure: &'b Structure) -> Input<'b, T> {
        let x = self.x.view();
        Input { x, structure }
    }
}

/// Names the first layer after which the kernel of a pair is not finite.
fn layer<T: Real>(
    network: &Network,
    kernel: Kernel,
    one: One<'_, T>,
    two: Option<One<'_, T>>,
) -> Box<str> {
    let graph = sample_shape(&one.x).map(|shape| network.resolve(&shape));
    let Ok(Ok(graph)) = graph else {
        return "the input".into();
    };
    let finite = |depth: usize| {
        let node = depth
            .checked_sub(1)
            .map(|at| &graph.nodes[graph.layers[at]]);
        let mut start = network.clone();
        start.layers.truncate(depth);
        if !node
            .map_or(&graph.input, |node| &node.after)
            .positions()
            .is_empty()
        {
            start = start.then(flatten());
        }
        let nodes = depth
            .checked_sub(1)
            .map_or(&[][..], |at| &graph.nodes[..=graph.layers[at]]);
        let of_layers = |one: &One<'_, T>| one.structure.of_layers(nodes);
        let (own, other) = (of_layers(&one), two.as_ref().map(of_layers));
        let two = two.as_ref().zip(other.as_ref());
        let two = two.map(|(two, structure)| two.input(structure));
        let inputs = Inputs(one.input(&own), two);
        // The NTK is made of the NNGP, and not finite where that is not.
        let wanted = match kernel {
            Kernel::Nngp => Wanted::One(kernel),
            Kernel::Ntk => Wanted::Both,
        };
        let found = compute_unchecked(&start, inputs, wanted, &(), 1);
        found.is_ok_and(|found| {
            let entries = [found.nngp, found.ntk].into_iter().flatten();
            entries.flatten().all(|v| Real::to_f64(v).is_finite())
        })
    };
    let count = graph.layers.len();
    let depth = (0..count).find(|&depth| !finite(depth)).unwrap_or(count);
    depth.checked_sub(1).map_or_else(
        || "the input kernel x . x' / d".into(),
        |at| {
            let node = &graph.nodes[graph.layers[at]];
            format!("{}.{}", node.path, node.layer.name()).into()
        },
    )
}
