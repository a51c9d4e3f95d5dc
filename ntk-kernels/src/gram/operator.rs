//! Symmetric kernel matrices in tiles as what solvers ask for.

use super::tiles::{ProductError, TileSource, product};
use super::tiling::{Position, Tiling};
use ndarray::{Array2, ArrayView2};
use ntk_linalg::observer::{Inside, Observer};
use ntk_linalg::{Operator, Real, SymmetricTiles};
use std::marker::PhantomData;

/// `K + shift` for a symmetric K in tiles, by its products in f64, whatever the tiles are in: for
/// [`conjugate_gradients`](ntk_linalg::conjugate_gradients()), [`refine`](ntk_linalg::refine()) and
/// estimates of spectra where K is larger than memory.
///
/// A product asks for every tile once: of a store it reads the file, of computed tiles it computes
/// the kernel.
pub struct TiledOperator<'a, T, S> {
    source: Widened<'a, T, S>,
    shift: f64,
    observer: Inside<'a>,
}

impl<'a, T: Real, S: TileSource<T>> TiledOperator<'a, T, S> {
    /// Of a symmetric source; products stop when `observer` cancels.
    ///
    /// # Errors
    /// [`ProductError::NotSymmetric`].
    pub fn new(
        source: &'a S,
        shift: f64,
        observer: &'a dyn Observer,
    ) -> Result<Self, ProductError<S::Error>> {
        check_symmetric(source.tiling())?;
        Ok(Self {
            source: Widened::new(source),
            shift,
            observer: Inside(observer),
        })
    }
}

fn check_symmetric<E>(tiling: &Tiling) -> Result<(), ProductError<E>> {
    if tiling.is_symmetric() {
        return Ok(());
    }
    Err(ProductError::NotSymmetric {
        rows: tiling.rows(),
        columns: tiling.columns(),
    })
}

impl<T: Real, S: TileSource<T>> Operator<f64> for TiledOperator<'_, T, S> {
    type Error = ProductError<S::Error>;

    fn order(&self) -> usize {
        self.source.tiling().rows()
    }

    fn product(&self, v: ArrayView2<'_, f64>) -> Result<Array2<f64>, Self::Error> {
        let mut found = product(&self.source, v, &self.observer)?;
        found.scaled_add(self.shift, &v);
        Ok(found)
    }
}

/// The tiles of another source in f64: for products in f64 with what was computed or stored in f32.
pub struct Widened<'a, T, S>(&'a S, PhantomData<fn() -> T>);

impl<'a, T: Real, S: TileSource<T>> Widened<'a, T, S> {
    /// Of `source`.
    pub fn new(source: &'a S) -> Self {
        Self(source, PhantomData)
    }
}

impl<T: Real, S: TileSource<T>> TileSource<f64> for Widened<'_, T, S> {
    type Error = S::Error;

    fn tiling(&self) -> &Tiling {
        self.0.tiling()
    }

    fn tile(&self, position: Position) -> Result<Array2<f64>, S::Error> {
        Ok(self.0.tile(position)?.mapv(Real::to_f64))
    }
}

/// All tiles of a symmetric matrix, in memory: half of the whole.
///
/// # Errors
/// [`ProductError::NotSymmetric`]; the first tile that is not to be had; when `observer` cancels.
pub fn in_memory<T: Real, S: TileSource<T>>(
    source: &S,
    observer: &dyn Observer,
) -> Result<SymmetricTiles<T>, ProductError<S::Error>> {
    let tiling = source.tiling();
    check_symmetric(tiling)?;
    SymmetricTiles::new(tiling.rows(), tiling.tile(), observer, |rows, columns| {
        let position = (rows.start / tiling.tile(), columns.start / tiling.tile());
        source.tile(position).map_err(ProductError::Tile)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::gram::tiles::{ComputedTiles, Kernel};
    use crate::network::{dense, relu};

    fn samples(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, 3), |(i, j)| {
            ((i * 31 + j * 17 + i * j) % 23) as f64 - 11.0
        })
    }

    #[test]
    fn products_are_those_of_the_matrix_in_memory() {
        let network = Network::new().then(dense()).then(relu()).then(dense());
        for n in [0, 1, 20] {
            let x = samples(n);
            let tiles = ComputedTiles::new(&network, x.view(), None, Kernel::Ntk, 7).unwrap();
            let v = samples(n);
            let operator = TiledOperator::new(&tiles, 0.5, &()).unwrap();
            assert_eq!(operator.order(), n);
            let found = operator.product(v.view()).unwrap();
            let mut held = in_memory(&tiles, &()).unwrap();
            held.add_to_diagonal(0.5);
            let expected = held.product(v.view()).unwrap();
            let far = (&found - &expected)
                .iter()
                .fold(0.0, |m: f64, v| m.max(v.abs()));
            assert!(far <= 1e-12 * (1.0 + held.trace().unwrap()), "{n}: {far}");
        }
        let (x, z) = (samples(4), samples(5));
        let tiles = ComputedTiles::new(&network, x.view(), Some(z.view()), Kernel::Ntk, 7).unwrap();
        assert!(matches!(
            in_memory(&tiles, &()),
            Err(ProductError::NotSymmetric {
                rows: 4,
                columns: 5
            })
        ));
        assert!(TiledOperator::new(&tiles, 0.0, &()).is_err());
    }
}
