//! Widths and numbers of parameters.

/// Parameters of a network of `layers` hidden layers of `h` units, `d` inputs and `outputs`
/// outputs, biases included: the notebook's `find_N`.
///
/// `h (d + 1) + (L - 1) h (h + 1) + o (h + 1)`. The notebook's networks have no biases, so that
/// this is more than they have by `h L + o`; it is kept as the number that its axes show.
///
/// # Panics
/// Without hidden layers.
pub(super) fn find_n(h: usize, layers: usize, d: usize, outputs: usize) -> usize {
    assert!(layers > 0, "a network of this kind has a hidden layer");
    h * (d + 1) + (layers - 1) * h * (h + 1) + outputs * (h + 1)
}

/// The width at which [`find_n`] is nearest to `n`, the notebook's `find_h`: the positive root of
/// a quadratic (one hidden layer: linear) equation, rounded. 0 where `n` is too small for a unit.
///
/// The root is taken in the form without cancellation, which is right for any size.
///
/// # Panics
/// Without hidden layers.
pub(super) fn find_h(n: usize, layers: usize, d: usize, outputs: usize) -> usize {
    assert!(layers > 0, "a network of this kind has a hidden layer");
    // (L - 1) h^2 + (d + L + o) h = n - o
    let a = (layers - 1) as f64;
    let b = (d + layers + outputs) as f64;
    let c = n.saturating_sub(outputs) as f64;
    let h = 2.0 * c / (b + (b * b + 4.0 * a * c).sqrt());
    h.round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notebook_has_width_130_and_19891_parameters() {
        assert_eq!(find_h(20_000, 2, 20, 1), 130);
        assert_eq!(find_n(130, 2, 20, 1), 19_891);
        assert_eq!(find_n(1, 2, 20, 1), 25);
    }

    #[test]
    fn each_inverts_the_other() {
        for layers in 1..6 {
            for d in [1, 20, 784] {
                for outputs in [1, 10] {
                    for h in (0..200).chain([1_000, 30_000, 1_000_000]) {
                        let n = find_n(h, layers, d, outputs);
                        assert_eq!(find_h(n, layers, d, outputs), h, "{layers} {d} {outputs}");
                        // The nearest: half a width off is still this one, and a little more is not.
                        let next = find_n(h + 1, layers, d, outputs);
                        let found = find_h(n.midpoint(next), layers, d, outputs);
                        assert!(found == h || found == h + 1);
                    }
                }
            }
        }
        assert_eq!(find_h(0, 2, 20, 1), 0);
    }
}
