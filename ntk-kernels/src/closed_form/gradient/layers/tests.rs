//! Derivatives of layers against central differences of their kernels, and what goes back against what goes
//! forth.

use super::super::super::Input;
use super::super::super::program::{Attention, Mix, Program, Recurrent, Step};
use super::super::super::spatial::lanes::{GROUP, Groups, Mask};
use super::super::super::spatial::spare::Spare;
use super::super::super::spatial::whole::attention::{apply, weights};
use super::super::super::spatial::whole::field::{Extent, Field};
use super::super::super::spatial::whole::recurrent::{last, own_numbers, states, variances};
use super::super::super::spatial::whole::{aggregate, mask, stack};
use super::{attention, recurrent};
use crate::dual::Activation;
use crate::network::{
    Decay, Hyperparameters, Mechanism, Network, Parameterization, PositionalEmbedding,
    PositionalMerge, Recurrent as Layer, Shape, States, attention as layer, dense, erf, gelu,
    leaky_relu, recurrent as recurrent_layer, relu,
};
use crate::pack::{LANES, Pack};
use crate::{Graphs, Structure};
use ndarray::Array3;
use std::convert::Infallible;

/// The steps of central differences of fourth order, which err by about `h^4`, and by rounding.
const STEP: f64 = 3e-4;
/// Above both, relative to the largest derivative.
const DIFFERENCES: f64 = 1e-9;
/// Above the rounding of a sum of some thousand products, relative to the sum of their magnitudes.
const ROUNDING: f64 = 1e-13;

/// The number of numbers at a position, of which covariances are means.
const CHANNELS: usize = 7;

/// Numbers from -1 to 1 that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }

    fn field(&mut self, extent: Extent, positions: usize) -> Field<f64> {
        let mut field = Field::zeros(extent, positions, true);
        for pack in field.nngp.iter_mut().chain(field.ntk.iter_mut().flatten()) {
            pack.0.iter_mut().for_each(|v| *v = self.next());
        }
        field
    }
}

/// Vectors of both groups at all positions, `[position][sample][channel]`, and their velocities.
struct Moving {
    positions: usize,
    at: [Vec<f64>; 2],
    by: [Vec<f64>; 2],
}

impl Moving {
    fn new(positions: usize, numbers: &mut Numbers) -> Self {
        let mut both = || [0, 1].map(|_| numbers.many(positions * GROUP * CHANNELS));
        let (at, by) = (both(), both());
        Self { positions, at, by }
    }

    /// Computes the covariances of two sides after some time, and their derivatives.
    fn covariances(&self, sides: [usize; 2], extent: Extent, time: f64) -> [Vec<Pack<f64>>; 2] {
        let of = |side: usize, position: usize, sample: usize| {
            let start = (position * GROUP + sample) * CHANNELS;
            let channels = start..start + CHANNELS;
            channels.map(move |at| {
                let by = self.by[sides[side]][at];
                [self.at[sides[side]][at] + time * by, by]
            })
        };
        let zeros = vec![Pack::zero(); extent.len(self.positions)];
        let mut found = [zeros.clone(), zeros];
        for at in 0..found[0].len() {
            let (p, q) = match extent {
                Extent::Diagonal => (at, at),
                Extent::All => (at / self.positions, at % self.positions),
            };
            for lane in 0..LANES {
                for ([x, dx], [y, dy]) in of(0, p, lane / GROUP).zip(of(1, q, lane % GROUP)) {
                    found[0][at].0[lane] += x * y / CHANNELS as f64;
                    found[1][at].0[lane] += (dx * y + x * dy) / CHANNELS as f64;
                }
            }
        }
        found
    }
}

/// Covariances that move, and masks.
struct Case {
    nngp: Moving,
    ntk: Moving,
    masks: [Option<Mask>; 2],
    extent: Extent,
}

impl Case {
    fn new(positions: usize, extent: Extent, masked: bool, numbers: &mut Numbers) -> Self {
        let mut mask = || {
            let masks = (0..positions).map(|p| {
                // The first position of each sample is there.
                std::array::from_fn(|_| numbers.next() > 0.3 && p > 0)
            });
            masked.then(|| masks.collect())
        };
        let masks = [mask(), mask()];
        Self {
            nngp: Moving::new(positions, numbers),
            ntk: Moving::new(positions, numbers),
            masks,
            extent,
        }
    }

    /// Makes the field of two sides after some time, and its derivatives.
    fn fields(&self, sides: [usize; 2], time: f64) -> [Field<f64>; 2] {
        let nngp = self.nngp.covariances(sides, self.extent, time);
        let ntk = self.ntk.covariances(sides, self.extent, time);
        let both = nngp.into_iter().zip(ntk).map(|(nngp, ntk)| {
            let mut field = Field {
                extent: self.extent,
                positions: self.nngp.positions,
                nngp,
                ntk: Some(ntk),
                masks: sides.map(|side| self.masks[side].clone()),
            };
            mask::apply(&mut field);
            field
        });
        let both: Vec<_> = both.collect();
        both.try_into().unwrap()
    }

    fn field(&self, sides: [usize; 2], time: f64) -> Field<f64> {
        let [field, _] = self.fields(sides, time);
        field
    }
}

fn numbers_of(field: &Field<f64>) -> Vec<f64> {
    let ntk = field.ntk.iter().flatten();
    field
        .nngp
        .iter()
        .chain(ntk)
        .flat_map(|pack| pack.0)
        .collect()
}

/// Differentiates `f` at 0.
fn difference(f: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let at = |k: f64| {
        let ends = f(k * STEP).into_iter().zip(f(-k * STEP));
        ends.map(move |(a, b)| (a - b) / (2.0 * k * STEP))
            .collect::<Vec<_>>()
    };
    at(1.0)
        .iter()
        .zip(at(2.0))
        .map(|(a, b)| (4.0 * a - b) / 3.0)
        .collect()
}

fn close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        let far = (a - b).abs() / scale;
        assert!(
            far < DIFFERENCES,
            "{what}, {at}: {a} and {b} by differences, {far:e} apart"
        );
    }
}

/// The two sides of `<bar, J v> = <J^T bar, v>`.
#[derive(Default)]
struct Products {
    sides: [f64; 2],
    size: f64,
}

impl Products {
    fn add(&mut self, side: usize, one: &[f64], two: &[f64]) {
        assert_eq!(one.len(), two.len());
        for (a, b) in one.iter().zip(two) {
            self.sides[side] += a * b;
            self.size += (a * b).abs();
        }
    }

    fn equal(&self, what: &str) {
        let [one, two] = self.sides;
        assert!(one != 0.0, "{what}: nothing moves");
        let far = (one - two).abs() / self.size;
        assert!(
            far < ROUNDING,
            "{what}: {one} forth and {two} back, {far:e} apart"
        );
    }
}

/// Choices of hyperparameters: none, all, and each by itself.
fn choices(count: usize) -> Vec<Vec<bool>> {
    let one = (0..count).map(|number| (0..count).map(|other| other == number).collect());
    [vec![false; count], vec![true; count]]
        .into_iter()
        .chain(one)
        .collect()
}

/// A layer at the end of a network whose hyperparameters move.
struct Moved {
    network: Network,
    shape: Shape,
}

impl Moved {
    fn program(&self, numbers: &[bool], time: f64) -> Program {
        let chosen = Hyperparameters::all(&self.network);
        let values = chosen.values().into_iter().zip(numbers);
        let values = values.map(|(value, &chosen)| value + if chosen { time } else { 0.0 });
        let network = chosen
            .set(&self.network, &values.collect::<Vec<_>>())
            .unwrap();
        Program::new(&network.resolve(self.shape.clone()).unwrap()).unwrap()
    }

    fn attention(&self, numbers: &[bool], time: f64) -> Attention {
        let Some(Step::Mix(Mix::Attention(attention))) = self.program(numbers, time).steps.pop()
        else {
            panic!("attention is the last layer");
        };
        *attention
    }

    fn recurrent(&self, numbers: &[bool], time: f64) -> Recurrent {
        let Some(Step::Mix(Mix::Recurrent(layer))) = self.program(numbers, time).steps.pop() else {
            panic!("the recurrent layer is the last");
        };
        *layer
    }
}

const POSITIONS: usize = 6;

fn attentions() -> Vec<(String, Moved)> {
    let embeddings = [
        None,
        Some(PositionalEmbedding {
            w_std: 0.7,
            decay: Some(Decay::Exp(0.4)),
            ..PositionalEmbedding::default()
        }),
        Some(PositionalEmbedding {
            merge: PositionalMerge::Concat,
            w_std: 0.8,
            values: true,
            decay: Some(Decay::Power(0.5)),
            ..PositionalEmbedding::default()
        }),
    ];
    let mut all = Vec::new();
    for mechanism in [
        Mechanism::Identity,
        Mechanism::Softmax,
        Mechanism::Relu,
        Mechanism::Abs,
    ] {
        for linear in [true, false] {
            if mechanism == Mechanism::Softmax && !linear {
                // There is no such kernel.
                continue;
            }
            for (number, embedding) in embeddings.into_iter().enumerate() {
                let of = layer().mechanism(mechanism).linear_scaling(linear);
                let of = of.w_stds(1.3, 0.8, 1.2, 0.9);
                let of = of.b_std((number != 1).then_some(0.3));
                let of = match embedding {
                    None => of,
                    Some(embedding) => of.embedding(embedding),
                };
                let what = format!("{of:?}");
                let network = Network::new().then(dense().b_std(0.1)).then(of);
                let shape = Shape::new([2, POSITIONS / 2], CHANNELS);
                all.push((what, Moved { network, shape }));
            }
        }
    }
    all
}

#[test]
fn attention_forth_is_as_differences_say() {
    let mut numbers = Numbers(1);
    for (what, network) in attentions() {
        for masked in [false, true] {
            let case = Case::new(POSITIONS, Extent::All, masked, &mut numbers);
            let what = format!("{what}, masked: {masked}");
            let count = network.network.hyperparameters().len();
            for chosen in choices(count) {
                let known = |side: usize, time: f64| {
                    let logits = network.attention(&chosen, time).logits;
                    weights(&logits, &case.field([side; 2], time))
                };
                let of = network.attention(&chosen, 0.0);
                let by_known = [0, 1].map(|side: usize| {
                    let [field, by] = case.fields([side; 2], 0.0);
                    let found =
                        attention::own_tangent(&of, &known(side, 0.0), &field, &by, &chosen);
                    close(&found, &difference(|time| known(side, time)), &what);
                    found
                });
                let spare = &mut Spare::default();
                // Pairs of samples with themselves are parallel, where duals have kinks.
                for sides in [[0, 1], [0, 0]] {
                    let after = |time: f64| {
                        let logits = network.attention(&chosen, time).logits;
                        let known = sides.map(|side| known(side, time));
                        let known = known.each_ref().map(|known| &known[..]);
                        let field = case.field(sides, time);
                        numbers_of(&apply(&logits, known, field, &mut Spare::default()))
                    };
                    let at = sides.map(|side| known(side, 0.0));
                    let [field, by] = case.fields(sides, 0.0);
                    let found = attention::tangent(
                        &of,
                        at.each_ref().map(|known| &known[..]),
                        sides.map(|side| &by_known[side][..]),
                        [&field, &by],
                        &chosen,
                        spare,
                    );
                    let expected = difference(after);
                    close(
                        &numbers_of(&found),
                        &expected,
                        &format!("{what}, {sides:?}"),
                    );
                }
            }
        }
    }
}

#[test]
fn attention_back_is_the_transpose() {
    let mut numbers = Numbers(2);
    for (what, network) in attentions() {
        for masked in [false, true] {
            let case = Case::new(POSITIONS, Extent::All, masked, &mut numbers);
            let what = format!("{what}, masked: {masked}");
            let count = network.network.hyperparameters().len();
            for chosen in choices(count) {
                let of = network.attention(&chosen, 0.0);
                let known = [0, 1].map(|side| weights(&of.logits, &case.field([side; 2], 0.0)));
                let known = known.each_ref().map(|known| &known[..]);
                let by_known = known.map(|known| numbers.many(known.len()));
                let by_known = by_known.each_ref().map(|known| &known[..]);
                let rates: Vec<f64> = chosen
                    .iter()
                    .map(|&chosen| f64::from(u8::from(chosen)))
                    .collect();
                let field = case.field([0, 1], 0.0);
                let [by, bar] = [0, 1].map(|_| numbers.field(Extent::All, POSITIONS));
                let spare = &mut Spare::default();
                let forth = attention::tangent(&of, known, by_known, [&field, &by], &chosen, spare);
                let mut hyperparameters = vec![0.0; count];
                let (back, known_back) = attention::adjoint(
                    &of,
                    known,
                    &field,
                    bar.clone(),
                    &mut hyperparameters,
                    spare,
                );
                let mut products = Products::default();
                products.add(0, &numbers_of(&bar), &numbers_of(&forth));
                products.add(1, &numbers_of(&back), &numbers_of(&by));
                products.add(1, &hyperparameters, &rates);
                for (back, by) in known_back.iter().zip(by_known) {
                    products.add(1, back, by);
                }
                products.equal(&what);

                let field = case.field([0; 2], 0.0);
                let forth = attention::own_tangent(&of, known[0], &field, &by, &chosen);
                let given = numbers.many(forth.len());
                let mut back = Field::zeros(Extent::All, POSITIONS, true);
                hyperparameters.fill(0.0);
                attention::own_adjoint(
                    &of,
                    known[0],
                    &field,
                    &given,
                    &mut back,
                    &mut hyperparameters,
                );
                let mut products = Products::default();
                products.add(0, &given, &forth);
                products.add(1, &numbers_of(&back), &numbers_of(&by));
                products.add(1, &hyperparameters, &rates);
                products.equal(&what);
            }
        }
    }
}

fn recurrences() -> Vec<(String, Moved)> {
    let activations: [Activation; 4] = [relu(), erf(1.1, 0.8, 0.2), leaky_relu(0.3), gelu()];
    let mut all = Vec::new();
    for activation in activations {
        for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
            for (b_std, biases) in [(None, 1), (Some(0.4), 1), (Some(0.4), 2)] {
                for states in [States::Last, States::All] {
                    let of = Layer {
                        states,
                        ..recurrent_layer(activation.clone()).width(5)
                    };
                    let of = of.w_std(1.2).u_std(0.9).b_std(b_std).biases(biases);
                    let what = format!("{of:?}, {parameterization:?}");
                    let network = Network::new().then(dense().b_std(0.1)).then(of);
                    let network = network.parameterization(parameterization);
                    let shape = Shape::new([POSITIONS], CHANNELS);
                    all.push((what, Moved { network, shape }));
                }
            }
        }
    }
    all
}

/// The pairs of positions, and whether masks are there, that a recurrent layer meets.
const MEETS: [(Extent, bool); 3] = [
    (Extent::Diagonal, false),
    (Extent::All, false),
    (Extent::All, true),
];

fn known_of(layer: &Recurrent, field: &Field<f64>) -> Vec<f64> {
    own_numbers(layer, &field.diagonal(), &|_| String::new()).unwrap()
}

/// The variances of all states of a group.
fn variances_of(layer: &Recurrent, field: &Field<f64>) -> Vec<f64> {
    let Ok(all) = variances(layer, &field.diagonal(), |_, _| Ok::<(), Infallible>(()));
    all
}

#[test]
fn recurrent_layers_forth_are_as_differences_say() {
    let mut numbers = Numbers(3);
    for (what, network) in recurrences() {
        for (extent, masked) in MEETS {
            let case = Case::new(POSITIONS, extent, masked, &mut numbers);
            let what = format!("{what}, {extent:?}, masked: {masked}");
            for chosen in choices(network.network.hyperparameters().len()) {
                let of = network.recurrent(&chosen, 0.0);
                let by_variances = [0, 1].map(|side: usize| {
                    let [field, by] = case.fields([side; 2], 0.0);
                    let found = recurrent::own_tangent(&of, [&field, &by], &chosen);
                    let expected = difference(|time| {
                        variances_of(
                            &network.recurrent(&chosen, time),
                            &case.field([side; 2], time),
                        )
                    });
                    close(&found, &expected, &what);
                    found
                });
                for sides in [[0, 1], [0, 0]] {
                    let known = |time: f64| {
                        let layer = network.recurrent(&chosen, time);
                        sides.map(|side| known_of(&layer, &case.field([side; 2], time)))
                    };
                    let after = |time: f64| {
                        let layer = network.recurrent(&chosen, time);
                        let (field, known) = (case.field(sides, time), known(time));
                        let known = known.each_ref().map(|known| &known[..]);
                        let all = states(&layer, known, &field, None);
                        numbers_of(&match layer.recurrence.states {
                            States::All => all,
                            States::Last => last(&all, &field.masks),
                        })
                    };
                    let [field, by] = case.fields(sides, 0.0);
                    let found = recurrent::tangent(
                        &of,
                        known(0.0).each_ref().map(|known| &known[..]),
                        sides.map(|side| &by_variances[side][..]),
                        [&field, &by],
                        &chosen,
                    );
                    let expected = difference(after);
                    close(
                        &numbers_of(&found),
                        &expected,
                        &format!("{what}, {sides:?}"),
                    );
                }
            }
        }
    }
}

#[test]
fn recurrent_layers_back_are_the_transpose() {
    let mut numbers = Numbers(4);
    for (what, network) in recurrences() {
        for (extent, masked) in MEETS {
            let case = Case::new(POSITIONS, extent, masked, &mut numbers);
            let what = format!("{what}, {extent:?}, masked: {masked}");
            let count = network.network.hyperparameters().len();
            for chosen in choices(count) {
                let of = network.recurrent(&chosen, 0.0);
                let known = [0, 1].map(|side| known_of(&of, &case.field([side; 2], 0.0)));
                let known = known.each_ref().map(|known| &known[..]);
                let by_variances = known.map(|_| numbers.many(POSITIONS * GROUP));
                let by_variances = by_variances.each_ref().map(|by| &by[..]);
                let rates: Vec<f64> = chosen
                    .iter()
                    .map(|&chosen| f64::from(u8::from(chosen)))
                    .collect();
                let field = case.field([0, 1], 0.0);
                let by = numbers.field(extent, POSITIONS);
                let forth = recurrent::tangent(&of, known, by_variances, [&field, &by], &chosen);
                let bar = numbers.field(forth.extent, forth.positions);
                let mut hyperparameters = vec![0.0; count];
                let (back, variances) =
                    recurrent::adjoint(&of, known, &field, &bar, &mut hyperparameters);
                let mut products = Products::default();
                products.add(0, &numbers_of(&bar), &numbers_of(&forth));
                products.add(1, &numbers_of(&back), &numbers_of(&by));
                products.add(1, &hyperparameters, &rates);
                for (back, by) in variances.iter().zip(by_variances) {
                    products.add(1, back, by);
                }
                products.equal(&what);

                let field = case.field([0; 2], 0.0);
                let forth = recurrent::own_tangent(&of, [&field, &by], &chosen);
                let given = numbers.many(forth.len());
                let mut back = Field::zeros(extent, POSITIONS, true);
                hyperparameters.fill(0.0);
                recurrent::own_adjoint(&of, &field, &given, &mut back, &mut hyperparameters);
                let mut products = Products::default();
                products.add(0, &given, &forth);
                products.add(1, &numbers_of(&back), &numbers_of(&by));
                products.add(1, &hyperparameters, &rates);
                products.equal(&what);
            }
        }
    }
}

/// Parameters of the activation of a recurrent layer, and the deviation of an embedding, are listed too.
#[test]
fn all_hyperparameters_have_names() {
    let names = |network: &Network| {
        let all = network.hyperparameters().into_iter();
        all.map(|of| of.name.replace("layers[1].", ""))
            .skip(2)
            .collect::<Vec<_>>()
    };
    let found = recurrences()
        .iter()
        .map(|(_, network)| names(&network.network))
        .collect::<Vec<_>>();
    let erf = [
        "w_std",
        "u_std",
        "b_std",
        "activation.a",
        "activation.b",
        "activation.c",
    ];
    let expected = erf.map(|name| format!("recurrent.{name}"));
    assert!(found.iter().any(|names| names[..] == expected), "{found:?}");
    let (_, network) = attentions().pop().unwrap();
    let weights = ["w_key_std", "w_value_std", "w_query_std", "w_out_std"];
    let all = weights.into_iter().chain(["b_std", "embedding.w_std"]);
    let expected: Vec<_> = all.map(|name| format!("attention.{name}")).collect();
    assert_eq!(names(&network.network), expected);
}

#[test]
fn sums_over_edges_back_are_the_transpose() {
    let mut numbers = Numbers(5);
    let edges = Array3::from_shape_fn((2 * GROUP, POSITIONS, POSITIONS), |_| {
        Some(numbers.next())
            .filter(|&weight| weight > 0.0)
            .unwrap_or(0.0)
    });
    let x = Array3::from_elem((2 * GROUP, POSITIONS, 1), 1.0).into_dyn();
    let structure = Structure::of_graphs(Graphs::dense(&edges).unwrap());
    let plain = Structure::default();
    let groups = [&structure, &plain].map(|structure| {
        let x = x.view();
        Groups::new(&Input { x, structure })
    });
    for (one, two) in [(0, 0), (0, 1), (1, 0)] {
        let beside = [groups[one].beside(0), groups[two].beside(1)];
        let (sizes, over) = ([POSITIONS, 1, 1], [true, false, false]);
        let [by, bar] = [0, 1].map(|_| numbers.field(Extent::All, POSITIONS));
        let (mut forth, mut back) = (by.clone(), bar.clone());
        let spare = &mut Spare::default();
        aggregate::sum(sizes, over, beside, &mut forth, spare);
        aggregate::transposed(sizes, over, beside, &mut back, spare);
        let mut products = Products::default();
        products.add(0, &numbers_of(&bar), &numbers_of(&forth));
        products.add(1, &numbers_of(&back), &numbers_of(&by));
        products.equal("edges");
    }
}

#[test]
fn stacks_back_are_the_transpose() {
    let mut numbers = Numbers(6);
    for axis in 0..3 {
        let mut sizes = [[2, 1, 3]; 3];
        (sizes[0][axis], sizes[2][axis]) = (1, 4);
        let count = |sizes: &[usize; 3]| sizes.iter().product::<usize>();
        let total = sizes.iter().map(count).sum();
        for extent in [Extent::Diagonal, Extent::All] {
            let by: Vec<_> = sizes
                .iter()
                .map(|sizes| numbers.field(extent, count(sizes)))
                .collect();
            let bar = numbers.field(extent, total);
            let forth = stack::along(axis, &sizes, &by);
            let back = stack::apart(axis, &sizes, &bar);
            let mut products = Products::default();
            products.add(0, &numbers_of(&bar), &numbers_of(&forth));
            for (back, by) in back.iter().zip(&by) {
                products.add(1, &numbers_of(back), &numbers_of(by));
            }
            products.equal("stack");
        }
    }
}

/// What masks do to covariances is a factor of each pair, which is its own transpose.
#[test]
fn masks_are_their_own_transposes() {
    let mut numbers = Numbers(7);
    for extent in [Extent::Diagonal, Extent::All] {
        let case = Case::new(POSITIONS, extent, true, &mut numbers);
        let factors = [0, 1].map(|_| numbers.many(POSITIONS * GROUP));
        let [by, bar] = [0, 1].map(|_| numbers.field(extent, POSITIONS));
        let through = |field: &Field<f64>| {
            let masks = case.masks.clone();
            let mut field = Field {
                masks,
                ..field.clone()
            };
            mask::apply(&mut field);
            mask::multiply(&mut field, factors.each_ref().map(|factors| &factors[..]));
            field
        };
        let mut products = Products::default();
        products.add(0, &numbers_of(&bar), &numbers_of(&through(&by)));
        products.add(1, &numbers_of(&through(&bar)), &numbers_of(&by));
        products.equal("masks");
    }
}
