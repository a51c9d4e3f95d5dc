//! Class combinations: which rows of a kernel matrix belong to them.

/// Every nonempty combination of at most `largest` of `classes`: smaller ones first, and then in
/// the order given, as (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8) of 0, 1, 8.
///
/// There are `sum_k binomial(classes, k)` of them: `2^classes - 1` of all sizes.
#[must_use]
pub fn combinations(classes: &[usize], largest: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    // The places in `classes` of the combinations of one size.
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..largest.min(classes.len()) {
        let mut next = Vec::new();
        for places in &last {
            let first = places.last().map_or(0, |place| place + 1);
            next.extend((first..classes.len()).map(|place| [&places[..], &[place]].concat()));
        }
        let named = |places: &Vec<usize>| places.iter().map(|&place| classes[place]).collect();
        all.extend(next.iter().map(named));
        last = next;
    }
    all
}

/// The samples of a combination: class by class in the order given, and within a class in the
/// order of `labels` (n).
///
/// Cost: n for each class.
#[must_use]
pub fn rows(labels: &[usize], combination: &[usize]) -> Vec<usize> {
    let of = |&class: &usize| {
        let labels = labels.iter().enumerate();
        labels.filter_map(move |(row, &label)| (label == class).then_some(row))
    };
    combination.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_first_then_in_the_order_given() {
        let expected: [&[usize]; 7] = [&[8], &[0], &[1], &[8, 0], &[8, 1], &[0, 1], &[8, 0, 1]];
        assert_eq!(combinations(&[8, 0, 1], 3), expected);
        assert_eq!(combinations(&[8, 0, 1], 9), expected);
        assert_eq!(combinations(&[8, 0, 1], 2), expected[..6]);
        assert!(combinations(&[8, 0, 1], 0).is_empty() && combinations(&[], 3).is_empty());
        assert_eq!(combinations(&(0..10).collect::<Vec<_>>(), 10).len(), 1023);
    }

    #[test]
    fn rows_are_class_by_class() {
        let labels = [1, 0, 1, 2, 0];
        assert_eq!(rows(&labels, &[0, 1]), [1, 4, 0, 2]);
        assert_eq!(rows(&labels, &[1, 0]), [0, 2, 1, 4]);
        assert!(rows(&labels, &[7]).is_empty() && rows(&[], &[0]).is_empty());
    }
}
