//! Every reader of a user's file, on files that are a little wrong: none panics, hangs, or takes
//! memory on a file's word. It is a program of its own because it counts all that is allocated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod readers;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use readers::Reader;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

/// Files that each reader is given.
const COUNT: usize = 10_000;
/// What a reader may take for each byte of a file, and besides.
const EACH: usize = 4;
const BESIDES: usize = 256 << 10;
const LONGEST: Duration = Duration::from_secs(1);

/// The system's memory, with what each thread has of it and had at most.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends it counts no more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(live.get())));
    });
}

// SAFETY: all is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Numbers that sizes, lengths and values are replaced by.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "4294967296",
    "1000000000000",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-1e-320",
    "0.5",
    "NaN",
];

/// Changes a file in one to four places.
fn mutated(random: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |n: usize| random.random::<u32>() as usize % n.max(1);
    let mut bytes = corpus[below(corpus.len())].clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        let to = (at + below(64)).min(bytes.len());
        match below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            1 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let part = bytes[at..to].to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => {
                // The end of another.
                let other = &corpus[below(corpus.len())];
                bytes.truncate(at);
                bytes.extend(&other[at.min(other.len())..]);
            }
            6 => {
                // Eight bytes of a size.
                let size = [0, 1, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX][below(6)];
                let end = (at + 8).min(bytes.len());
                drop(bytes.splice(at..end, size.to_le_bytes()));
            }
            _ => {
                let is_digit = |&i: &usize| bytes[i].is_ascii_digit();
                if let Some(begin) = (at..bytes.len()).find(is_digit) {
                    let end = (begin..bytes.len()).find(|i| !is_digit(i));
                    let end = end.unwrap_or(bytes.len());
                    let number = NUMBERS[below(NUMBERS.len())];
                    drop(bytes.splice(begin..end, number.bytes()));
                }
            }
        }
    }
    bytes
}

/// Gives a reader its corpus and what becomes of it.
fn endures(Reader { name, corpus, read }: Reader) {
    let corpus = corpus();
    for (i, file) in corpus.iter().enumerate() {
        assert!(
            read(file).is_some(),
            "{name} does not read file {i} of its corpus"
        );
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut taken = 0;
    for number in 0..COUNT {
        let bytes = mutated(&mut random, &corpus);
        let shown = || format!("{name}, file {number}: {}", bytes.escape_ascii());
        let before = LIVE.get();
        MOST.set(before);
        let begun = Instant::now();
        let found = catch_unwind(|| read(&bytes));
        let (elapsed, most) = (begun.elapsed(), MOST.get() - before);
        let found = found.unwrap_or_else(|_| panic!("{}", shown()));
        taken += usize::from(found.is_some());
        assert!(elapsed < LONGEST, "{elapsed:?}: {}", shown());
        let limit = EACH * bytes.len() + BESIDES + found.unwrap_or(0);
        assert!(
            most.unsigned_abs() <= limit,
            "{most} of {limit} bytes: {}",
            shown()
        );
    }
    // Some are right still, most are not.
    assert!((1..COUNT * 9 / 10).contains(&taken), "{name} took {taken}");
}

#[test]
fn arrays() {
    endures(readers::NPY);
}

#[test]
fn networks_and_names() {
    endures(readers::NETWORK);
    endures(readers::NAMES);
}

#[test]
fn fitted_processes() {
    endures(readers::FITTED);
}

#[test]
fn weights() {
    endures(readers::WEIGHTS);
    endures(readers::NPZ);
}

#[test]
fn estimators() {
    endures(readers::RIDGE);
    endures(readers::PROCESS);
    endures(readers::FLOW);
}

#[test]
fn records() {
    endures(readers::RECORDS);
}

/// These are the descriptions of a store and of an experiment.
#[test]
fn descriptions_and_results() {
    endures(readers::DESCRIPTION);
    endures(readers::RESULTS);
}
