//! Derivatives of whole networks, of every kind of layer, against central differences and
//! against dfdx's reverse mode.

use crate::testing::{networks, samples, structures, vectors};
use crate::{Init, Inputs, Model};
use dfdx::prelude::*;
use dfdx::tensor::OwnedTape;
use ndarray::{Array2, ArrayD, ArrayView2, Axis as NdAxis};
use ntk_kernels::Structure;
use ntk_kernels::dual::{Activation, Wave};
use ntk_kernels::network::{
    Function, Layer, Mechanism, Merge, Network, Pooling, Role, Shape, Start, Windows, abs,
    attention, conv, cos, dense, gaussian, quadrature, recurrent, relu, sin,
};

/// A value on dfdx's tape: one sample's positions by channels.
type Taped = Tensor<(usize, usize), f64, Cpu, OwnedTape<f64, Cpu>>;
type Plain = Tensor<(usize, usize), f64, Cpu>;

fn constant(a: Array2<f64>) -> Plain {
    let (shape, values) = (a.dim(), a.iter().copied().collect());
    Cpu::default().tensor_from_vec(values, shape)
}

/// `a x` for a constant matrix.
fn times(a: Array2<f64>, x: Taped) -> Taped {
    let (x, tape) = x.split_tape();
    constant(a).put_tape(tape).matmul(x)
}

/// Rows that pick the `tap`-th position of each window; zeros beyond the edges.
fn picking(windows: &Windows, tap: (usize, usize)) -> Array2<f64> {
    let ([height, width, _], [rows, columns, _]) = (windows.inputs(), windows.outputs());
    let mut a = Array2::zeros((rows * columns, height * width));
    for y in 0..rows {
        for x in 0..columns {
            let along = |axis, at, tap| {
                let taps: &[(usize, usize)] = windows.taps(axis, at);
                taps.iter().find(|&&(t, _)| t == tap)
            };
            if let (Some(&(_, iy)), Some(&(_, ix))) = (along(0, y, tap.0), along(1, x, tap.1)) {
                a[[y * columns + x, iy * width + ix]] += 1.0;
            }
        }
    }
    a
}

fn activation(f: &Activation, x: Taped) -> Option<Taped> {
    Some(match f {
        Activation::AbRelu(f) => {
            let (x, tape) = x.split_tape();
            let negative = (-x.retaped::<OwnedTape<f64, Cpu>>()).relu() * -f.a;
            x.put_tape(tape).relu() * f.b + negative
        }
        Activation::Trigonometric(f) => {
            let u = x * f.b + f.c;
            let value = match f.wave {
                Wave::Sin => u.sin(),
                Wave::Cos => u.cos(),
            };
            value * f.a
        }
        Activation::Exp(f) => (x * f.b).exp() * f.a,
        Activation::Gaussian(f) => (x.square() * f.b).exp() * f.a,
        Activation::Rbf(f) => {
            let u = x * (2.0 * f.gamma).sqrt() + std::f64::consts::FRAC_PI_4;
            u.sin() * std::f64::consts::SQRT_2
        }
        Activation::Gabor(_) => {
            let (x, tape) = x.split_tape();
            let bell = (x.retaped::<OwnedTape<f64, Cpu>>().square() * -1.0).exp();
            x.put_tape(tape).sin() * bell
        }
        Activation::Quadrature(f) => match f.function() {
            Function::Tanh => x.tanh(),
            Function::Sigmoid => x.sigmoid(),
            Function::Softplus => (x.exp() + 1.0).ln(),
            Function::Silu => {
                let (x, tape) = x.split_tape();
                x.retaped::<OwnedTape<f64, Cpu>>().sigmoid() * x.put_tape(tape)
            }
        },
        _ => return None,
    })
}

/// Taken through the layers by dfdx; `None` where it has not the function.
fn through(
    network: &Network,
    layers: &[Layer],
    parameters: &mut std::slice::Iter<'_, Plain>,
    mut shape: Shape,
    mut x: Taped,
) -> Option<(Taped, Shape)> {
    let ntk = network.parameterization == ntk_kernels::network::Parameterization::Ntk;
    let scale = |std: f64, fan: usize| if ntk { std / (fan as f64).sqrt() } else { 1.0 };
    let biased = |z: Taped, std: Option<f64>, parameters: &mut std::slice::Iter<'_, Plain>| {
        let Some(std) = std else {
            return z;
        };
        let bias = parameters.next().expect("a bias").clone();
        let ones = constant(Array2::ones((z.shape().0, 1)));
        let rows = ones.retaped::<OwnedTape<f64, Cpu>>().matmul(bias);
        z + rows * if ntk { std } else { 1.0 }
    };
    for layer in layers {
        let after = match layer {
            Layer::Branch(_) => shape.clone(),
            layer => Network::new().then(layer.clone()).output(&shape).unwrap(),
        };
        x = match layer {
            Layer::Identity(_) | Layer::Dropout(_) => x,
            Layer::Dense(l) => {
                let w = parameters.next().expect("weights").clone();
                let z = x.matmul(w.clone()) * scale(l.w_std, shape.channels());
                biased(z, l.b_std, parameters)
            }
            Layer::Conv(l) if l.filter.len() < 3 && l.dilation.is_none() && l.groups == 1 => {
                let w = parameters.next().expect("weights").clone();
                let strides = l.strides.clone().unwrap_or_else(|| vec![1; l.filter.len()]);
                let windows = Windows::new(&l.filter, &strides, &[], &l.padding, &shape).unwrap();
                let window = windows.window();
                let c = shape.channels();
                let mut total: Option<Taped> = None;
                let (x, tape) = x.split_tape();
                let mut tape = Some(tape);
                for y in 0..window[0] {
                    for tap_x in 0..window[1] {
                        let first = (y * window[1] + tap_x) * c;
                        // The filter's part of this tap, by a product with a constant.
                        let mut rows = Array2::zeros((c, w.shape().0));
                        (0..c).for_each(|k| rows[[k, first + k]] = 1.0);
                        let rows = constant(rows).retaped::<OwnedTape<f64, Cpu>>();
                        let part = rows.matmul(w.clone());
                        let from = match tape.take() {
                            Some(tape) => x.clone().put_tape(tape),
                            None => x.retaped::<OwnedTape<f64, Cpu>>(),
                        };
                        let z = times(picking(&windows, (y, tap_x)), from).matmul(part);
                        total = Some(match total {
                            None => z,
                            Some(total) => total + z,
                        });
                    }
                }
                let fan = window.iter().product::<usize>() * c;
                biased(
                    total.expect("a tap") * scale(l.w_std, fan),
                    l.b_std,
                    parameters,
                )
            }
            Layer::Pool(l) if l.window.len() < 3 => {
                let strides = l.strides.as_ref().unwrap_or(&l.window);
                let windows = Windows::new(&l.window, strides, &[], &l.padding, &shape).unwrap();
                let [height, width, _] = windows.window();
                let all = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
                let mut a = all
                    .map(|tap| picking(&windows, tap))
                    .reduce(|a, b| a + b)
                    .expect("a window");
                for mut row in a.rows_mut() {
                    let inside = row.sum();
                    let by = match l.pooling {
                        Pooling::Sum => 1.0,
                        Pooling::Average if l.normalize_edges => inside,
                        Pooling::Average => (height * width) as f64,
                    };
                    row.mapv_inplace(|v| v / by);
                }
                times(a, x)
            }
            Layer::GlobalPool(l) if l.axes.is_none() => {
                let positions = x.shape().0;
                let weight = match l.pooling {
                    Pooling::Sum => 1.0,
                    Pooling::Average => 1.0 / positions as f64,
                };
                times(Array2::from_elem((1, positions), weight), x)
            }
            Layer::Flatten(l) if l.axes.is_none() => x.reshape_like(&(1, shape.size())),
            Layer::LayerNorm(l) if l.axes == [-1] && !l.affine => x.normalize::<Axis<1>>(l.eps),
            Layer::Activation(f) => activation(f, x)?,
            Layer::Branch(l) => {
                let (start, tape) = x.split_tape();
                let mut tape = Some(tape);
                let (mut total, mut end) = (None::<Taped>, shape.clone());
                for path in &l.paths {
                    let from = match tape.take() {
                        Some(tape) => start.clone().put_tape(tape),
                        None => start.retaped::<OwnedTape<f64, Cpu>>(),
                    };
                    let (z, after) = through(network, path, parameters, shape.clone(), from)?;
                    end = after;
                    total = Some(match (total, l.merge) {
                        (None, _) => z,
                        (Some(total), Merge::Sum) => total + z,
                        (Some(_), Merge::Concat) => return None,
                        (Some(total), Merge::Product) => total * z,
                    });
                }
                shape = end;
                x = total?;
                continue;
            }
            _ => return None,
        };
        shape = after;
    }
    Some((x, shape))
}

fn relative(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    let scale = b.iter().chain(&[1e-3]).fold(0.0_f64, |m, v| m.max(v.abs()));
    (&a - &b).iter().fold(0.0_f64, |m, v| m.max(v.abs())) / scale
}

/// Networks of one activation each, beside those of every layer.
fn all_networks() -> Vec<(&'static str, Network, Shape)> {
    let mut all = networks();
    let functions = [
        Function::Tanh,
        Function::Softplus,
        Function::Silu,
        Function::Sigmoid,
    ];
    let more = functions.map(|f| quadrature(f, 8)).into_iter();
    for f in more.chain([
        abs(),
        sin(0.7, 1.2, 0.3),
        cos(1.0, 0.8, 0.2),
        gaussian(1.0, -0.4),
    ]) {
        let network = Network::new()
            .then(dense().width(5))
            .then(f)
            .then(dense().width(2));
        all.push(("one activation", network, Shape::features(3)));
    }
    all
}

#[test]
fn gradients_are_those_of_dfdx() {
    let mut compared = 0;
    for (name, network, input) in all_networks() {
        let model = Model::<f64>::new(&network, &input, Init::default(), 5).unwrap();
        let x = samples(&network, &input, 3, 1);
        let c = vectors(3, model.outputs(), 2);
        let ours = model.vjp(&x, &c).unwrap();
        let tensors: Vec<Plain> = model.parameters().into_iter().map(constant).collect();
        let mut total: Vec<Array2<f64>> = ours.iter().map(|g| Array2::zeros(g.raw_dim())).collect();
        let mut known = true;
        for (i, x) in x.axis_iter(NdAxis(0)).enumerate() {
            let channels = input.channels();
            let x = x
                .to_shape((input.size() / channels, channels))
                .unwrap()
                .into_owned();
            let x = constant(x).put_tape(OwnedTape::default());
            let mut parameters = tensors.iter();
            let Some((z, _)) =
                through(&network, &network.layers, &mut parameters, input.clone(), x)
            else {
                known = false;
                break;
            };
            let row = c.slice(ndarray::s![i..=i, ..]).to_owned();
            let tape = (z * constant(row)).sum().backward();
            for (total, tensor) in total.iter_mut().zip(&tensors) {
                let found = Array2::from_shape_vec(total.dim(), tape.get(tensor).as_vec());
                *total += &found.unwrap();
            }
        }
        if !known {
            continue;
        }
        compared += 1;
        for (ours, theirs) in ours.iter().zip(&total) {
            let far = relative(ours.view(), theirs.view());
            assert!(far <= 1e-9, "{name}: {far:e}");
        }
    }
    assert!(compared >= 12, "{compared}");
}

/// Samples for a network, with what stands beside them.
struct Case {
    name: &'static str,
    network: Network,
    input: Shape,
    x: ArrayD<f64>,
    beside: Structure,
}

/// Makes `n` samples for each network, without masks and graphs and with them.
fn cases(n: usize, seed: u64) -> Vec<Case> {
    let networks = all_networks().into_iter();
    let cases = networks.flat_map(|(name, network, input)| {
        let x = samples(&network, &input, n, seed);
        let structures = structures(&network, &input, n, seed).into_iter();
        let cases = structures.map(|beside| Case {
            name,
            network: network.clone(),
            input: input.clone(),
            x: x.clone(),
            beside,
        });
        cases.collect::<Vec<_>>()
    });
    cases.collect()
}

impl Case {
    /// Makes a model, in which scales, shifts and statistics are not what they start from.
    fn model(&self, seed: u64) -> Model<f64> {
        let mut model = Model::new(&self.network, &self.input, Init::default(), seed).unwrap();
        let mut parameters = model.parameters();
        for (parameter, numbers) in model.graph().parameters().zip(&mut parameters) {
            if let Start::Constant(_) = parameter.start {
                let moved = numbers.indexed_iter_mut();
                moved.for_each(|((_, c), v)| *v += 0.3 * (1.0 + c as f64).sin());
            }
        }
        model.set_parameters(parameters).unwrap();
        model
    }

    fn inputs(&self) -> Inputs<'_, f64> {
        Inputs::new(&self.x).structure(&self.beside)
    }
}

#[test]
fn gradients_are_central_differences() {
    for case in cases(2, 3) {
        let mut model = case.model(6);
        let c = vectors(2, model.outputs(), 4);
        let gradient = model.vjp(case.inputs(), &c).unwrap();
        let start = model.parameters();
        let parameters: Vec<_> = model.graph().parameters().cloned().collect();
        for (number, gradient) in gradient.iter().enumerate() {
            if parameters[number].role == Role::Statistic {
                assert!(gradient.iter().all(|&g| g == 0.0), "{}", case.name);
                continue;
            }
            let last = gradient.len() - 1;
            for at in [0, last / 2, last] {
                let h = 1e-5;
                let mut value = |by: f64| {
                    let mut moved = start.clone();
                    *moved[number].iter_mut().nth(at).unwrap() += by;
                    model.set_parameters(moved).unwrap();
                    (model.forward(case.inputs()).unwrap() * &c).sum()
                };
                let slope = (value(h) - value(-h)) / (2.0 * h);
                let ours = *gradient.iter().nth(at).unwrap();
                let far = (ours - slope).abs() / slope.abs().max(1e-2);
                let name = case.name;
                assert!(far <= 1e-6, "{name} parameter {number}: {ours} for {slope}");
            }
        }
    }
}

#[test]
fn tangents_are_the_adjoints_transposed() {
    for case in cases(4, 5) {
        let model = case.model(7);
        let c = vectors(4, model.outputs(), 6);
        let parameters = model.parameters();
        let direction: Vec<_> = parameters
            .iter()
            .map(|p| p.mapv(|v| (7.0 * v).cos()))
            .collect();
        let (z, dz) = model.jvp(case.inputs(), &direction).unwrap();
        assert_eq!(z, model.forward(case.inputs()).unwrap(), "{}", case.name);
        let back = model.vjp(case.inputs(), &c).unwrap();
        let pairs = back.iter().zip(&direction);
        let (ahead, behind): (f64, f64) =
            ((&dz * &c).sum(), pairs.map(|(b, d)| (b * d).sum()).sum());
        let size =
            (dz.iter().map(|v| v * v).sum::<f64>() * c.iter().map(|v| v * v).sum::<f64>()).sqrt();
        assert!(
            (ahead - behind).abs() <= 1e-13 * size,
            "{}: {ahead} {behind}",
            case.name
        );
    }
}

#[test]
fn single_precision_follows() {
    for case in cases(3, 7) {
        let double = case.model(8);
        let single = double.cast::<f32>();
        let x = case.x.mapv(|v| v as f32);
        let x = Inputs::new(&x).structure(&case.beside);
        let (a, b) = (
            double.forward(case.inputs()).unwrap(),
            single.forward(x).unwrap(),
        );
        let far = relative(b.mapv(f64::from).view(), a.view());
        assert!(far <= 1e-5, "{}: {far:e}", case.name);
    }
}

#[test]
fn activations_end_in_the_output() {
    for case in cases(2, 8) {
        let model = case.model(9);
        let all = model.activations(case.inputs()).unwrap();
        assert_eq!(all.len(), case.network.layers.len());
        let last = all.last().unwrap().to_shape((2, model.outputs())).unwrap();
        assert_eq!(last, model.forward(case.inputs()).unwrap(), "{}", case.name);
    }
}

/// What stands in masked positions does not matter, and neither does how many there are at the end where
/// layers look no further than a window: outputs are those of the sequence alone.
#[test]
fn masked_positions_do_not_matter() {
    for case in cases(3, 9) {
        let Some(mask) = case.beside.masked() else {
            continue;
        };
        let model = case.model(2);
        let mut other = case.x.clone();
        for (mut x, &masked) in other
            .lanes_mut(NdAxis(case.x.ndim() - 1))
            .into_iter()
            .zip(mask)
        {
            if masked {
                x.fill(3.0);
            }
        }
        let other = Inputs::new(&other).structure(&case.beside);
        let (a, b) = (
            model.forward(case.inputs()).unwrap(),
            model.forward(other).unwrap(),
        );
        assert_eq!(a, b, "{}", case.name);
    }
    let network = Network::new()
        .then(conv([3]).channels(4).same())
        .then(relu())
        .then(
            attention()
                .channels(4)
                .heads(2)
                .mechanism(Mechanism::Softmax),
        )
        .then(recurrent(relu()).width(5))
        .then(dense().width(2));
    let short = vectors(4, 2, 1);
    let mut long = Array2::ones((7, 2));
    long.slice_mut(ndarray::s![..4, ..]).assign(&short);
    let model = |length| Model::<f64>::new(&network, [length, 2], Init::default(), 1).unwrap();
    let mask = Array2::from_shape_fn((1, 7), |(_, t)| t >= 4);
    let mask = Structure::of_mask(&mask);
    let long = long.insert_axis(NdAxis(0));
    let masked = model(7)
        .forward(Inputs::new(&long).structure(&mask))
        .unwrap();
    let alone = model(4).forward(&short.insert_axis(NdAxis(0))).unwrap();
    let far = relative(masked.view(), alone.view());
    assert!(far <= 1e-15, "{far:e}");
}

#[test]
fn dropout_keeps_the_mean_and_depends_on_the_seed_alone() {
    use crate::Loss;
    use ntk_kernels::network::dropout;
    let network = Network::new().then(dropout(0.25));
    let model = Model::<f64>::new(&network, Shape::features(2000), Init::default(), 0).unwrap();
    let (x, y) = (Array2::ones((5, 2000)), Array2::zeros((5, 2000)));
    let rows = model.rows((&x).into()).unwrap();
    let loss = |seed| {
        let (value, _) = model.batch_gradient(rows.all(), y.view(), Loss::MeanSquare, seed);
        value
    };
    // Kept ones become 4: the mean square is 0.25 * 16, give or take 5 deviations of a mean of
    // 10,000 numbers of variance 64 * 3/4.
    assert!((loss(Some(1)) - 4.0).abs() < 5.0 * (48.0_f64 / 1e4).sqrt());
    assert_eq!(loss(Some(1)), loss(Some(1)));
    assert_ne!(loss(Some(1)), loss(Some(2)));
    assert_eq!(loss(None), 1.0);
}
