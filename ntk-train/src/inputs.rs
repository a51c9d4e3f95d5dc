//! From a caller's inputs to the rows that layers take.

use crate::compiled::Scalar;
use crate::layers::Beside;
use crate::model::{Model, check_memory, saturating};
use crate::model_error::ModelError;
use crate::rows::Rows;
use ndarray::{Array2, ArrayViewD, CowArray, Dimension, Ix2};
use ntk_kernels::{Edge, Inputs};
use ntk_linalg::Real;

impl<T: Scalar> Model<T> {
    /// Checks inputs (n, ...), and makes them (n * positions, channels).
    pub(crate) fn rows<'a>(&self, inputs: Inputs<'a, T>) -> Result<Rows<'a, T>, ModelError> {
        let n = self.samples(&inputs)?;
        let Inputs { x, structure } = inputs;
        self.check_tokens(&x)?;
        let positions = self.positions();
        let shape = (n * positions, self.input().channels());
        let mut numbers: CowArray<'a, T, Ix2> = if x.is_standard_layout() {
            let rows = x.into_shape_with_order(shape);
            rows.expect("as many numbers").into()
        } else {
            // A view may have more numbers than memory.
            check_memory(saturating([x.len(), size_of::<T>()]))?;
            let values = x.iter().copied().collect();
            let rows = Array2::from_shape_vec(shape, values);
            rows.expect("as many numbers").into()
        };
        let masks = match structure.masked() {
            Some(mask) => {
                let mask = mask.to_shape((n, positions)).expect("checked").to_owned();
                let after = self.graph().masks(&mask)?;
                Some(std::iter::once(mask).chain(after).collect())
            }
            None => None,
        };
        let edges: Option<Vec<Vec<Edge>>> = (0..n)
            .map(|sample| structure.edges_of(sample).map(<[Edge]>::to_vec))
            .collect();
        let beside = (!structure.is_empty()).then_some(Beside { masks, edges });
        if let Some(mask) = beside.as_ref().and_then(|beside| beside.masks(None)) {
            for (mut row, &masked) in numbers.rows_mut().into_iter().zip(mask) {
                if masked {
                    row.fill(T::zero());
                }
            }
        }
        Ok(Rows {
            numbers,
            positions,
            beside,
        })
    }

    /// Refuses numbers that are no token ids, where the first layer is an embedding.
    fn check_tokens(&self, x: &ArrayViewD<'_, T>) -> Result<(), ModelError> {
        let Some(vocabulary) = self.tokens() else {
            return Ok(());
        };
        let limit = vocabulary as f64;
        let token = |v: f64| v >= 0.0 && v < limit && v.fract() == 0.0;
        let mut all = x.indexed_iter().map(|(index, &v)| (index, Real::to_f64(v)));
        match all.find(|&(_, v)| !token(v)) {
            None => Ok(()),
            Some((index, value)) => Err(ModelError::Token {
                // Ids have no channels.
                index: index.slice()[..=self.input().positions().len()].to_vec(),
                value,
                vocabulary,
            }),
        }
    }
}
