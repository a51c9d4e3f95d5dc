//! Parameters on dfdx's device, and the steps its optimisers take with them.

use dfdx::prelude::*;
use dfdx::tensor_ops::{AdamConfig, SgdConfig};
use std::ops::DerefMut;

/// A parameter's numbers, or what an optimiser remembers of them, in their order.
pub(crate) type Memory<T> = <Cpu as Storage<T>>::Vec;

fn device() -> Cpu {
    // One for each thread: a device's cache of memory has a lock.
    thread_local!(static DEVICE: Cpu = Cpu::default());
    DEVICE.with(Cpu::clone)
}

const ALIKE: &str = "parameter and gradient of one length";

/// Takes one step of gradient descent.
pub(crate) fn sgd<T: Dtype>(
    config: &SgdConfig,
    parameter: &mut Memory<T>,
    velocity: &mut Memory<T>,
    gradient: &Memory<T>,
) where
    Cpu: Device<T>,
{
    // Of any device: the kernel's trait has no public path, and is known as a bound of `Device`.
    fn on<T: Dtype, D: Device<T>>(
        device: &D,
        config: &SgdConfig,
        parameter: &mut <D as Storage<T>>::Vec,
        velocity: &mut <D as Storage<T>>::Vec,
        gradient: &<D as Storage<T>>::Vec,
    ) {
        let step = device.sgd_kernel(config, parameter, velocity, gradient);
        step.expect(ALIKE);
    }
    on::<T, Cpu>(&device(), config, parameter, velocity, gradient);
}

/// Takes step number `t`, from 1, of Adam.
pub(crate) fn adam<T: Dtype>(
    config: &AdamConfig,
    t: i32,
    parameter: &mut Memory<T>,
    moments: &mut [Memory<T>; 2],
    gradient: &Memory<T>,
) where
    Cpu: Device<T>,
{
    fn on<T: Dtype, D: Device<T>>(
        device: &D,
        config: &AdamConfig,
        t: i32,
        parameter: &mut <D as Storage<T>>::Vec,
        [first, second]: &mut [<D as Storage<T>>::Vec; 2],
        gradient: &<D as Storage<T>>::Vec,
    ) {
        let step = device.adam_kernel(t, config, parameter, first, second, gradient);
        step.expect(ALIKE);
    }
    on::<T, Cpu>(&device(), config, t, parameter, moments, gradient);
}

/// Allocates memory of `len` numbers, zero.
pub(crate) fn memory<T: Dtype>(len: usize) -> Memory<T>
where
    Cpu: Device<T>,
{
    <Cpu as Storage<T>>::try_alloc_len(&device(), len).expect("memory for one parameter")
}

/// Makes memory of these numbers, which are moved.
pub(crate) fn holding<T: Dtype>(numbers: Vec<T>) -> Memory<T>
where
    Cpu: Device<T>,
    Memory<T>: DerefMut<Target = Vec<T>>,
{
    let mut held = memory::<T>(0);
    *held = numbers;
    held
}

/// Returns the numbers in memory.
pub(crate) fn numbers<T: Dtype>(memory: &Memory<T>) -> &[T]
where
    Memory<T>: DerefMut<Target = Vec<T>>,
{
    memory
}

/// Returns the numbers in memory, to be set.
pub(crate) fn numbers_mut<T: Dtype>(memory: &mut Memory<T>) -> &mut [T]
where
    Memory<T>: DerefMut<Target = Vec<T>>,
{
    memory
}
