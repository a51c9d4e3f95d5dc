//! Compiles the generic entry points once for each element type, as [`super::super::compiled`] does.

use super::super::kernel_fn::Options;
use super::super::{
    Input, Inputs, Kernel, KernelError, check_input, memory, resolve, sample_shape,
    vectors as matrix,
};
use super::{Contracted, Derivatives, GradientError, blocks, check, vectors};
use crate::network::Network;
use ndarray::ArrayView2;
use ntk_linalg::Real;
use ntk_linalg::real::ByScalar;
use std::marker::PhantomData;

struct OfInputs<'a>(PhantomData<&'a ()>);

impl<'a> ByScalar for OfInputs<'a> {
    type Of<T: Real> = (Inputs<'a, T>, Option<(Kernel, ArrayView2<'a, T>)>);
}

struct OfDerivatives;

impl ByScalar for OfDerivatives {
    type Of<T: Real> = Result<Derivatives<T>, GradientError>;
}

struct OfContracted;

impl ByScalar for OfContracted {
    type Of<T: Real> = Result<Contracted<T>, GradientError>;
}

pub(super) fn derivatives<T: Real>(
    network: &Network,
    inputs: Inputs<'_, T>,
    groups: &[Vec<bool>],
    options: &Options<'_>,
) -> Result<Derivatives<T>, GradientError> {
    T::apply::<OfInputs<'_>, OfDerivatives>(
        (inputs, None),
        |(inputs, _)| derivatives_f32(network, inputs, groups, options),
        |(inputs, _)| derivatives_f64(network, inputs, groups, options),
    )
}

pub(super) fn contracted<'a, T: Real>(
    network: &Network,
    inputs: Inputs<'a, T>,
    weights: (Kernel, ArrayView2<'a, T>),
    by_inputs: bool,
    options: &Options<'_>,
) -> Result<Contracted<T>, GradientError> {
    T::apply::<OfInputs<'a>, OfContracted>(
        (inputs, Some(weights)),
        |(inputs, weights)| contracted_f32(network, inputs, weights, by_inputs, options),
        |(inputs, weights)| contracted_f64(network, inputs, weights, by_inputs, options),
    )
}

macro_rules! compiled {
    ($scalar:ty, $derivatives:ident, $contracted:ident) => {
        #[inline(never)]
        fn $derivatives(
            network: &Network,
            inputs: Inputs<'_, $scalar>,
            groups: &[Vec<bool>],
            options: &Options<'_>,
        ) -> Result<Derivatives<$scalar>, GradientError> {
            let program = prepare(network, &inputs, false)?;
            let Options { tile, observer } = *options;
            if !program.on_vectors(&sample_shape(&inputs.0.x)?) {
                let Inputs(one, two) = &inputs;
                return Ok(blocks::derivatives(
                    &program,
                    one,
                    two.as_ref(),
                    groups,
                    observer,
                )?);
            }
            let (x1, x2) = both(inputs);
            Ok(vectors::derivatives(
                &program, x1, x2, groups, tile, observer,
            )?)
        }

        #[inline(never)]
        fn $contracted(
            network: &Network,
            inputs: Inputs<'_, $scalar>,
            weights: Option<(Kernel, ArrayView2<'_, $scalar>)>,
            by_inputs: bool,
            options: &Options<'_>,
        ) -> Result<Contracted<$scalar>, GradientError> {
            let program = prepare(network, &inputs, by_inputs)?;
            let weights = weights.expect("there is a matrix to contract with");
            let wanted = (network.hyperparameters().len(), by_inputs);
            let Options { tile, observer } = *options;
            if !program.on_vectors(&sample_shape(&inputs.0.x)?) {
                let Inputs(one, two) = &inputs;
                return Ok(blocks::contracted(
                    &program,
                    one,
                    two.as_ref(),
                    weights,
                    wanted,
                    observer,
                )?);
            }
            let (x1, x2) = both(inputs);
            Ok(vectors::contracted(
                &program, x1, x2, weights, wanted, tile, observer,
            )?)
        }
    };
}

compiled!(f32, derivatives_f32, contracted_f32);
compiled!(f64, derivatives_f64, contracted_f64);

/// Checks the inputs as kernels do, and whether all derivatives are known.
fn prepare<T: Real>(
    network: &Network,
    Inputs(one, two): &Inputs<'_, T>,
    by_inputs: bool,
) -> Result<super::Program, GradientError> {
    let shape = sample_shape(&one.x)?;
    if let Some(two) = two {
        let other = sample_shape(&two.x)?;
        if other != shape {
            return Err(KernelError::Shapes {
                x1: shape,
                x2: other,
            }
            .into());
        }
    }
    let program = resolve(network, &shape)?;
    let masked = one.masked() || two.as_ref().is_some_and(Input::masked);
    let samples = [Some(one), two.as_ref()].map(|input| input.map(Input::samples));
    let wanted = super::super::Wanted::Both;
    memory::check(memory::needed::<T>(
        &program, &shape, masked, wanted, samples,
    ))?;
    check(&program, by_inputs)?;
    if !program.on_vectors(&shape) {
        blocks::check_memory::<T>(&super::route::Route::new(&program, masked))?;
    }
    check_input("x1", one, &program, &shape)?;
    if let Some(two) = two {
        check_input("x2", two, &program, &shape)?;
    }
    Ok(program)
}

fn both<'a, T>(Inputs(one, two): Inputs<'a, T>) -> (ArrayView2<'a, T>, Option<ArrayView2<'a, T>>) {
    (matrix(one.x), two.map(|two| matrix(two.x)))
}
