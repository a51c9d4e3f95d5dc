//! Multi-head self-attention of all positions with all.
//!
//! For each head, `A = zeta(scale q k^T)` over pairs of positions, and `A v` goes through the output's
//! weights. Keys and queries are made of the signal, and of a trained vector of each position where there
//! is a positional embedding: `L eps` with `L L^T` the covariances of positions, `eps` the parameter.

use super::site::Site;
use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, kept, positions};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, concatenate, s};
use ntk_kernels::network::{Embedded, Logits, Mechanism, Node};
use ntk_linalg::{Real, eigenvalue_resolution, eigh, gemm};
use std::ops::Range;

/// The attention of each head, side by side, through the output's weights.
pub(crate) struct SelfAttention {
    mechanism: Mechanism,
    heads: usize,
    key_channels: usize,
    value_channels: usize,
    /// The factor of products of queries and keys.
    scale: f64,
    /// `None` where queries are keys.
    query: Option<Site>,
    key: Site,
    value: Site,
    out: Site,
    embedding: Option<Positional>,
    positions: usize,
    /// The node whose mask the inputs have.
    before: Option<usize>,
}

/// A trained vector for each position.
struct Positional {
    site: Site,
    /// A root of the covariances of positions.
    root: Array2<f64>,
    /// Says whether the vectors are further channels; otherwise they are added.
    further: bool,
    /// Says whether values are made of them too.
    values: bool,
}

impl Positional {
    fn new(embedded: &Embedded, node: &Node, first: usize) -> Result<Self, String> {
        let covariances = embedded.covariances();
        let found = eigh(&covariances).map_err(|error| error.to_string())?;
        let (values, vectors) = (found.values, found.vectors);
        let most = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let least = values.iter().fold(f64::INFINITY, |least, &v| least.min(v));
        if least < -most * eigenvalue_resolution(values.len(), f64::EPSILON) {
            return Err(format!(
                "the covariances of its positional embedding have the negative eigenvalue {least:e}, and no random vectors have such; take the decay exp with norm 1 or 2"
            ));
        }
        let roots = values.mapv(|v| v.max(0.0).sqrt());
        Ok(Self {
            site: Site::new(node, first, 0, positions(&node.before)),
            root: (&vectors * &roots).dot(&vectors.t()),
            further: embedded.channels.is_some(),
            values: embedded.values,
        })
    }

    /// Returns the rows of the root for each sample, zero at masked positions.
    fn rows<T: Real>(&self, samples: usize, open: &Array2<T>) -> Array2<T> {
        let root = self.root.mapv(T::of);
        let copies = vec![root.view(); samples];
        let mut rows = concatenate(Axis(0), &copies).expect("as many columns");
        if !open.is_empty() {
            rows *= open;
        }
        rows
    }

    /// Joins vectors of the positions to the signal.
    fn join<T: Real>(&self, x: ArrayView2<'_, T>, vectors: ArrayView2<'_, T>) -> Array2<T> {
        match self.further {
            true => concatenate(Axis(1), &[x, vectors]).expect("as many rows"),
            false => &x + &vectors,
        }
    }

    /// Takes signals of what was joined apart: those of the signal, and of the vectors.
    fn part<T: Real>(&self, joined: &Array2<T>, channels: usize) -> [Array2<T>; 2] {
        match self.further {
            true => {
                let parts = joined.view().split_at(Axis(1), channels);
                [parts.0, parts.1].map(|part| part.as_standard_layout().into_owned())
            }
            false => [joined.clone(), joined.clone()],
        }
    }
}

/// What is kept of a forward pass, in this order.
struct Known<'s, T> {
    /// The rows of the embedding's root; empty without one.
    roots: &'s Array2<T>,
    /// What keys and queries are made of, and what values are.
    of_keys: &'s Array2<T>,
    of_values: &'s Array2<T>,
    queries: &'s Array2<T>,
    keys: &'s Array2<T>,
    values: &'s Array2<T>,
    /// Logits and attention weights, (samples * heads * positions, positions).
    logits: &'s Array2<T>,
    weights: &'s Array2<T>,
    /// The heads' outputs side by side.
    heads: &'s Array2<T>,
    /// 0 for each row that is masked and 1 for the others; empty without masks.
    open: &'s Array2<T>,
}

impl<'s, T> Known<'s, T> {
    fn of(saved: &'s Saved<T>) -> Self {
        let [
            roots,
            of_keys,
            of_values,
            queries,
            keys,
            values,
            logits,
            weights,
            heads,
            open,
        ] = &saved.own[..]
        else {
            unreachable!("a forward pass keeps them")
        };
        Self {
            roots,
            of_keys,
            of_values,
            queries,
            keys,
            values,
            logits,
            weights,
            heads,
            open,
        }
    }
}

impl SelfAttention {
    /// Makes the layer of the parameters from number `first` on.
    pub(crate) fn new(logits: &Logits, node: &Node, first: usize) -> Result<Self, String> {
        let positions = positions(&node.before);
        let embedding = logits.embedding.as_ref();
        let embedding = embedding.map(|e| Positional::new(e, node, first));
        let embedding = embedding.transpose()?;
        let mut next = usize::from(embedding.is_some());
        let mut site = || {
            next += 1;
            Site::new(node, first, next - 1, positions)
        };
        let query = (!logits.linear_scaling).then(&mut site);
        let [key, value, out] = std::array::from_fn(|_| site());
        let count = logits.key_channels as f64;
        Ok(Self {
            mechanism: logits.mechanism,
            heads: logits.heads,
            key_channels: logits.key_channels,
            value_channels: logits.value_channels,
            scale: match logits.linear_scaling {
                true => count.recip(),
                false => count.sqrt().recip(),
            },
            query,
            key,
            value,
            out: out.bias(node, first, next),
            embedding,
            positions,
            before: node.reads[0],
        })
    }

    /// Returns the rows of a sample.
    fn sample(&self, number: usize) -> Range<usize> {
        number * self.positions..(number + 1) * self.positions
    }

    /// Returns the columns of a head, of so many channels.
    fn head(number: usize, channels: usize) -> Range<usize> {
        number * channels..(number + 1) * channels
    }

    /// Returns a block of logits or weights.
    fn block<'a, T>(&self, all: &'a Array2<T>, sample: usize, head: usize) -> ArrayView2<'a, T> {
        all.slice(s![self.sample(sample * self.heads + head), ..])
    }

    /// Makes attention weights of the logits of one sample and head.
    fn weigh<T: Real>(&self, logits: ArrayView2<'_, T>, open: Option<&[T]>) -> Array2<T> {
        let mut weights = logits.to_owned();
        match self.mechanism {
            Mechanism::Identity => {}
            Mechanism::Relu => weights.mapv_inplace(|v| v.max(T::zero())),
            Mechanism::Abs => weights.mapv_inplace(T::abs),
            Mechanism::Softmax => {
                for mut row in weights.rows_mut() {
                    let is_open = |at: usize| open.is_none_or(|open| open[at] > T::zero());
                    let left = row.iter().enumerate().filter(|&(at, _)| is_open(at));
                    let left = left.map(|(_, &v)| Real::to_f64(v));
                    let most = left.clone().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = left.map(|v| (v - most).exp()).sum();
                    for (at, v) in row.iter_mut().enumerate() {
                        *v = match is_open(at) {
                            true => T::of((Real::to_f64(*v) - most).exp() / sum),
                            false => T::zero(),
                        };
                    }
                }
            }
        }
        closed(&mut weights, open);
        weights
    }

    /// Applies the derivative of the weights by the logits, which is its own transpose.
    fn slope<T: Real>(
        &self,
        logits: ArrayView2<'_, T>,
        weights: ArrayView2<'_, T>,
        open: Option<&[T]>,
        mut moved: Array2<T>,
    ) -> Array2<T> {
        match self.mechanism {
            Mechanism::Identity => {}
            Mechanism::Relu => moved.zip_mut_with(&logits, |d, &v| {
                if v <= T::zero() {
                    *d = T::zero();
                }
            }),
            Mechanism::Abs => moved.zip_mut_with(&logits, |d, &v| {
                if v < T::zero() {
                    *d = -*d;
                }
            }),
            Mechanism::Softmax => {
                for (mut moved, weights) in moved.rows_mut().into_iter().zip(weights.rows()) {
                    let both = moved.iter().zip(&weights);
                    let mean: f64 = both.map(|(&d, &w)| Real::to_f64(d) * Real::to_f64(w)).sum();
                    for (d, &w) in moved.iter_mut().zip(&weights) {
                        *d = w * (*d - T::of(mean));
                    }
                }
            }
        }
        closed(&mut moved, open);
        moved
    }

    /// Returns which positions of a sample are not masked.
    fn open<'a, T>(&self, open: &'a Array2<T>, sample: usize) -> Option<&'a [T]> {
        let all = open.as_slice()?;
        (!all.is_empty()).then(|| &all[self.sample(sample)])
    }
}

/// Sets what masked positions give to zero.
fn closed<T: Real>(weights: &mut Array2<T>, open: Option<&[T]>) {
    let Some(open) = open else {
        return;
    };
    for mut row in weights.rows_mut() {
        row.iter_mut().zip(open).for_each(|(w, &open)| *w *= open);
    }
}

/// `c += alpha a b`.
fn add<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut c: ArrayViewMut2<'_, T>) {
    gemm(alpha, &a, &b, T::one(), &mut c).expect("blocks of one head");
}

/// Returns `alpha a b`.
fn product<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    add(alpha, a, b, c.view_mut());
    c
}

impl<T: Real> FiniteLayer<T> for SelfAttention {
    fn forward(
        &self,
        theta: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let samples = x.nrows() / self.positions;
        let empty = || Array2::zeros((0, 0));
        let open = pass.mask(self.before, samples).map_or_else(empty, kept);
        let (roots, of_keys) = match &self.embedding {
            None => (empty(), x.clone()),
            Some(embedding) => {
                let roots = embedding.rows(samples, &open);
                let vectors = embedding.site.apply(theta, roots.view());
                let joined = embedding.join(x.view(), vectors.view());
                (roots, joined)
            }
        };
        let of_values = match &self.embedding {
            Some(embedding) if embedding.values => of_keys.clone(),
            _ => x,
        };
        let keys = self.key.apply(theta, of_keys.view());
        let query = self.query.as_ref();
        let queries =
            query.map_or_else(|| keys.clone(), |query| query.apply(theta, of_keys.view()));
        let values = self.value.apply(theta, of_values.view());
        let square = (samples * self.heads * self.positions, self.positions);
        let (mut logits, mut weights) = (Array2::zeros(square), Array2::zeros(square));
        let mut heads = Array2::zeros((values.nrows(), self.heads * self.value_channels));
        for sample in 0..samples {
            let rows = self.sample(sample);
            for head in 0..self.heads {
                let channels = Self::head(head, self.key_channels);
                let q = queries.slice(s![rows.clone(), channels.clone()]);
                let k = keys.slice(s![rows.clone(), channels]);
                let of = product(T::of(self.scale), q, k.t());
                let attention = self.weigh(of.view(), self.open(&open, sample));
                let channels = Self::head(head, self.value_channels);
                let v = values.slice(s![rows.clone(), channels.clone()]);
                let to = heads.slice_mut(s![rows.clone(), channels]);
                add(T::one(), attention.view(), v, to);
                let block = s![self.sample(sample * self.heads + head), ..];
                logits.slice_mut(block).assign(&of);
                weights.slice_mut(block).assign(&attention);
            }
        }
        let z = self.out.apply(theta, heads.view());
        let saved = match pass.save {
            false => Saved::NOTHING,
            true => Saved::own([
                roots, of_keys, of_values, queries, keys, values, logits, weights, heads, open,
            ]),
        };
        (z, saved)
    }

    fn adjoint(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        visit: &mut Visit<'_, T>,
    ) -> Array2<T> {
        let known = Known::of(saved);
        let rows = signal.nrows();
        let copies = rows / known.heads.nrows().max(1);
        let see =
            |visit: &mut Visit<'_, T>, site: Site, patches: &Array2<T>, signal: &Array2<T>| {
                visit(site.linear(patches.view(), signal.view()));
            };
        see(visit, self.out, known.heads, &signal);
        let mut by_heads = Array2::zeros((rows, known.heads.ncols()));
        self.out.back(theta, signal.view(), by_heads.view_mut());
        let of_keys = (rows, known.keys.ncols());
        let (mut by_queries, mut by_keys) = (Array2::zeros(of_keys), Array2::zeros(of_keys));
        let mut by_values = Array2::zeros((rows, known.values.ncols()));
        let scale = T::of(self.scale);
        for copy in 0..rows / self.positions {
            let sample = copy / copies;
            let (own, to) = (self.sample(sample), self.sample(copy));
            for head in 0..self.heads {
                let weights = self.block(known.weights, sample, head);
                let channels = Self::head(head, self.value_channels);
                let back = by_heads.slice(s![to.clone(), channels.clone()]);
                let v = known.values.slice(s![own.clone(), channels.clone()]);
                let by_weights = product(T::one(), back, v.t());
                let by_v = by_values.slice_mut(s![to.clone(), channels]);
                add(T::one(), weights.t(), back, by_v);
                let logits = self.block(known.logits, sample, head);
                let open = self.open(known.open, sample);
                let by_logits = self.slope(logits, weights, open, by_weights);
                let channels = Self::head(head, self.key_channels);
                let q = known.queries.slice(s![own.clone(), channels.clone()]);
                let k = known.keys.slice(s![own.clone(), channels.clone()]);
                let by_q = by_queries.slice_mut(s![to.clone(), channels.clone()]);
                add(scale, by_logits.view(), k, by_q);
                let by_k = by_keys.slice_mut(s![to.clone(), channels]);
                add(scale, by_logits.t(), q, by_k);
            }
        }
        see(visit, self.value, known.of_values, &by_values);
        let mut by_joined = Array2::zeros((rows, known.of_keys.ncols()));
        match self.query {
            Some(query) => {
                see(visit, query, known.of_keys, &by_queries);
                query.back(theta, by_queries.view(), by_joined.view_mut());
            }
            None => by_keys += &by_queries,
        }
        see(visit, self.key, known.of_keys, &by_keys);
        self.key.back(theta, by_keys.view(), by_joined.view_mut());
        let Some(embedding) = &self.embedding else {
            self.value
                .back(theta, by_values.view(), by_joined.view_mut());
            return by_joined;
        };
        if embedding.values {
            self.value
                .back(theta, by_values.view(), by_joined.view_mut());
        }
        let channels = match embedding.further {
            true => known.of_keys.ncols() - theta[embedding.site.weights].ncols(),
            false => known.of_keys.ncols(),
        };
        let [mut by_input, by_vectors] = embedding.part(&by_joined, channels);
        see(visit, embedding.site, known.roots, &by_vectors);
        if !embedding.values {
            self.value
                .back(theta, by_values.view(), by_input.view_mut());
        }
        by_input
    }

    fn tangent(
        &self,
        theta: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        direction: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        if dx.is_none() && direction.is_none() {
            return None;
        }
        let known = Known::of(saved);
        let rows = known.heads.nrows();
        // The move of what a site gives, by its parameters and by what goes in.
        let moved = |site: &Site, of: &Array2<T>, d_of: Option<&Array2<T>>| {
            site.tangent(theta, of, d_of, direction)
        };
        let d_joined = match &self.embedding {
            None => dx.clone(),
            Some(embedding) => {
                let d_vectors = moved(&embedding.site, known.roots, None);
                let channels = match embedding.further {
                    true => known.of_keys.ncols() - d_vectors.ncols(),
                    false => d_vectors.ncols(),
                };
                let still = || Array2::zeros((rows, channels));
                let dx = dx.clone().unwrap_or_else(still);
                Some(embedding.join(dx.view(), d_vectors.view()))
            }
        };
        let d_of_values = match &self.embedding {
            Some(embedding) if embedding.values => d_joined.as_ref(),
            _ => dx.as_ref(),
        };
        let d_keys = moved(&self.key, known.of_keys, d_joined.as_ref());
        let d_queries = match &self.query {
            None => d_keys.clone(),
            Some(query) => moved(query, known.of_keys, d_joined.as_ref()),
        };
        let d_values = moved(&self.value, known.of_values, d_of_values);
        let mut d_heads = Array2::zeros(known.heads.raw_dim());
        let scale = T::of(self.scale);
        for sample in 0..rows / self.positions {
            let own = self.sample(sample);
            for head in 0..self.heads {
                let columns = s![own.clone(), Self::head(head, self.key_channels)];
                let [q, k, dq, dk] =
                    [known.queries, known.keys, &d_queries, &d_keys].map(|all| all.slice(columns));
                let mut d_logits = product(scale, dq, k.t());
                add(scale, q, dk.t(), d_logits.view_mut());
                let weights = self.block(known.weights, sample, head);
                let logits = self.block(known.logits, sample, head);
                let open = self.open(known.open, sample);
                let d_weights = self.slope(logits, weights, open, d_logits);
                let columns = s![own.clone(), Self::head(head, self.value_channels)];
                let v = known.values.slice(columns);
                let dv = d_values.slice(columns);
                add(T::one(), d_weights.view(), v, d_heads.slice_mut(columns));
                add(T::one(), weights, dv, d_heads.slice_mut(columns));
            }
        }
        Some(moved(&self.out, known.heads, Some(&d_heads)))
    }

    fn has_parameters(&self) -> bool {
        true
    }
}
