//! The embedded sample: what it must hold, and that it is what the full set gives.

use crate::published;
use ntk_data::{PixelScaling, Source, Split, SubsetError, sample};

/// How many images of each class are in `split`.
fn counts(split: &Split) -> Vec<usize> {
    (0..10)
        .map(|class| split.labels.iter().filter(|&&l| l == class).count())
        .collect()
}

#[test]
fn counts_shapes_and_rows() {
    let data = sample::load().unwrap();
    assert_eq!(
        (data.name, &data.source),
        ("fashion-mnist", &Source::Embedded)
    );
    assert!(
        sample::size() <= sample::MOST_BYTES,
        "{} bytes",
        sample::size()
    );
    for (split, n, per_class) in [
        (&data.train, sample::TRAIN, sample::TRAIN_PER_CLASS),
        (&data.test, sample::TEST, sample::TEST_PER_CLASS),
    ] {
        assert_eq!(split.images.dim(), (split.len(), 28, 28, 1));
        assert_eq!(split.labels.len(), split.len());
        assert!(split.rows.is_sorted_by(|a, b| a < b));
        assert_eq!(split.first(n).unwrap().rows, (0..n).collect::<Vec<_>>());
        assert!(matches!(
            split.first(n + 1),
            Err(SubsetError::NotAllHere { .. })
        ));
        for class in sample::CLASSES {
            assert_eq!(counts(split)[usize::from(class)], per_class);
        }
        // Beyond the first rows there is nothing but these classes.
        let beyond = split.len() - n;
        let extra: usize = sample::CLASSES
            .iter()
            .map(|&c| per_class - counts(&split.first(n).unwrap())[usize::from(c)])
            .sum();
        assert_eq!(beyond, extra);
    }
}

#[test]
fn it_is_what_the_full_set_gives() {
    let Some(full) = published::full("fashion-mnist") else {
        return;
    };
    sample::check(&full).unwrap();
    assert!(sample::check(&sample::load().unwrap()).is_err());
}

/// Whatever `first_per_class` gives on the sample it gives on the full set.
#[test]
fn the_first_of_every_class_are_those_of_the_full_set() {
    let Some(full) = published::full("fashion-mnist") else {
        return;
    };
    let data = sample::load().unwrap();
    for (here, all) in [(&data.train, &full.train), (&data.test, &full.test)] {
        for (class, count) in (0..10).zip(counts(here)) {
            let first = here.first_per_class(count, &[class]).unwrap();
            assert_eq!(first, all.first_per_class(count, &[class]).unwrap());
        }
        let pair = here.first_per_class(900, &sample::CLASSES).unwrap();
        assert_eq!(pair, all.first_per_class(900, &sample::CLASSES).unwrap());
        assert_eq!(
            pair.vectors::<f32>(PixelScaling::Symmetric),
            pair.vectors::<f64>(PixelScaling::Symmetric)
                .mapv(|x| x as f32)
        );
    }
}
