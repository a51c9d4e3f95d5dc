use super::*;
use ndarray::{Array1, Array2, Axis, s};

/// Images of a gradient with some structure, of which no pixel is like its neighbours.
fn split(n: usize, (height, width, channels): (usize, usize, usize)) -> Split {
    let pixel = |(i, y, x, c): (usize, usize, usize, usize)| {
        u8::try_from((37 * i + 11 * y + 7 * x * x + 101 * c + 3 * x * y) % 256).unwrap()
    };
    Split {
        images: Array4::from_shape_fn((n, height, width, channels), pixel),
        labels: (0..n)
            .map(|i| u8::try_from(i % 10).unwrap())
            .collect::<Array1<u8>>(),
        rows: (0..n).map(|i| 5 * i).collect(),
    }
}

/// One image under a map and no field.
fn mapped(original: &Array3<u8>, map: &Affine) -> Array3<u8> {
    let (height, width, _) = original.dim();
    let mut scratch = Scratch {
        field: [(); 2].map(|()| vec![0.0; height * width]),
        ..Scratch::default()
    };
    let mut image = Array3::zeros(original.dim());
    warp(
        original.view(),
        map,
        &mut scratch,
        image.as_slice_mut().unwrap(),
    );
    image
}

/// The formula of the module, term by term in double precision.
fn by_formula(settings: &Deformations, originals: &Split, index: u64) -> Array3<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    rng.set_stream(index);
    let mut number = || {
        let bits = rng.next_u32();
        (f64::from(bits) + 0.5) / 2.0_f64.powi(31) - 1.0
    };
    let angle = (settings.rotation * number()).to_radians();
    let factors = [
        1.0 + settings.scale * number(),
        1.0 + settings.scale * number(),
    ];
    let k = settings.shear * number();
    let t = [settings.shift * number(), settings.shift * number()];
    let (_, height, width, channels) = originals.images.dim();
    let radius = (3.0 * settings.sigma).ceil();
    let g = |j: f64| match j {
        0.0 => 1.0,
        j => (-j * j / (2.0 * settings.sigma.powi(2))).exp(),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small"
    )]
    let side = 2 * radius as usize;
    let offsets = || (0..=side).map(|j| j as f64 - radius);
    let squares: f64 = offsets().map(|j| g(j) * g(j)).sum();
    let field = [(); 2].map(|()| {
        let count = (height + side) * (width + side);
        let mut bits = Vec::new();
        while bits.len() < count {
            let word = rng.next_u32();
            bits.extend([word % 65_536, word / 65_536]);
        }
        bits.truncate(count);
        let noise = bits.iter().map(|&b| (f64::from(b) + 0.5) / 32_768.0 - 1.0);
        let noise = Array1::from_iter(noise).into_shape_with_order((height + side, width + side));
        let noise = noise.unwrap();
        Array2::from_shape_fn((height, width), |(y, x)| {
            let mut sum = 0.0;
            for (i, down) in offsets().enumerate() {
                for (j, across) in offsets().enumerate() {
                    sum += g(down) * g(across) * noise[[y + i, x + j]];
                }
            }
            settings.displacement * 3.0_f64.sqrt() / squares * sum
        })
    });
    let at = |y: isize, x: isize, c: usize| {
        let inside = |i: isize, n: usize| usize::try_from(i).ok().filter(|&i| i < n);
        let original = usize::try_from(index).unwrap() % originals.len();
        match (inside(y, height), inside(x, width)) {
            (Some(y), Some(x)) => f64::from(originals.images[[original, y, x, c]]),
            _ => 0.0,
        }
    };
    let c = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
    Array3::from_shape_fn((height, width, channels), |(y, x, channel)| {
        let p = [x as f64 - c[0] - t[0], y as f64 - c[1] - t[1]];
        // R^-1, H^-1 and S^-1, one after the other.
        let p = [
            angle.cos() * p[0] - angle.sin() * p[1],
            angle.sin() * p[0] + angle.cos() * p[1],
        ];
        let p = [p[0] - k * p[1], p[1]];
        let p = [p[0] / factors[0], p[1] / factors[1]];
        let q = [
            p[0] + c[0] + field[0][[y, x]],
            p[1] + c[1] + field[1][[y, x]],
        ];
        let mut sum = 0.0;
        for dy in 0..2 {
            for dx in 0..2 {
                #[expect(clippy::cast_possible_truncation, reason = "within some images")]
                let corner = [q[0].floor() as isize + dx, q[1].floor() as isize + dy];
                let weight = (1.0 - (q[0] - corner[0] as f64).abs())
                    * (1.0 - (q[1] - corner[1] as f64).abs());
                sum += weight * at(corner[1], corner[0], channel);
            }
        }
        sum
    })
}

#[test]
fn images_are_those_of_the_formula() {
    let everything = Deformations::new().shift(2.0).elastic(2.0, 1.5).seed(3);
    let settings = [
        everything,
        everything.elastic(0.0, 0.0),
        everything.elastic(0.0, 0.7),
        everything.elastic(0.2, 0.7),
        Deformations::none().elastic(5.5, 2.0),
        Deformations::none().rotation(180.0).shear(0.5),
        Deformations::none().scale(0.5).shift(30.0),
    ];
    for shape in [(13, 13, 1), (9, 14, 3), (15, 6, 2)] {
        let originals = split(3, shape);
        for settings in settings {
            for index in [3, 7, 1_000_000_007] {
                let image = settings.image(&originals, index).unwrap();
                let expected = by_formula(&settings, &originals, index);
                for (&pixel, &expected) in image.iter().zip(&expected) {
                    // Half for the rounding to a whole number. In f32 a displacement has at most 64 roundings,
                    // each of eps times at most the largest displacement that noise can give, here below 64
                    // pixels; and a pixel's worth of displacement along one of two axes changes at most 255.
                    let lost = 2.0 * 255.0 * 64.0 * 64.0 * f64::from(f32::EPSILON);
                    assert!(
                        (f64::from(pixel) - expected).abs() <= 0.5 + lost,
                        "{settings:?} {index}: {pixel} for {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn turns_shifts_and_factors_of_whole_pixels_are_exact() {
    let image = |(height, width): (usize, usize)| {
        split(1, (height, width, 2))
            .images
            .index_axis(Axis(0), 0)
            .to_owned()
    };
    let unit = [1.0, 1.0];
    for side in [7, 8] {
        let original = image((side, side));
        // Counter-clockwise: what was to the right is above.
        let turned =
            Array3::from_shape_fn((side, side, 2), |(y, x, c)| original[[x, side - 1 - y, c]]);
        let map = Affine::new(90.0, unit, 0.0, [0.0, 0.0]);
        assert_eq!(mapped(&original, &map), turned);
        let map = Affine::new(180.0, unit, 0.0, [0.0, 0.0]);
        assert_eq!(
            mapped(&original, &map),
            original.slice(s![..;-1, ..;-1, ..])
        );
    }
    let original = image((6, 9));
    // Three to the right and one up.
    let map = Affine::new(0.0, unit, 0.0, [3.0, -1.0]);
    let mut shifted = Array3::zeros((6, 9, 2));
    shifted
        .slice_mut(s![..5, 3.., ..])
        .assign(&original.slice(s![1.., ..6, ..]));
    assert_eq!(mapped(&original, &map), shifted);
    // Half as wide: every other pixel, from the middle.
    let halved = mapped(&original, &Affine::new(0.0, [0.5, 1.0], 0.0, [0.0, 0.0]));
    assert_eq!(
        halved.slice(s![.., 2..7, ..]),
        original.slice(s![.., ..;2, ..])
    );
    assert_eq!(halved.slice(s![.., ..2, ..]).iter().max(), Some(&0));
    // A shear of 1 shifts each row by one more than the row above.
    let original = image((3, 5));
    let sheared = mapped(&original, &Affine::new(0.0, unit, 1.0, [0.0, 0.0]));
    assert_eq!(sheared.slice(s![1, .., ..]), original.slice(s![1, .., ..]));
    assert_eq!(
        sheared.slice(s![2, 1.., ..]),
        original.slice(s![2, ..4, ..])
    );
    assert_eq!(
        sheared.slice(s![0, ..4, ..]),
        original.slice(s![0, 1.., ..])
    );
}

#[test]
fn displacements_have_the_root_mean_square_asked_for() {
    const IMAGES: u64 = 4000;
    let (sigma, displacement) = (3.0, 1.25);
    let windows = windows(sigma, displacement);
    // The mean of 4000 squares of all but normals, and its critical value.
    let deviation = displacement * displacement * 2.0_f64.sqrt() / (IMAGES as f64).sqrt();
    let mut squares = vec![[0.0; 2]; 70];
    let mut scratch = Scratch::default();
    for index in 0..IMAGES {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        rng.set_stream(index);
        scratch.field = [(); 2].map(|()| vec![0.0; 70]);
        scratch.draw(&windows, 7, 10, &mut rng);
        for (i, sums) in squares.iter_mut().enumerate() {
            for (sum, field) in sums.iter_mut().zip(&scratch.field) {
                *sum += f64::from(field[i]).powi(2) / IMAGES as f64;
            }
        }
    }
    // In the middle, at the edges and in the corners alike; neighbours depend on one another.
    for (i, mean) in squares.into_iter().enumerate() {
        for mean in mean {
            let off = (mean - displacement * displacement) / deviation;
            assert!(off.abs() < 5.0, "pixel {i}: {mean}");
        }
    }
}

#[test]
fn the_stream_is_the_same_however_it_is_cut() {
    let originals = split(5, (8, 10, 2));
    let deform = Deformations::new().seed(11);
    let whole = deform.images(&originals, 0..23).unwrap();
    assert_eq!(whole.len(), 23);
    for cuts in [vec![0, 23], vec![0, 1, 5, 6, 20, 20, 23]] {
        for cut in cuts.windows(2) {
            let part = deform.images(&originals, cut[0]..cut[1]).unwrap();
            let [from, to] = [cut[0], cut[1]].map(|i| usize::try_from(i).unwrap());
            assert_eq!(part.images, whole.images.slice(s![from..to, .., .., ..]));
            assert_eq!(part.labels, whole.labels.slice(s![from..to]));
            assert_eq!(part.rows, whole.rows[from..to]);
        }
    }
    for index in (0..23).rev() {
        let at = usize::try_from(index).unwrap();
        let alone = deform.image(&originals, index).unwrap();
        assert_eq!(alone, whole.images.index_axis(Axis(0), at));
        assert_eq!(whole.labels[at], originals.labels[at % 5]);
        assert_eq!(whole.rows[at], originals.rows[at % 5]);
    }
    // The first pass is the originals, or is not; the others do not change by it.
    assert_eq!(deform.images(&originals, 0..5).unwrap(), originals);
    let all = deform
        .keep_originals(false)
        .images(&originals, 0..23)
        .unwrap();
    assert_eq!(
        all.images.slice(s![5.., .., .., ..]),
        whole.images.slice(s![5.., .., .., ..])
    );
    for i in 0..5 {
        assert_ne!(
            all.images.index_axis(Axis(0), i),
            whole.images.index_axis(Axis(0), i)
        );
    }
    // All layouts of memory are the same image.
    let mut reversed = originals.clone();
    reversed.images.invert_axis(Axis(2));
    reversed.images = reversed.images.as_standard_layout().into_owned();
    reversed.images.invert_axis(Axis(2));
    assert_eq!(deform.images(&reversed, 0..23).unwrap(), whole);
    // Another pass and another seed deform otherwise.
    assert_ne!(
        deform.image(&originals, 6).unwrap(),
        deform.image(&originals, 11).unwrap()
    );
    assert_ne!(
        deform.seed(12).image(&originals, 6).unwrap(),
        deform.image(&originals, 6).unwrap()
    );
    let last = deform.images(&originals, u64::MAX - 1..u64::MAX).unwrap();
    assert_eq!(
        last.labels[0],
        originals.labels[usize::try_from((u64::MAX - 1) % 5).unwrap()]
    );
}

#[test]
fn no_deformation_is_the_original() {
    let originals = split(4, (28, 27, 3));
    let all = Deformations::none().images(&originals, 0..12).unwrap();
    for pass in 0..3 {
        assert_eq!(
            all.images.slice(s![4 * pass..4 * pass + 4, .., .., ..]),
            originals.images
        );
    }
}

/// These bytes stand for all machines and all times.
#[test]
fn images_are_the_same_bytes_for_ever() {
    let originals = split(3, (28, 28, 1));
    let stream = Deformations::new().shift(1.0).seed(7);
    let images = [3, 123_456, u64::MAX].map(|index| {
        let image = stream.image(&originals, index).unwrap();
        image.into_iter().collect::<Vec<u8>>()
    });
    assert_eq!(
        crate::hash::sha256(&images),
        "7118667009890dbb34ff60042fcf51174e75e79587d6a311b8cbff40e159e63a"
    );
}

#[test]
fn what_cannot_be_deformed_is_refused_with_both_values() {
    let originals = split(2, (4, 6, 1));
    let none = Deformations::none();
    let cases = [
        ("rotation", none.rotation(f64::NAN), f64::INFINITY),
        ("rotation", none.rotation(-1.0), f64::INFINITY),
        ("scale", none.scale(1.0), 1.0),
        ("shear", none.shear(f64::INFINITY), f64::INFINITY),
        ("shift", none.shift(-0.5), f64::INFINITY),
        ("sigma", none.elastic(6.0, 0.0), 6.0),
        ("displacement", none.elastic(1.0, f64::NAN), f64::INFINITY),
    ];
    for (asked, deform, bound) in cases {
        match deform.images(&originals, 0..3).unwrap_err() {
            DeformError::Setting { name, value, below } => {
                assert_eq!((name, below), (asked, bound));
                assert!(!(0.0..below).contains(&value), "{value}");
            }
            error => panic!("{asked}: {error}"),
        }
        assert!(deform.image(&originals, 0).is_err(), "{asked}");
    }
    let message = none
        .elastic(7.5, 1.0)
        .image(&originals, 9)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("sigma is 7.5") && message.contains("below 6"),
        "{message}"
    );
    let empty = split(0, (4, 6, 1));
    let error = none.image(&empty, 9).unwrap_err();
    assert_eq!(
        error,
        DeformError::NoOriginals {
            asked: 1,
            available: 0
        }
    );
    assert!(none.images(&empty, 3..3).unwrap().is_empty());
    let error = none.image(&split(2, (4, 0, 1)), 9).unwrap_err();
    assert_eq!(
        error,
        DeformError::NoPixels {
            height: 4,
            width: 0,
            channels: 1
        }
    );
    let error = none.images(&originals, 0..u64::MAX).unwrap_err();
    assert_eq!(
        error,
        DeformError::TooMany {
            asked: u64::MAX,
            bytes: 24
        }
    );
}
