//! Takes pairs of positions at one displacement through convolutions: they stay together.

use super::super::spatial::spare::Spare;
use super::line::Line;
use super::shape::{Plane, Shape};
use crate::network::{AXES, AxisMap, Windows};
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::axis::Axis;
use crate::sums::carry;
use ntk_linalg::Real;

/// Says whether the windows leave planes apart.
pub(super) fn stays(windows: &Windows) -> bool {
    windows.in_steps() && !windows.circular()
}

/// What the taps along one axis sum, of a plane and of that which it becomes.
struct Along {
    axis: usize,
    from: Plane,
    to: Plane,
}

impl Along {
    /// Lists the axes along which windows do anything, for a plane that goes in.
    fn all(windows: &Windows, plane: Plane) -> Vec<Self> {
        let mut from = plane;
        let mut all = Vec::new();
        for axis in 0..AXES {
            let (inputs, outputs) = (windows.inputs()[axis], windows.outputs()[axis]);
            let own = |out: usize| matches!(windows.taps(axis, out), &[(_, at)] if at == out);
            if inputs == outputs && windows.window()[axis] == 1 && (0..outputs).all(own) {
                continue;
            }
            let stride = windows.strides()[axis].cast_signed();
            let mut to = from;
            to.sizes[axis] = outputs;
            to.displacement[axis] /= stride;
            all.push(Self { axis, from, to });
            from = to;
        }
        all
    }

    /// Lists for each tap the outputs that read one input after another by it: the first output, its
    /// input, and how many there are, all counted within the planes.
    fn stretches(&self, windows: &Windows) -> Vec<[usize; 3]> {
        let Self { axis, from, to } = *self;
        let (inputs, outputs) = (from.range(axis), to.range(axis));
        let mut all: Vec<[usize; 3]> = Vec::new();
        for tap in 0..windows.window()[axis] {
            let before = all.len();
            for (number, out) in outputs.clone().enumerate() {
                let taps = windows.taps(axis, out).iter();
                let read = taps.filter(|&&(of, at)| of == tap && inputs.contains(&at));
                for at in read.map(|&(_, at)| at - inputs.start) {
                    match all[before..].last_mut() {
                        Some([out, from, len]) if [*out + *len, *from + *len] == [number, at] => {
                            *len += 1;
                        }
                        _ => all.push([number, at, 1]),
                    }
                }
            }
        }
        all
    }

    /// Calls with the first pack of outputs, the first that it sums, and how many follow them.
    #[inline(always)]
    fn each(&self, stretches: &[[usize; 3]], mut call: impl FnMut(usize, usize, usize)) {
        let Self { axis, from, to } = *self;
        let (inputs, outputs) = (from.range(axis).len(), to.range(axis).len());
        let before: usize = (0..axis).map(|axis| to.range(axis).len()).product();
        let after: usize = (axis + 1..AXES)
            .map(|axis| from.range(axis).len())
            .product();
        for start in 0..before {
            for &[out, at, len] in stretches {
                let to = (start * outputs + out) * after;
                call(to, (start * inputs + at) * after, len * after);
            }
        }
    }
}

/// Sums a plane over the taps that read a position of both samples.
pub(super) fn summed<T: Real>(
    windows: &Windows,
    plane: Plane,
    line: &mut Line<T>,
    spare: &mut Spare<T>,
) {
    for along in Along::all(windows, plane) {
        line.shape = Shape::Plane(along.to);
        let stretches = along.stretches(windows);
        for kernel in [&mut line.nngp, &mut line.ntk] {
            let mut to = spare.zeros(along.to.len());
            wide(
                #[inline(always)]
                || {
                    along.each(
                        &stretches,
                        #[inline(always)]
                        |at, from, len| add(&mut to[at..][..len], &kernel[from..][..len]),
                    );
                },
            );
            spare.keep(std::mem::replace(kernel, to));
        }
    }
}

/// Computes the transpose of [`summed`], for the plane that went in.
pub(super) fn transposed<T: Real>(
    windows: &Windows,
    plane: Plane,
    line: &mut Line<T>,
    spare: &mut Spare<T>,
) {
    for along in Along::all(windows, plane).iter().rev() {
        line.shape = Shape::Plane(along.from);
        let stretches = along.stretches(windows);
        for kernel in [&mut line.nngp, &mut line.ntk] {
            let mut to = spare.zeros(along.from.len());
            wide(
                #[inline(always)]
                || {
                    along.each(
                        &stretches,
                        #[inline(always)]
                        |at, from, len| add(&mut to[from..][..len], &kernel[at..][..len]),
                    );
                },
            );
            spare.keep(std::mem::replace(kernel, to));
        }
    }
}

#[inline(always)]
fn add<T: Real>(to: &mut [Pack<T>], from: &[Pack<T>]) {
    for (to, &from) in to.iter_mut().zip(from) {
        by_lanes();
        *to = *to + from;
    }
}

/// A `Pooling` takes planes to all pairs of fewer positions: a map `M K M^T` along each axis.
pub(super) struct Pooling {
    pub(super) outputs: [usize; AXES],
    /// For each displacement along each axis, ascending, and each position of its plane, what pairs of
    /// outputs read it.
    targets: [Vec<Targets>; AXES],
}

/// For each position of a plane along one axis the outputs of either side, and the weight of the pair.
type Targets = Vec<Vec<([usize; 2], f64)>>;

impl Pooling {
    pub(super) fn new(axes: &[AxisMap; AXES]) -> Self {
        let covering = axes.each_ref().map(|map| {
            let mut covering = vec![Vec::new(); map.inputs()];
            for (out, row) in map.rows().iter().enumerate() {
                for &(at, weight) in row {
                    covering[at].push((out, weight));
                }
            }
            covering
        });
        Self::of(covering, axes.each_ref().map(|map| map.rows().len()))
    }

    /// Leaves all pairs as they are.
    pub(super) fn identity(sizes: [usize; AXES]) -> Self {
        let own = |size| (0..size).map(|at| vec![(at, 1.0)]).collect();
        Self::of(sizes.map(own), sizes)
    }

    /// Makes it of the outputs that read each position along each axis, each with its weight.
    fn of(covering: [Vec<Vec<(usize, f64)>>; AXES], outputs: [usize; AXES]) -> Self {
        let along = |covering: Vec<Vec<(usize, f64)>>| {
            let (size, wraps) = (covering.len(), false);
            let axis = Axis { size, wraps };
            let plane = |d: isize| {
                let position = |p: usize| {
                    let [one, two] = [p, p.strict_add_signed(d)].map(|at| &covering[at]);
                    let pairs = one.iter().flat_map(|&(a, weight)| {
                        two.iter().map(move |&(b, other)| ([a, b], weight * other))
                    });
                    pairs.collect()
                };
                axis.range(d).map(position).collect()
            };
            axis.all().into_iter().map(plane).collect()
        };
        Self {
            outputs,
            targets: covering.map(along),
        }
    }

    /// Calls with each pack of a plane, each pair of outputs that reads it, and its weight.
    #[inline(always)]
    fn each(&self, plane: Plane, mut call: impl FnMut(usize, usize, f64)) {
        let [first, second, third]: [&Targets; AXES] = std::array::from_fn(|axis| {
            let least = 1 - plane.sizes[axis].cast_signed();
            let number = plane.displacement[axis] - least;
            &self.targets[axis][number.cast_unsigned()]
        });
        let [_, n1, n2] = self.outputs;
        let total: usize = self.outputs.iter().product();
        let mut number = 0;
        for a in first {
            for b in second {
                for c in third {
                    for &([a, a2], wa) in a {
                        for &([b, b2], wb) in b {
                            for &([c, c2], wc) in c {
                                let one = (a * n1 + b) * n2 + c;
                                let two = (a2 * n1 + b2) * n2 + c2;
                                call(number, one * total + two, wa * wb * wc);
                            }
                        }
                    }
                    number += 1;
                }
            }
        }
    }

    /// Adds a plane to all pairs of outputs, and what rounding takes to `lost`; `lanes` arranges each pack.
    pub(super) fn take<T: Real>(
        &self,
        plane: Plane,
        line: &Line<T>,
        lanes: impl Fn(Pack<T>) -> Pack<T>,
        [to, lost]: &mut [Line<T>; 2],
    ) {
        wide(
            #[inline(always)]
            || {
                self.each(
                    plane,
                    #[inline(always)]
                    |from, at, weight| {
                        let weight = Pack::of(weight);
                        let [nngp, ntk] = [lanes(line.nngp[from]), lanes(line.ntk[from])];
                        carry(&mut to.nngp[at], &mut lost.nngp[at], nngp * weight);
                        carry(&mut to.ntk[at], &mut lost.ntk[at], ntk * weight);
                    },
                );
            },
        );
    }

    /// Gives each pair of a plane what the pairs of outputs that read it have: the transpose of
    /// [`Pooling::take`].
    pub(super) fn give<T: Real>(
        &self,
        plane: Plane,
        from: &Line<T>,
        lanes: impl Fn(Pack<T>) -> Pack<T>,
        line: &mut Line<T>,
    ) {
        wide(
            #[inline(always)]
            || {
                self.each(
                    plane,
                    #[inline(always)]
                    |to, at, weight| {
                        let weight = Pack::of(weight);
                        let [nngp, ntk] = [lanes(from.nngp[at]), lanes(from.ntk[at])];
                        line.nngp[to] = nngp.mul_add(weight, line.nngp[to]);
                        line.ntk[to] = ntk.mul_add(weight, line.ntk[to]);
                    },
                );
            },
        );
    }
}
