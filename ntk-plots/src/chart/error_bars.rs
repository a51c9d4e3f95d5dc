//! The error bars of a line chart.

use crate::axis::Axis;
use crate::axis::frame::Placed;
use crate::scene::Point;
use crate::series::Series;
use crate::theme::{CAP, CAP_SHARE};

/// Computes the lines of a series' error bars inside the plot: for each point the stem, and a cap
/// at each end that is inside, narrower where points are dense.
pub(crate) fn lines(series: &Series, x: &Axis, y: &Axis, placed: &Placed) -> Vec<[Point; 2]> {
    let Some((low, high)) = &series.bars else {
        return Vec::new();
    };
    let area = placed.area;
    let cap = CAP.min(CAP_SHARE * area.w / series.x.len().max(1) as f64);
    let inside = |share: &f64| (-1e-6..=1.0 + 1e-6).contains(share);
    let mut out = Vec::new();
    for (vx, (low, high)) in series.x.iter().zip(low.iter().zip(high)) {
        let (fx, ends) = (x.fraction(*vx), [y.fraction(*low), y.fraction(*high)]);
        if !inside(&fx) || ends.iter().all(|e| *e < 0.0) || ends.iter().all(|e| *e > 1.0) {
            continue;
        }
        let [a, b] = ends.map(|e| placed.point(fx, e.clamp(0.0, 1.0)));
        if a != b {
            out.push([a, b]);
        }
        for end in ends.iter().filter(|e| inside(e)) {
            let [cx, cy] = placed.point(fx, *end);
            let (left, right) = ((cx - cap).max(area.x), (cx + cap).min(area.right()));
            out.push([[left, cy], [right, cy]]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Scale;
    use crate::axis::frame::{Frame, Insets};
    use crate::scene::Rect;

    /// The bars of points at 1, 2, ... n over the range 0 to n + 1 of x and 1 to 100 of y, and the
    /// plot.
    fn drawn(low: &[f64], high: &[f64], scale: Scale) -> (Vec<[Point; 2]>, Rect) {
        let n = u32::try_from(low.len()).unwrap();
        let x: Vec<f64> = (1..=n).map(f64::from).collect();
        let series = Series::new("", x, low).error_bars(low, high);
        let across = Axis::exact(Scale::Linear, 0.0, f64::from(n + 1), false);
        let up = Axis::exact(scale, 1.0, 100.0, false);
        let frame = Frame {
            title: "",
            x_label: "",
            y_label: "",
            right: None,
            note: "",
            x: &across,
            y: &up,
            head: 0.0,
            tail: 0.0,
            aspect: None,
        };
        let placed = frame.place(Rect::new(0.0, 0.0, 300.0, 200.0), Insets::default());
        (lines(&series, &across, &up, &placed), placed.area)
    }

    #[test]
    fn a_bar_is_a_stem_and_two_caps() {
        let (bars, area) = drawn(&[10.0], &[100.0], Scale::Log);
        let middle = [area.x + area.w / 2.0, area.y + area.h / 2.0];
        let expected = [
            [middle, [middle[0], area.y]],
            [[middle[0] - CAP, middle[1]], [middle[0] + CAP, middle[1]]],
            [[middle[0] - CAP, area.y], [middle[0] + CAP, area.y]],
        ];
        for (line, expected) in bars.iter().flatten().zip(expected.iter().flatten()) {
            assert!((line[0] - expected[0]).abs() < 1e-9 && (line[1] - expected[1]).abs() < 1e-9);
        }
        assert_eq!(bars.len(), 3);
        // No stem without a length, and lines in any case inside.
        assert_eq!(drawn(&[10.0], &[10.0], Scale::Log).0.len(), 2);
        assert_eq!(drawn(&[], &[], Scale::Linear).0.len(), 0);
    }

    #[test]
    fn what_leaves_the_plot_is_cut_and_has_no_cap() {
        for scale in [Scale::Linear, Scale::Log] {
            let (bars, area) = drawn(&[0.5, 20.0, 0.1], &[20.0, 1e9, 1e9], scale);
            let (vertical, caps): (Vec<[Point; 2]>, Vec<_>) =
                bars.into_iter().partition(|b| b[0][0] == b[1][0]);
            assert_eq!((vertical.len(), caps.len()), (3, 2), "{scale:?}");
            assert!((vertical[0][0][1] - area.bottom()).abs() < 1e-9);
            assert!((vertical[1][1][1] - area.y).abs() < 1e-9);
            // Outside altogether.
            let (bars, _) = drawn(&[0.1, 1e3], &[0.5, 1e4], scale);
            assert!(bars.is_empty(), "{scale:?}");
        }
    }

    #[test]
    fn caps_of_dense_bars_keep_apart() {
        let (bars, _) = drawn(&[10.0; 200], &[20.0; 200], Scale::Linear);
        let caps: Vec<_> = bars.iter().filter(|b| b[0][1] == b[1][1]).collect();
        assert_eq!(caps.len(), 400);
        assert!(caps.windows(3).step_by(2).all(|c| c[0][1][0] < c[2][0][0]));
    }
}
