//! Networks with attention, graphs, recurrence, concatenated positions and masks.

use super::{Case, close, contracted, difference, hidden, weights};
use ndarray::{Array, Dimension};
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Kernel, Structure};

fn attending(layer: Attention) -> Network {
    let layer = layer.w_stds(0.8, 1.1, 0.9, 1.2).b_std(0.2);
    Network::new()
        .then(hidden())
        .then(erf(1.1, 0.9, 0.1))
        .then(layer)
        .then(gelu())
        .then(global_avg_pool())
        .then(hidden())
}

fn positional(merge: PositionalMerge) -> PositionalEmbedding {
    PositionalEmbedding {
        merge,
        w_std: 0.7,
        values: true,
        ..PositionalEmbedding::default()
    }
}

fn recurring(layer: Recurrent) -> Network {
    let layer = layer.w_std(0.9).u_std(1.2).b_std(0.3);
    Network::new().then(hidden()).then(gelu()).then(layer)
}

/// True where a position is masked: at least one of each sample is not.
fn masked(n: usize, positions: &[usize], shift: usize) -> Structure {
    let shape = [&[n], positions].concat();
    let total: usize = positions.iter().product();
    let masked = Array::from_shape_fn(shape, |at| {
        let number = (1..at.ndim()).fold(0, |number, axis| number * positions[axis - 1] + at[axis]);
        number > (at[0] * 5 + shift) % total
    });
    Structure::of_mask(&masked)
}

fn graphs(n: usize, nodes: usize, shift: usize) -> Graphs {
    let weights = Array::from_shape_fn((n, nodes, nodes), |(i, tail, head)| {
        match (i + 2 * tail + 3 * head + shift) % 4 {
            0 => 0.0,
            more => more as f64 / 2.0 - 0.6,
        }
    });
    Graphs::dense(&weights).unwrap()
}

fn plain(network: Network, shape: Vec<usize>) -> Case {
    Case::new(network, shape, Default::default())
}

fn with_masks(network: Network, shape: Vec<usize>) -> Case {
    let positions = &shape[..shape.len() - 1];
    let structures = [masked(6, positions, 0), masked(5, positions, 1)];
    Case::new(network, shape, structures)
}

/// The cases, on sequences of four positions where nothing else is needed.
pub(super) fn cases() -> Vec<Case> {
    let sequence = || vec![4, 3];
    let mut all = Vec::new();
    for mechanism in [
        Mechanism::Identity,
        Mechanism::Abs,
        Mechanism::Relu,
        Mechanism::Softmax,
    ] {
        let layer = || attention().mechanism(mechanism);
        all.push(plain(attending(layer()), sequence()));
        all.push(plain(
            attending(layer().embedding(positional(PositionalMerge::Sum))),
            sequence(),
        ));
        if mechanism != Mechanism::Softmax {
            all.push(plain(attending(layer().linear_scaling(false)), sequence()));
        }
    }
    let concatenated = attention()
        .linear_scaling(false)
        .embedding(positional(PositionalMerge::Concat));
    all.push(plain(attending(concatenated), sequence()));
    // To the inputs themselves: with fewer channels than positions their sums would do for the kernel.
    let first = Network::new()
        .then(attention().mechanism(Mechanism::Softmax))
        .then(hidden())
        .then(relu());
    all.push(plain(first.clone().then(flatten()), vec![4, 2]));
    all.push(with_masks(first.then(global_avg_pool()), vec![4, 2]));
    let softmax = attending(attention().mechanism(Mechanism::Softmax));
    all.push(with_masks(softmax.clone(), sequence()));
    all.push(plain(
        softmax.parameterization(Parameterization::Standard),
        sequence(),
    ));

    for activation in [erf(1.0, 0.9, 0.2), relu()] {
        let layer = || recurrent(activation.clone());
        all.push(plain(recurring(layer()).then(hidden()), sequence()));
        let states = recurring(layer().all_states()).then(hidden()).then(gelu());
        all.push(plain(states.clone().then(global_avg_pool()), sequence()));
        all.push(plain(
            states
                .then(flatten())
                .parameterization(Parameterization::Standard),
            sequence(),
        ));
        all.push(with_masks(recurring(layer()).then(hidden()), sequence()));
    }

    let path = || Network::new().then(hidden()).then(gelu());
    let side_by_side = Network::new()
        .then(hidden())
        .then(concat(
            1,
            [path().then(hidden()), Network::new(), path().then(hidden())],
        ))
        .then(conv([3]).w_std(1.2))
        .then(erf(1.0, 0.8, 0.0));
    all.push(plain(side_by_side.clone().then(flatten()), vec![3, 2]));
    all.push(plain(
        side_by_side.clone().then(global_avg_pool()),
        vec![3, 2],
    ));
    all.push(with_masks(side_by_side.then(global_avg_pool()), vec![3, 2]));
    let images = Network::new()
        .then(concat(2, [path(), path().then(hidden())]))
        .then(global_sum_pool());
    all.push(plain(images, vec![2, 2, 3]));

    let on_graphs = || {
        Network::new()
            .then(hidden())
            .then(gelu())
            .then(aggregate())
            .then(hidden())
            .then(erf(1.0, 0.7, 0.2))
    };
    let both = [graphs(6, 4, 0), graphs(5, 4, 1)];
    let structures = both.clone().map(Structure::of_graphs);
    for end in [global_avg_pool().into(), Layer::from(flatten())] {
        let network = on_graphs().then(end).then(hidden());
        all.push(Case::new(network.clone(), sequence(), structures.clone()));
        let [one, two] = both.clone();
        let structures = [
            masked(6, &[4], 0).graphs(one),
            masked(5, &[4], 1).graphs(two),
        ];
        all.push(Case::new(network, sequence(), structures));
    }

    let filter = || conv([3]).same().w_std(1.3).b_std(0.2);
    let convolved = |network: Network| network.then(filter()).then(gelu());
    let sequences = convolved(convolved(Network::new()));
    all.push(with_masks(
        sequences.clone().then(global_avg_pool()).then(hidden()),
        sequence(),
    ));
    all.push(with_masks(
        convolved(convolved(Network::new()).then(avg_pool([2]))).then(flatten()),
        sequence(),
    ));
    let normalized = Network::new()
        .then(filter())
        .then(layer_norm().axes([1, 2]));
    all.push(with_masks(
        convolved(normalized.then(gelu())).then(global_avg_pool()),
        sequence(),
    ));
    let block = convolved(Network::new()).then(filter());
    all.push(with_masks(
        sequences
            .clone()
            .then(residual(block))
            .then(global_sum_pool()),
        sequence(),
    ));
    let sliced = sequences.then(slice(1).range(1, 3));
    all.push(plain(convolved(sliced).then(flatten()), sequence()));
    all
}

/// Token ids have no derivatives, and their embedding's deviation has.
#[test]
fn embeddings_of_tokens() {
    let tokens = |n: usize| {
        let token = |(i, p): (usize, usize)| ((i * 3 + p * p) % 4) as f64;
        Array::from_shape_fn((n, 5), token).into_dyn()
    };
    let x = tokens(6);
    let g = weights(6, 6);
    for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
        let at = |w_std: f64| {
            Network::new()
                .then(embedding(4).w_std(w_std))
                .then(conv([3]).same().b_std(0.3))
                .then(gelu())
                .then(global_avg_pool())
                .then(hidden())
                .parameterization(parameterization)
        };
        let network = at(1.3);
        let chosen = Hyperparameters::select(&network, &["layers[0].embedding.w_std"]).unwrap();
        for which in [Kernel::Nngp, Kernel::Ntk] {
            let plain = Default::default();
            let moved = |by: f64| contracted(&at(1.3 + by), &plain, which, &x, None);
            let found = network
                .hyperparameter_gradient(which, &chosen, &x, &g)
                .unwrap();
            close(
                &found,
                &[difference(moved)],
                &format!("{which} of\n{network}"),
            );
        }
        let error = network.input_gradient(Kernel::Ntk, &x, &g).unwrap_err();
        assert!(error.to_string().contains("token ids"), "{error}");
    }
}
