//! Images deformed at random: affine maps and elastic fields.
//!
//! [`Deformations`] makes of a [`Split`] of n images an endless stream. Image `i` of it comes from original
//! `i mod n`; the first n are the originals themselves, all others are deformed.
//!
//! ```
//! # #[cfg(feature = "embedded")] {
//! use ntk_data::{Deformations, PixelScaling, sample};
//!
//! let train = sample::load()?.train.first(1000)?;
//! let deform = Deformations::new().rotation(10.0).elastic(5.5, 1.1).seed(0);
//! let block = deform.images(&train, 123_000..123_256)?; // 256 images, with labels and rows
//! let x = block.vectors::<f32>(PixelScaling::Unit); // (256, 784)
//! // The same image, whoever computes it.
//! let alone = deform.image(&train, 123_200)?; // (28, 28, 1)
//! assert_eq!(block.images.index_axis(ndarray::Axis(0), 200), alone);
//! # assert_eq!((x.dim(), block.labels[200]), ((256, 784), train.labels[200]));
//! # }
//! # Ok::<(), ntk_data::Error>(())
//! ```
//!
//! # The formula
//! Pixel p = (x, y), counted to the right and down, of the deformed image is the original at
//!
//! ```text
//! q(p) = c + S^-1 H^-1 R^-1 (p - c - t) + u(p),   c = ((width - 1) / 2, (height - 1) / 2)
//! ```
//!
//! interpolated linearly between the four pixels around q, zero outside of the image, and rounded to the nearest of
//! `0..=255`. All channels have the same q. R turns by an angle, H maps (x, y) to (x + k y, y), S multiplies x by one
//! factor and y by another, t is a shift; the six numbers are uniform, independent and drawn anew for each image.
//!
//! Both components of the elastic field u are `U = displacement * sqrt(3) / sum_j g_j^2 * (g * g^T) * noise`: noise
//! uniform in (-1, 1) and independent at each pixel and as far around the image as the window reaches, smoothed by
//! `g_j = exp(-j^2 / (2 sigma^2))`, `|j| <= ceil(3 sigma)`, along both axes (by `g_0 = 1` alone where sigma is 0). The variance of the noise is 1/3, so that
//! `displacement` is the root mean square of u along each axis, in pixels, at every pixel and over all images (not
//! within one of them, whose u may be mostly a shift where sigma is large). The smoothed noise times alpha of Simard,
//! Steinkraus and Platt is `displacement = alpha / (2 sqrt(3 pi) sigma)`: their sigma 4 and alpha 34 are a displacement of
//! 1.38 pixels.
//!
//! # The same on every machine
//! An image is a function of the settings, the seed, its index and its original alone. Random numbers are those of
//! ChaCha with 8 rounds, whose stream has the number of the index. All else is IEEE arithmetic in an order that is
//! fixed, with sine, cosine and exponential of the crate `libm` rather than of the system. (Processors without IEEE
//! arithmetic, such as the x87, may round one pixel in many to its neighbour.)
//!
//! Patrice Y. Simard, Dave Steinkraus, John C. Platt (2003). Best practices for convolutional neural networks applied
//! to visual document analysis. ICDAR, section 2. <https://doi.org/10.1109/ICDAR.2003.1227801>.
//! It differs in that the noise goes on outside of the image, so that the field is alike everywhere.

use std::ops::Range;

use chacha20::ChaCha8Rng;
use ndarray::{Array3, Array4, ArrayView3, Axis};
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use thiserror::Error;

use crate::scalar::fits;
use crate::split::Split;

/// A `DeformError` says why images cannot be deformed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum DeformError {
    /// A setting is negative, not finite or too large.
    #[error("{name} is {value}, and must be at least 0 and below {below}; give such a number")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The bound that it must stay below: infinity where every finite number will do.
        below: f64,
    },
    /// There is no image to deform.
    #[error(
        "asked for {asked} deformed images, and there are {available} originals; give at least one"
    )]
    NoOriginals {
        /// The number of images asked for.
        asked: u64,
        /// The number of originals: zero.
        available: usize,
    },
    /// The images have no pixels.
    #[error(
        "images of {height} x {width} pixels of {channels} channels have nothing to deform; give images with pixels"
    )]
    NoPixels {
        /// The number of rows of pixels.
        height: usize,
        /// The number of columns of pixels.
        width: usize,
        /// The number of channels.
        channels: usize,
    },
    /// The images asked for exceed memory.
    #[error("{asked} images of {bytes} bytes each exceed all memory; ask for fewer at a time")]
    TooMany {
        /// The number of images asked for.
        asked: u64,
        /// The size of one.
        bytes: usize,
    },
}

/// A `Deformations` says how images are deformed, and from which seed; see [the formula](self).
///
/// The defaults suit digits of 28 x 28 pixels. They are within the ranges of Cireşan, Meier, Gambardella and
/// Schmidhuber (2010), <https://doi.org/10.1162/NECO_a_00052>: turns of 15 degrees, factors of 15 %, sigma 5 to 6 and
/// alpha 36 to 38, which is a displacement of 1.1 pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deformations {
    rotation: f64,
    scale: f64,
    shear: f64,
    shift: f64,
    sigma: f64,
    displacement: f64,
    keep_originals: bool,
    seed: u64,
}

impl Default for Deformations {
    fn default() -> Self {
        Self {
            rotation: 10.0,
            scale: 0.12,
            shear: 0.1,
            shift: 0.0,
            sigma: 5.5,
            displacement: 1.1,
            keep_originals: true,
            seed: 0,
        }
    }
}

impl Deformations {
    /// Returns the defaults: turns of 10 degrees, factors of 12 %, a shear of 0.1, no shift but that of an elastic
    /// field of 5.5 pixels with displacements of 1.1, originals first, seed 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what deforms nothing, to be set from there.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
            .rotation(0.0)
            .scale(0.0)
            .shear(0.0)
            .elastic(0.0, 0.0)
    }

    /// Sets the largest angle in degrees: turns are uniform between its negative and itself.
    #[must_use]
    pub fn rotation(mut self, degrees: f64) -> Self {
        self.rotation = degrees;
        self
    }

    /// Sets the largest change of size, below 1: the factors of width and height are independent and uniform between
    /// `1 - fraction` and `1 + fraction`.
    #[must_use]
    pub fn scale(mut self, fraction: f64) -> Self {
        self.scale = fraction;
        self
    }

    /// Sets the largest horizontal shear, the shift of a row over its distance from the middle row: uniform between its
    /// negative and itself.
    #[must_use]
    pub fn shear(mut self, ratio: f64) -> Self {
        self.shear = ratio;
        self
    }

    /// Sets the largest shift along each axis, uniform between its negative and itself.
    #[must_use]
    pub fn shift(mut self, pixels: f64) -> Self {
        self.shift = pixels;
        self
    }

    /// Sets the width of the elastic field's smoothing, below the longer side of the images, and the root mean square of
    /// its displacement along each axis, both in pixels; a displacement of 0 is no field.
    #[must_use]
    pub fn elastic(mut self, sigma: f64, displacement: f64) -> Self {
        self.sigma = sigma;
        self.displacement = displacement;
        self
    }

    /// Chooses whether the first n images of the stream are the n originals themselves, as they are by default.
    ///
    /// No other image changes by it.
    #[must_use]
    pub fn keep_originals(mut self, keep: bool) -> Self {
        self.keep_originals = keep;
        self
    }

    /// Sets the seed, 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Computes image `index` of the stream, `(height, width, channels)`; its label is that of `index mod n`.
    ///
    /// # Errors
    /// [`DeformError`] for settings out of range and for no or empty images.
    pub fn image(&self, originals: &Split, index: u64) -> Result<Array3<u8>, DeformError> {
        let stream = Stream::new(self, originals, 1)?;
        let (_, height, width, channels) = originals.images.dim();
        let mut image = Array3::zeros((height, width, channels));
        if let Some(pixels) = image.as_slice_mut() {
            stream.compute(index, &mut Scratch::default(), pixels);
        }
        Ok(image)
    }

    /// Computes the images of these indices, with the labels and rows of their originals.
    ///
    /// The images are computed in parallel on the threads of rayon's pool. One of 28 x 28 pixels takes some 50 us, and any of h x w
    /// pixels O(h w + sigma (h + sigma) (w + sigma)). A range without indices gives no images.
    ///
    /// # Errors
    /// [`DeformError`] for settings out of range, for no or empty images, and for more than memory has room for.
    pub fn images(&self, originals: &Split, indices: Range<u64>) -> Result<Split, DeformError> {
        let asked = indices.end.saturating_sub(indices.start);
        let stream = Stream::new(self, originals, asked)?;
        let (_, height, width, channels) = originals.images.dim();
        let bytes = height * width * channels;
        let too_many = DeformError::TooMany { asked, bytes };
        let count = usize::try_from(asked).map_err(|_| too_many)?;
        // Each image has a label and a row too.
        if !fits::<u8>(count, bytes) || !fits::<usize>(count, 1) {
            return Err(too_many);
        }
        let mut images = Array4::zeros((count, height, width, channels));
        if let Some(pixels) = images.as_slice_mut() {
            let blocks = pixels.par_chunks_exact_mut(bytes).enumerate();
            blocks.for_each_init(Scratch::default, |scratch, (i, pixels)| {
                stream.compute(indices.start + i as u64, scratch, pixels);
            });
        }
        let original = |index| stream.original(index);
        Ok(Split {
            images,
            labels: indices
                .clone()
                .map(|i| originals.labels[original(i)])
                .collect(),
            rows: indices.map(|i| originals.rows[original(i)]).collect(),
        })
    }

    /// Checks the settings for images whose longer side is `longest`.
    fn check(&self, longest: usize) -> Result<(), DeformError> {
        let settings = [
            ("rotation", self.rotation, f64::INFINITY),
            ("scale", self.scale, 1.0),
            ("shear", self.shear, f64::INFINITY),
            ("shift", self.shift, f64::INFINITY),
            // A wider field is a shift.
            ("sigma", self.sigma, longest as f64),
            ("displacement", self.displacement, f64::INFINITY),
        ];
        for (name, value, below) in settings {
            if !(0.0..below).contains(&value) {
                return Err(DeformError::Setting { name, value, below });
            }
        }
        Ok(())
    }
}

/// What all images of a stream have in common.
struct Stream<'a> {
    settings: &'a Deformations,
    originals: &'a Split,
    /// The number of originals.
    n: u64,
    /// The weights of the smoothing along y, and along x with the factor that makes the displacement right.
    windows: [Vec<f32>; 2],
}

impl<'a> Stream<'a> {
    fn new(
        settings: &'a Deformations,
        originals: &'a Split,
        asked: u64,
    ) -> Result<Self, DeformError> {
        let (_, height, width, channels) = originals.images.dim();
        if height == 0 || width == 0 || channels == 0 {
            return Err(DeformError::NoPixels {
                height,
                width,
                channels,
            });
        }
        settings.check(height.max(width))?;
        let n = originals.len();
        if n == 0 && asked > 0 {
            return Err(DeformError::NoOriginals {
                asked,
                available: n,
            });
        }
        Ok(Self {
            settings,
            originals,
            n: n as u64,
            windows: windows(settings.sigma, settings.displacement),
        })
    }

    /// Finds the position of the original of an image.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is below the number of originals"
    )]
    fn original(&self, index: u64) -> usize {
        (index % self.n) as usize
    }

    /// Computes one image, `(height, width, channels)`.
    fn compute(&self, index: u64, scratch: &mut Scratch, pixels: &mut [u8]) {
        let original = self
            .originals
            .images
            .index_axis(Axis(0), self.original(index));
        if self.settings.keep_originals && index < self.n {
            for (pixel, &old) in pixels.iter_mut().zip(original) {
                *pixel = old;
            }
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        rng.set_stream(index);
        let map = Affine::draw(self.settings, &mut rng);
        let (height, width, _) = original.dim();
        for field in &mut scratch.field {
            field.clear();
            field.resize(height * width, 0.0);
        }
        if self.settings.displacement > 0.0 {
            scratch.draw(&self.windows, height, width, &mut rng);
        }
        warp(original, &map, scratch, pixels);
    }
}

/// Computes the weights of the smoothing along y and along x.
fn windows(sigma: f64, displacement: f64) -> [Vec<f32>; 2] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative and below the length of an image"
    )]
    let radius = (3.0 * sigma).ceil() as u32;
    let weight = |j: u32| {
        let distance = (f64::from(j) - f64::from(radius)) / sigma.max(f64::MIN_POSITIVE);
        libm::exp(-0.5 * distance * distance)
    };
    let weights: Vec<f64> = (0..=2 * radius).map(weight).collect();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    // The variance of uniform noise is 1/3, and of sums of independent terms it is the sum.
    let factor = displacement * 3.0_f64.sqrt() / squares;
    let times = |factor: f64| weights.iter().map(|w| (w * factor) as f32).collect();
    [times(1.0), times(factor)]
}

/// Draws one of 2^32 numbers, as far from one another and from -1 and 1, of mean 0.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (2.0 * f64::from(rng.next_u32()) + 1.0) / 4_294_967_296.0 - 1.0
}

/// An affine map from the pixels of a deformed image to places in its original, both from the middle.
struct Affine {
    /// The matrix, row by row: of x by x and y, of y by x and y.
    matrix: [[f64; 2]; 2],
    /// The shift of the image, along x and y.
    shift: [f64; 2],
}

impl Affine {
    /// Draws the six numbers of an image, whether or not they matter, so that none changes what comes after it.
    fn draw(settings: &Deformations, rng: &mut ChaCha8Rng) -> Self {
        let angle = settings.rotation * uniform(rng);
        let scale = [(); 2].map(|()| 1.0 + settings.scale * uniform(rng));
        let shear = settings.shear * uniform(rng);
        let shift = [(); 2].map(|()| settings.shift * uniform(rng));
        Self::new(angle, scale, shear, shift)
    }

    /// Inverts `R H S` and a shift; a positive angle in degrees turns the image counter-clockwise as it is seen.
    fn new(angle: f64, scale: [f64; 2], shear: f64, shift: [f64; 2]) -> Self {
        let (sine, cosine) = libm::sincos(angle.to_radians());
        // R^-1 is ((cosine, -sine), (sine, cosine)), as y points down.
        let [a, b] = [cosine - shear * sine, -sine - shear * cosine];
        Self {
            matrix: [
                [a / scale[0], b / scale[0]],
                [sine / scale[1], cosine / scale[1]],
            ],
            shift,
        }
    }
}

/// What one thread uses again for image after image.
#[derive(Default)]
struct Scratch {
    noise: Vec<f32>,
    /// The noise smoothed along y.
    half: Vec<f32>,
    /// The displacements along x and along y, each `(height, width)`.
    field: [Vec<f32>; 2],
    /// A channel of the original with a frame of zeros, `(height + 2, width + 2)`.
    framed: Vec<f32>,
}

impl Scratch {
    /// Adds the displacements to the field, `(height, width)` along each axis.
    fn draw(&mut self, windows: &[Vec<f32>; 2], height: usize, width: usize, rng: &mut ChaCha8Rng) {
        let around = windows[0].len() - 1;
        let wide = width + around;
        for field in &mut self.field {
            noise(&mut self.noise, wide * (height + around), rng);
            self.half.clear();
            self.half.resize(height * wide, 0.0);
            let rows = self.half.chunks_exact_mut(wide);
            for (sums, from) in rows.zip((0..).step_by(wide)) {
                for (weight, noise) in windows[0].iter().zip(self.noise[from..].chunks(wide)) {
                    add(sums, *weight, noise);
                }
            }
            let rows = field.chunks_exact_mut(width);
            for (sums, half) in rows.zip(self.half.chunks_exact(wide)) {
                for (weight, from) in windows[1].iter().zip(0..) {
                    add(sums, *weight, &half[from..from + width]);
                }
            }
        }
    }
}

fn add(sums: &mut [f32], weight: f32, terms: &[f32]) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += weight * term;
    }
}

/// Draws numbers from 2^16, as far from one another and from -1 and 1, the lower half of 32 bits first.
fn noise(numbers: &mut Vec<f32>, count: usize, rng: &mut ChaCha8Rng) {
    numbers.clear();
    let number = |bits: u32| (2 * bits + 1) as f32 / 65_536.0 - 1.0;
    while numbers.len() < count {
        let bits = rng.next_u32();
        numbers.extend([number(bits & 0xFFFF), number(bits >> 16)]);
    }
}

/// Takes every pixel from its place in the original, displaced by the field in `scratch`.
fn warp(original: ArrayView3<u8>, map: &Affine, scratch: &mut Scratch, pixels: &mut [u8]) {
    let (height, width, channels) = original.dim();
    let middle = [width, height].map(|side| (side as f64 - 1.0) / 2.0);
    let framed = &mut scratch.framed;
    for channel in 0..channels {
        framed.clear();
        framed.resize((height + 2) * (width + 2), 0.0);
        for ((y, x), &pixel) in original.index_axis(Axis(2), channel).indexed_iter() {
            framed[(y + 1) * (width + 2) + x + 1] = pixel.into();
        }
        let mut places = pixels.iter_mut().skip(channel).step_by(channels);
        let mut field = scratch.field[0].iter().zip(&scratch.field[1]);
        for y in 0..height {
            let from_y = y as f64 - middle[1] - map.shift[1];
            for x in 0..width {
                let from_x = x as f64 - middle[0] - map.shift[0];
                let (Some(pixel), Some((u, v))) = (places.next(), field.next()) else {
                    return;
                };
                let [by_x, by_y] = map.matrix;
                let q_x = middle[0] + (by_x[0] * from_x + by_x[1] * from_y) + f64::from(*u);
                let q_y = middle[1] + (by_y[0] * from_x + by_y[1] * from_y) + f64::from(*v);
                let (column, right) = place(q_x, width);
                let (row, below) = place(q_y, height);
                let corner = row * (width + 2) + column;
                let two = |at: usize| {
                    let [left, other] = [framed[at], framed[at + 1]].map(f64::from);
                    left + right * (other - left)
                };
                let [above, under] = [two(corner), two(corner + width + 2)];
                *pixel = nearest(above + below * (under - above));
            }
        }
    }
}

/// Finds the pixel before a place among those of a framed side, and the part of the way to the next.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped; what is not a number stays one in the second and so becomes background"
)]
fn place(q: f64, side: usize) -> (usize, f64) {
    let framed = (q + 1.0).clamp(0.0, side as f64 + 1.0);
    let before = (framed as usize).min(side);
    (before, framed - before as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 255, and what is not a number becomes 0"
)]
fn nearest(value: f64) -> u8 {
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests;
