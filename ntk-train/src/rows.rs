//! From a caller's samples to the rows that layers take.

use crate::compiled::Scalar;
use crate::inputs::{Inputs, Rows};
use crate::layers::Beside;
use crate::model::{Model, check_memory, saturating};
use crate::model_error::ModelError;
use ndarray::{Array2, ArrayViewD, Axis, CowArray, Dimension, Ix2, Slice};
use ntk_kernels::{Edge, StructureError};
use ntk_linalg::Real;

impl<T: Scalar> Model<T> {
    /// Checks inputs (n, ...), and makes them (n * positions, channels).
    pub(crate) fn rows<'a>(&self, inputs: Inputs<'a, T>) -> Result<Rows<'a, T>, ModelError> {
        let n = self.samples(&inputs)?;
        let Inputs {
            x,
            structure,
            first,
            total,
        } = inputs;
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
        let beside = structure.map(|structure| {
            structure.fits(self.graph(), "x", total)?;
            let samples = first..first + n;
            let masks = structure.masked().map(|mask| {
                let mask = mask.slice_axis(Axis(0), Slice::from(samples.clone()));
                let mask = mask.to_shape((n, positions)).expect("checked").to_owned();
                let after = self.graph().masks(&mask)?;
                Ok::<_, StructureError>(std::iter::once(mask).chain(after).collect::<Vec<_>>())
            });
            let masks = masks.transpose()?;
            let edges: Option<Vec<Vec<Edge>>> = samples
                .map(|sample| structure.edges_of(sample).map(<[Edge]>::to_vec))
                .collect();
            Ok::<_, ModelError>(Beside { masks, edges })
        });
        let beside = beside.transpose()?;
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
