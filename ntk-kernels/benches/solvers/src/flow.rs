//! The right-hand side, its Jacobian and the counts, the same for every crate.

use std::cell::Cell;

/// Work done since the last [`Flow::reset`].
pub struct Counts {
    /// Right-hand sides.
    pub rhs: usize,
    /// Mean share of the samples that had a nonzero gradient, hence of the rows
    /// of the kernel that were read.
    pub active_share: f64,
    /// Dense Jacobians, n products with a unit vector counting as one.
    pub jacobians: usize,
}

/// Kernel, labels and counters.
pub struct Flow {
    n: usize,
    kernel: Vec<f64>,
    labels: Vec<f64>,
    rhs: Cell<usize>,
    rows: Cell<usize>,
    products: Cell<usize>,
    dense: Cell<usize>,
}

/// A flow without (`damping` none) or with momentum.
pub struct Problem {
    pub flow: Flow,
    pub damping: Option<f64>,
}

impl Problem {
    /// Number of unknowns: n, or 2 n with momentum.
    pub fn len(&self) -> usize {
        self.flow.n * if self.damping.is_some() { 2 } else { 1 }
    }

    /// Writes the time derivative of `state` into `out`.
    pub fn rhs(&self, state: &[f64], out: &mut [f64]) {
        let n = self.flow.n;
        match self.damping {
            None => self.flow.velocity(state, out),
            Some(c) => {
                let (f, v) = state.split_at(n);
                let (df, dv) = out.split_at_mut(n);
                df.copy_from_slice(v);
                self.flow.velocity(f, dv);
                dv.iter_mut().zip(v).for_each(|(d, v)| *d -= c * v);
            }
        }
    }
}

impl Flow {
    /// Reads a symmetric (n, n) kernel and n labels from `.npy` files of float64.
    pub fn read(kernel: &str, labels: &str) -> Result<Self, String> {
        let (kernel, labels) = (read_npy(kernel)?, read_npy(labels)?);
        let n = labels.len();
        if kernel.len() != n * n {
            return Err(format!(
                "expected a kernel of {n} x {n} numbers for {n} labels, found {}",
                kernel.len()
            ));
        }
        let zero = || Cell::new(0);
        Ok(Self {
            n,
            kernel,
            labels,
            rhs: zero(),
            rows: zero(),
            products: zero(),
            dense: zero(),
        })
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn reset(&self) {
        for counter in [&self.rhs, &self.rows, &self.products, &self.dense] {
            counter.set(0);
        }
    }

    pub fn counts(&self) -> Counts {
        let rhs = self.rhs.get();
        Counts {
            rhs,
            active_share: self.rows.get() as f64 / (rhs.max(1) * self.n) as f64,
            jacobians: self.dense.get() + self.products.get() / self.n,
        }
    }

    /// `1/n sum_i 1/2 max(0, 1/2 - f_i y_i)^2`.
    pub fn loss(&self, f: &[f64]) -> f64 {
        let sum: f64 = f
            .iter()
            .zip(&self.labels)
            .map(|(f, y)| 0.5 * (0.5 - f * y).max(0.0).powi(2))
            .sum();
        sum / self.n as f64
    }

    /// `out = -K grad L(f)`, reading only the rows of samples with a gradient.
    fn velocity(&self, f: &[f64], out: &mut [f64]) {
        self.rhs.set(self.rhs.get() + 1);
        let n = self.n as f64;
        let pull: Vec<f64> = f
            .iter()
            .zip(&self.labels)
            .map(|(f, y)| y * (0.5 - f * y).max(0.0) / n)
            .collect();
        self.rows.set(self.rows.get() + self.combine(&pull, out));
    }

    /// `out = -K diag(H) v / n`, `H_i` one where sample i has a gradient at `f`.
    #[cfg(feature = "diffsol")]
    pub fn jacobian_product(&self, f: &[f64], v: &[f64], out: &mut [f64]) {
        self.products.set(self.products.get() + 1);
        let n = self.n as f64;
        let weights: Vec<f64> = (0..self.n)
            .map(|i| {
                if f[i] * self.labels[i] < 0.5 {
                    -v[i] / n
                } else {
                    0.0
                }
            })
            .collect();
        self.combine(&weights, out);
    }

    /// The same Jacobian, entry by entry through `set(row, column, value)`.
    #[cfg(feature = "differential-equations")]
    pub fn jacobian(&self, f: &[f64], mut set: impl FnMut(usize, usize, f64)) {
        self.dense.set(self.dense.get() + 1);
        for i in 0..self.n {
            let row = &self.kernel[i * self.n..(i + 1) * self.n];
            for (j, (k, (f, y))) in row.iter().zip(f.iter().zip(&self.labels)).enumerate() {
                set(i, j, if f * y < 0.5 { -k / self.n as f64 } else { 0.0 });
            }
        }
    }

    /// `out = K weights`, skipping zero weights; returns how many were not.
    /// Rows serve as columns, the kernel being symmetric; four of them share
    /// one pass over `out`.
    fn combine(&self, weights: &[f64], out: &mut [f64]) -> usize {
        out.fill(0.0);
        let active: Vec<usize> = (0..self.n).filter(|&i| weights[i] != 0.0).collect();
        let row = |i: usize| &self.kernel[i * self.n..(i + 1) * self.n];
        let mut groups = active.chunks_exact(4);
        for g in &mut groups {
            let (a, b, c, d) = (row(g[0]), row(g[1]), row(g[2]), row(g[3]));
            let w = [weights[g[0]], weights[g[1]], weights[g[2]], weights[g[3]]];
            for ((((o, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *o += (w[0] * a + w[1] * b) + (w[2] * c + w[3] * d);
            }
        }
        for &i in groups.remainder() {
            out.iter_mut()
                .zip(row(i))
                .for_each(|(o, k)| *o += weights[i] * k);
        }
        active.len()
    }
}

/// All numbers of a little-endian float64 `.npy` file, versions 1 to 3.
fn read_npy(path: &str) -> Result<Vec<f64>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    let short = || {
        format!(
            "{path}: expected an .npy file, found {} bytes without its header",
            bytes.len()
        )
    };
    if bytes.len() < 12 || &bytes[..6] != b"\x93NUMPY" {
        return Err(short());
    }
    let start = match bytes[6] {
        1 => 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]])),
        _ => 12 + u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize,
    };
    let header = String::from_utf8_lossy(bytes.get(10..start).ok_or_else(short)?);
    if !header.contains("<f8") {
        return Err(format!(
            "{path}: expected numbers of type <f8, found the header {header}"
        ));
    }
    let (numbers, _) = bytes[start..].as_chunks::<8>();
    Ok(numbers.iter().map(|&b| f64::from_le_bytes(b)).collect())
}
