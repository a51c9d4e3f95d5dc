//! What the blocks of kernels say of the classes that are followed.

use super::{CLASSES, HOLEVO, INFORMATION, Pair};
use ndarray::Array2;
use ntk_entropy::combination;

/// Entropies of the combinations of [`CLASSES`], each an array (seeds, epochs).
pub(super) struct ClassEntropies {
    /// In nats, for each of [`combinations`].
    pub(super) alone: Vec<Array2<f64>>,
    /// For each of [`pairs`].
    pub(super) pairs: Vec<Array2<Pair>>,
}

/// Returns (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8).
pub(super) fn combinations() -> Vec<Vec<usize>> {
    let classes = CLASSES.map(usize::from);
    combination::combinations(&classes, classes.len()).expect("a handful")
}

/// Returns the combinations of two.
pub(super) fn pairs() -> impl Iterator<Item = Vec<usize>> {
    let all = combinations().into_iter();
    all.filter(|classes| classes.len() == 2)
}

/// Writes a combination as the notebook does: `(0,1)`.
pub(super) fn name(combination: &[usize]) -> String {
    let classes: Vec<_> = combination.iter().map(ToString::to_string).collect();
    format!("({})", classes.join(","))
}

/// A number of a pair, by name.
type PairNumber = (&'static str, fn(&Pair) -> f64);

/// The numbers that are told of a pair.
const OF_PAIRS: [PairNumber; 5] = [
    ("mutual_information", Pair::information),
    (INFORMATION.name, |pair| INFORMATION.get(pair)),
    ("chi", Pair::chi),
    ("p", |pair| pair.p),
    (HOLEVO.name, |pair| HOLEVO.get(pair)),
];

impl ClassEntropies {
    /// Takes entropies and traces, both in the order of [`combinations`].
    pub(super) fn new(alone: Vec<Array2<f64>>, traces: &[Array2<f64>]) -> Self {
        let all = combinations();
        let place = |classes: &[usize]| all.iter().position(|c| c == classes);
        let pair = |classes: Vec<usize>| {
            let [x, y] = [&classes[..1], &classes[1..]].map(place);
            let (x, y, both) = (x?, y?, place(&classes)?);
            Some(Array2::from_shape_fn(alone[both].dim(), |at| Pair {
                entropy_x: alone[x][at],
                entropy_y: alone[y][at],
                joint: alone[both][at],
                p: traces[x][at] / (traces[x][at] + traces[y][at]),
            }))
        };
        let pairs = pairs().filter_map(pair).collect();
        Self { alone, pairs }
    }

    /// Returns the name, the classes and the numbers of everything that is told.
    pub(super) fn quantities(&self) -> Vec<(&'static str, String, Array2<f64>)> {
        let alone = combinations().into_iter().zip(&self.alone);
        let alone = alone.map(|(classes, found)| ("entropy", name(&classes), found.clone()));
        let pairs = pairs().zip(&self.pairs).flat_map(|(classes, found)| {
            OF_PAIRS.map(|(quantity, of)| (quantity, name(&classes), found.map(of)))
        });
        alone.chain(pairs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_in_the_order_of_the_notebook() {
        let names: Vec<String> = combinations().iter().map(|c| name(c)).collect();
        let order = ["(0)", "(1)", "(8)", "(0,1)", "(0,8)", "(1,8)", "(0,1,8)"];
        assert_eq!(names, order);
        let one = |number: f64| Array2::from_elem((1, 1), number);
        let entropies = [1.0, 2.0, 3.0, 12.0, 13.0, 23.0, 123.0].map(one);
        let found = ClassEntropies::new(
            entropies.into(),
            &[1.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0].map(one),
        );
        let pairs = found.pairs.iter().map(|all| &all[[0, 0]]);
        let pairs = pairs.map(|q| (q.entropy_x, q.entropy_y, q.joint, q.p));
        let expected = [
            (1.0, 2.0, 12.0, 0.25),
            (1.0, 3.0, 13.0, 0.2),
            (2.0, 3.0, 23.0, 3.0 / 7.0),
        ];
        assert!(pairs.eq(expected));
    }
}
