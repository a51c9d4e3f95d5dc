//! The published files themselves, where they are at hand.

use crate::published;

#[test]
fn both_halves_are_read_whole() {
    for name in ["mnist", "fashion-mnist"] {
        let Some(data) = published::full(name) else {
            continue;
        };
        assert_eq!(data.source.as_str(), "full");
        for (split, n) in [(&data.train, 60_000), (&data.test, 10_000)] {
            assert_eq!(split.images.dim(), (n, 28, 28, 1));
            assert_eq!((split.labels.len(), split.len()), (n, n));
            assert_eq!(
                split.first(1250).unwrap().rows,
                (0..1250).collect::<Vec<_>>()
            );
        }
    }
}
