//! Images to benchmark on.

use crate::Failure;
use ndarray::{Array1, Array2, Array4, ArrayD, ArrayView1, Axis, Slice, s};
use ntk_data::targets::{one_hot, parity};
use ntk_data::{
    Availability, DataSet, Observed, PixelScaling, Places, Source, availability, registry,
};
use ntk_linalg::{Observer, Real};
use std::cell::OnceCell;

/// Pixels on each side of a CIFAR image.
const COLOUR_SIDE: usize = 32;
/// Of every data set here.
pub(super) const CLASSES: usize = 10;

/// What kind of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pixels {
    /// `(n, height * width)`
    Vectors,
    /// `(n, 28, 28, 1)`
    Grey,
    /// `(n, 32, 32, 3)`
    Colour,
}

/// Data sets, loaded when first asked for.
pub(super) struct Inputs<'a> {
    places: &'a Places,
    observer: &'a dyn Observer,
    grey: OnceCell<Labelled>,
    colour: OnceCell<Labelled>,
}

/// A data set's images with their classes, and what it is in words.
struct Labelled {
    images: Array4<u8>,
    labels: Array1<u8>,
    note: String,
}

/// Samples as pixels, which either precision is made from.
pub(super) struct Images {
    pixels: ArrayD<u8>,
    labels: Vec<u8>,
}

impl Images {
    /// Each pixel over 255.
    pub(super) fn numbers<T: Real>(&self) -> ArrayD<T> {
        self.pixels
            .mapv(|pixel| T::of(PixelScaling::Unit.apply(pixel)))
    }

    /// +1 for odd classes and -1 for even ones, (n, 1).
    pub(super) fn parity(&self) -> Array2<f32> {
        parity(ArrayView1::from(&self.labels[..]))
    }

    /// One-hot rows, (n, [`CLASSES`]).
    pub(super) fn targets(&self) -> Result<Array2<f32>, Failure> {
        Ok(one_hot(ArrayView1::from(&self.labels[..]), CLASSES)?)
    }
}

impl<'a> Inputs<'a> {
    pub(super) fn new(places: &'a Places, observer: &'a dyn Observer) -> Self {
        Self {
            places,
            observer,
            grey: OnceCell::new(),
            colour: OnceCell::new(),
        }
    }

    /// The first `n` samples, and what they are in words.
    pub(super) fn take(&self, pixels: Pixels, n: usize) -> Result<(Images, String), Failure> {
        let all = match pixels {
            Pixels::Vectors | Pixels::Grey => cached(&self.grey, || self.load_grey())?,
            Pixels::Colour => cached(&self.colour, || self.load_colour())?,
        };
        let have = all.images.shape()[0];
        let (images, repeated) = first(&all.images, n);
        let labels = all.labels.iter().copied().cycle().take(n).collect();
        let note = if repeated {
            format!(
                "{}; it has {have} images, and more are these shifted to the right",
                all.note
            )
        } else {
            all.note.clone()
        };
        let (_, height, width, channels) = images.dim();
        let pixels = match pixels {
            Pixels::Vectors => images
                .into_shape_with_order((n, height * width * channels))?
                .into_dyn(),
            _ => images.into_dyn(),
        };
        Ok((Images { pixels, labels }, note))
    }

    /// MNIST, or where it is out of reach what stands in.
    fn load_grey(&self) -> Result<Labelled, Failure> {
        let set = ntk_data::load("mnist", self.places, &Observed(self.observer))
            .or_else(|_| ntk_data::load("fashion-mnist", self.places, &Observed(self.observer)))?;
        Ok(labelled(set))
    }

    /// CIFAR-10 where it is here already, else MNIST in its place.
    fn load_colour(&self) -> Result<Labelled, Failure> {
        let entry = registry::find("cifar-10")?;
        if matches!(availability(entry, self.places), Availability::Here { .. }) {
            let set = ntk_data::load("cifar-10", self.places, &Observed(self.observer))?;
            return Ok(labelled(set));
        }
        let grey = cached(&self.grey, || self.load_grey())?;
        Ok(Labelled {
            images: in_colour(&grey.images),
            labels: grey.labels.clone(),
            note: format!(
                "{}, in a frame of zeros, in three channels of 1, 1/2 and 1/4 its brightness",
                grey.note
            ),
        })
    }
}

/// What the cell holds, or else what `load` gives.
fn cached<T>(cell: &OnceCell<T>, load: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    if cell.get().is_none() {
        // Empty, so it takes the value.
        let _ = cell.set(load()?);
    }
    Ok(cell.get().ok_or("the data set was not kept")?)
}

fn labelled(set: DataSet) -> Labelled {
    let note = match set.source {
        Source::Embedded => format!("embedded sample of {}", set.name),
        _ => set.name.to_string(),
    };
    Labelled {
        images: set.train.images,
        labels: set.train.labels,
        note,
    }
}

/// The first `n` images; where there are fewer they come again, each time one pixel further to
/// the right, so that no two are equal. Says whether it came to that.
fn first(all: &Array4<u8>, n: usize) -> (Array4<u8>, bool) {
    let (have, height, width, channels) = all.dim();
    if n <= have {
        return (all.slice_axis(Axis(0), Slice::from(..n)).to_owned(), false);
    }
    let shifted = Array4::from_shape_fn((n, height, width, channels), |(i, y, x, c)| {
        let shift = (i / have) % width;
        all[[i % have, y, (x + width - shift) % width, c]]
    });
    (shifted, true)
}

/// Grey images of at most 32 x 32 pixels in the middle of colour images of that size.
fn in_colour(grey: &Array4<u8>) -> Array4<u8> {
    let (n, height, width, _) = grey.dim();
    let (top, left) = ((COLOUR_SIDE - height) / 2, (COLOUR_SIDE - width) / 2);
    let mut colour = Array4::zeros((n, COLOUR_SIDE, COLOUR_SIDE, 3));
    for (channel, divisor) in [1, 2, 4].into_iter().enumerate() {
        colour
            .slice_mut(s![.., top..top + height, left..left + width, channel])
            .assign(&grey.slice(s![.., .., .., 0]).mapv(|pixel| pixel / divisor));
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Array4<u8> {
        Array4::from_shape_fn((2, 2, 3, 1), |(i, y, x, _)| (100 * i + 10 * y + x) as u8)
    }

    #[test]
    fn images_come_again_shifted() {
        assert!(!first(&counted(), 2).1);
        let (images, repeated) = first(&counted(), 5);
        assert!(repeated);
        assert_eq!(images.slice(s![..2, .., .., ..]), counted());
        assert_eq!(images.slice(s![3, 1, .., 0]).to_vec(), [112, 110, 111]);
        assert_eq!(images.slice(s![4, 0, .., 0]).to_vec(), [1, 2, 0]);
    }

    #[test]
    fn colours_are_framed() {
        let grey = Array4::from_elem((1, 28, 28, 1), 200);
        let colour = in_colour(&grey);
        assert_eq!(colour.dim(), (1, 32, 32, 3));
        assert_eq!(colour.slice(s![0, 2, 2, ..]).to_vec(), [200, 100, 50]);
        assert_eq!(colour.slice(s![0, 1, 2, ..]).to_vec(), [0, 0, 0]);
        assert_eq!(colour.slice(s![0, 29, 29, ..]).to_vec(), [200, 100, 50]);
        assert_eq!(colour.slice(s![0, 30, 29, ..]).to_vec(), [0, 0, 0]);
    }
}
