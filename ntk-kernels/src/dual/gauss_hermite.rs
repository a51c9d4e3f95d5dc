//! Computes Gauss-Hermite quadrature for the standard normal, and the projection on normalised
//! Hermite polynomials `h_l = He_l/sqrt(l!)` that comes with it.
//!
//! The nodes are the roots of `h_n`, found by counting: the sequence `h_0(x), ..., h_n(x)`
//! changes sign as often as there are roots above `x` (Sturm), so bisection separates any
//! number of them, and Newton's method ends it. The weights are `1/sum_(l<n) h_l(x)^2`
//! (Christoffel), each accurate relative to its own size, however small.

/// The largest number of nodes; up to it the recurrence neither under- nor overflows.
pub(super) const MAX_NODES: usize = 512;

/// A Gauss-Hermite rule: nodes and weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    /// The nodes, in increasing order.
    pub(crate) nodes: Vec<f64>,
    /// `E[g(z)]` is the sum of `weights[i] g(nodes[i])`, exactly for polynomials of degree
    /// below `2n`.
    pub(crate) weights: Vec<f64>,
}

impl Rule {
    /// Computes the rule of `n` nodes, from 1 to [`MAX_NODES`]. Cost: about `30 n^2`.
    pub(crate) fn new(n: usize) -> Self {
        let mut nodes: Vec<f64> = (0..n).map(|i| node(n, i)).collect();
        // The lower half has the same roots with opposite signs.
        for i in 0..n / 2 {
            nodes[i] = -nodes[n - 1 - i];
        }
        if n % 2 == 1 {
            nodes[n / 2] = 0.0;
        }
        let weight = |&x: &f64| 1.0 / hermite(x).take(n).map(|h| h * h).sum::<f64>();
        let weights = nodes.iter().map(weight).collect();
        Self { nodes, weights }
    }

    /// Computes the weights by which the values of `g` at the nodes give its coefficients in `h_0,
    /// ..., h_(n-1)`: row l holds those of `h_l`.
    pub(crate) fn projection(&self) -> Vec<Vec<f64>> {
        let n = self.nodes.len();
        let mut rows = vec![Vec::with_capacity(n); n];
        for (x, w) in self.nodes.iter().zip(&self.weights) {
            for (row, h) in rows.iter_mut().zip(hermite(*x)) {
                row.push(w * h);
            }
        }
        rows
    }
}

/// `h_0(x), h_1(x), ...`
fn hermite(x: f64) -> impl Iterator<Item = f64> {
    let (mut below, mut h) = (0.0, 1.0);
    (0..).map(move |l| {
        let this = h;
        (below, h) = (h, step(l, x, h, below));
        this
    })
}

/// `h_(l+1)(x)` from `h_l(x)` and `h_(l-1)(x)`.
fn step(l: usize, x: f64, h: f64, below: f64) -> f64 {
    let l = l as f64;
    (x * h - l.sqrt() * below) / (l + 1.0).sqrt()
}

/// How many of the roots of `h_n` lie above `x`.
fn above(n: usize, x: f64) -> usize {
    // The sign changes are those of the ratio h_(l+1)/h_l, up to a positive factor, which cannot
    // overflow.
    let mut ratio = 1.0;
    let mut count = 0;
    for l in 0..n {
        ratio = x - if l == 0 { 0.0 } else { l as f64 / ratio };
        if ratio == 0.0 {
            ratio = f64::MIN_POSITIVE;
        }
        count += usize::from(ratio < 0.0);
    }
    count
}

/// Root `i` of `h_n`, counted from the lowest.
fn node(n: usize, i: usize) -> f64 {
    // All roots lie within 2 sqrt(n).
    let end = 2.0 * (n as f64).sqrt();
    let (mut low, mut high) = (-end, end);
    // After twenty halvings Newton's method cannot miss: roots are at least 1/sqrt(n) apart.
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if above(n, middle) >= n - i {
            low = middle;
        } else {
            high = middle;
        }
    }
    let mut x = f64::midpoint(low, high);
    for _ in 0..3 {
        // h_n' = sqrt(n) h_(n-1), so the step is (h_n/h_(n-1))/sqrt(n).
        let mut ratio = 0.0;
        for l in 0..n {
            let root = (l as f64).sqrt();
            let below = if l == 0 { 0.0 } else { root / ratio };
            ratio = (x - below) / (l as f64 + 1.0).sqrt();
        }
        x -= ratio / (n as f64).sqrt();
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact() {
        for n in [1, 2, 3, 10, 61, 128, 512] {
            let rule = Rule::new(n);
            assert!(rule.nodes.windows(2).all(|x| x[0] < x[1]), "{n}");
            // E[x^(2k)] = (2k - 1)!!, k < n.
            let mut moment = 1.0;
            for k in 0..n.min(30) {
                if k > 0 {
                    moment *= (2 * k - 1) as f64;
                }
                let pairs = rule.nodes.iter().zip(&rule.weights);
                let sum: f64 = pairs.map(|(x, w)| w * (x * x).powf(k as f64)).sum();
                let error = (sum / moment - 1.0).abs();
                assert!(error <= 1e-13 * (1 + k) as f64, "{n} {k} {error:e}");
            }
        }
    }

    #[test]
    fn three_nodes_are_known() {
        let rule = Rule::new(3);
        let expected = [-(3.0_f64.sqrt()), 0.0, 3.0_f64.sqrt()];
        assert!(
            rule.nodes
                .iter()
                .zip(expected)
                .all(|(x, y)| (x - y).abs() < 1e-15)
        );
        assert!((rule.weights[1] - 2.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn the_projection_is_orthonormal() {
        let rule = Rule::new(200);
        let rows = rule.projection();
        for (l, row) in rows.iter().enumerate() {
            for m in [0, 1, 77, 199] {
                let at = |x: &f64| hermite(*x).nth(m).unwrap();
                let sum: f64 = row.iter().zip(&rule.nodes).map(|(w, x)| w * at(x)).sum();
                let expected = f64::from(u8::from(l == m));
                assert!((sum - expected).abs() < 1e-12, "{l} {m} {sum}");
            }
        }
    }
}
