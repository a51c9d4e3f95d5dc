//! Memory for matrices at addresses that are multiples of 64.
//!
//! Vectorised sums begin at the first aligned element, so their last bits depend on where the
//! allocator happened to put a matrix. With one alignment for all, the same inputs give the same
//! bits in every run, whatever else was loaded before.

use std::alloc::{GlobalAlloc, Layout, System};

/// A cache line, and the widest vector register.
const LINE: usize = 64;
/// Smaller allocations are no matrices whose sums are vectorised.
const SMALL: usize = 256;

struct Aligned;

/// The layout that is really asked for; a function of `layout` alone, so that memory is given
/// back as it was taken.
fn widened(layout: Layout) -> Layout {
    match layout.size() {
        ..SMALL => layout,
        _ => layout.align_to(LINE).unwrap_or(layout),
    }
}

// SAFETY: every call is the system allocator's, with a layout of the same size and of at least
// the alignment asked for, and `dealloc` computes the layout that `alloc` used.
unsafe impl GlobalAlloc for Aligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout has a size above zero; widening keeps it.
        unsafe { System.alloc(widened(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(widened(layout)) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `alloc` with this layout, so from the system with the widened one.
        unsafe { System.dealloc(memory, widened(layout)) }
    }
}

#[global_allocator]
static ALLOCATOR: Aligned = Aligned;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_begin_at_a_cache_line() {
        let mut kept = Vec::new();
        for n in [32, 33, 100, 1000, 100_000] {
            let mut grown: Vec<f64> = Vec::with_capacity(3);
            grown.extend((0..n).map(f64::from));
            let zeros = vec![0.0_f64; n as usize];
            assert_eq!(
                (
                    grown.as_ptr() as usize % LINE,
                    zeros.as_ptr() as usize % LINE
                ),
                (0, 0)
            );
            assert!(grown.iter().enumerate().all(|(i, &v)| v == i as f64));
            kept.push((grown, zeros, vec![1_u8; 17]));
        }
    }
}
