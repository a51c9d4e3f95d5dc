//! Images to benchmark on.

use crate::Failure;
use crate::experiments::study::CLASSES;
use ndarray::{Array2, Array4, ArrayD, Axis, Slice, s};
use ntk_data::targets::{one_hot, parity};
use ntk_data::{Availability, DataSet, Observed, PixelScaling, Places, Source, Split, registry};
use ntk_linalg::{Observer, Real};
use std::cell::OnceCell;

/// The number of pixels on each side of a CIFAR image.
const COLOUR_SIDE: usize = 32;

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
    grey: OnceCell<(Split, String)>,
    colour: OnceCell<(Split, String)>,
}

/// Samples of one kind.
pub(super) struct Input {
    pixels: Pixels,
    split: Split,
    /// What they are, in words.
    pub(super) note: String,
}

impl Input {
    /// Returns each pixel over 255, in either precision.
    pub(super) fn numbers<T: Real>(&self) -> ArrayD<T> {
        match self.pixels {
            Pixels::Vectors => self.split.vectors(PixelScaling::Unit).into_dyn(),
            Pixels::Grey | Pixels::Colour => self.split.images(PixelScaling::Unit).into_dyn(),
        }
    }

    /// Returns +1 for odd classes and -1 for even ones, (n, 1).
    pub(super) fn parity(&self) -> Array2<f32> {
        parity(&self.split.labels)
    }

    /// Returns one-hot rows, (n, [`CLASSES`]).
    pub(super) fn targets(&self) -> Result<Array2<f32>, Failure> {
        Ok(one_hot(&self.split.labels, CLASSES)?)
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

    /// Takes the first `n` samples.
    pub(super) fn take(&self, pixels: Pixels, n: usize) -> Result<Input, Failure> {
        let (all, note) = match pixels {
            Pixels::Vectors | Pixels::Grey => cached(&self.grey, || self.load_grey())?,
            Pixels::Colour => cached(&self.colour, || self.load_colour())?,
        };
        let have = all.len();
        let (images, repeated) = first(&all.images, n);
        let again = format!("; it has {have} images, and more are these shifted to the right");
        Ok(Input {
            pixels,
            split: Split {
                images,
                labels: all.labels.iter().copied().cycle().take(n).collect(),
                rows: (0..n).collect(),
            },
            note: note.clone() + if repeated { &again } else { "" },
        })
    }

    /// Loads MNIST, or where it is out of reach what stands in.
    fn load_grey(&self) -> Result<(Split, String), Failure> {
        let observer = Observed(self.observer);
        let loader = self.places.observer(&observer);
        let set = loader
            .load("mnist")
            .or_else(|_| loader.load("fashion-mnist"))?;
        Ok(labelled(set))
    }

    /// Loads CIFAR-10 where it is here already, else MNIST in its place.
    fn load_colour(&self) -> Result<(Split, String), Failure> {
        let entry = registry::find("cifar-10")?;
        if matches!(self.places.availability(entry), Availability::Here { .. }) {
            let observer = Observed(self.observer);
            let set = self.places.observer(&observer).load("cifar-10")?;
            return Ok(labelled(set));
        }
        let (grey, note) = cached(&self.grey, || self.load_grey())?;
        let split = Split {
            images: in_colour(&grey.images),
            ..grey.clone()
        };
        let frame = "in a frame of zeros, in three channels of 1, 1/2 and 1/4 its brightness";
        Ok((split, format!("{note}, {frame}")))
    }
}

/// Returns what the cell holds, or else what `load` gives.
fn cached<T>(cell: &OnceCell<T>, load: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    if cell.get().is_none() {
        // Empty, so it takes the value.
        let _ = cell.set(load()?);
    }
    Ok(cell.get().ok_or("the data set was not kept")?)
}

fn labelled(set: DataSet) -> (Split, String) {
    let note = match set.source {
        Source::Embedded => format!("embedded sample of {}", set.name),
        _ => set.name.to_string(),
    };
    (set.train, note)
}

/// Returns the first `n` images; where there are fewer they come again, each time one pixel further to
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

/// Puts grey images of at most 32 x 32 pixels in the middle of colour images of that size.
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
