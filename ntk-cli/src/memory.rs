//! The memory that a command needs, compared with what there is before it begins.

use crate::Failure;
use crate::environment::available_memory;
use crate::space::size;

/// Checks that `result` and `working` bytes can be had; `remedy` ends the message.
///
/// Both are upper bounds. Where the system does not tell what there is, it is asked for the result,
/// which it may refuse.
pub(crate) fn check(result: Option<u64>, working: u64, remedy: &str) -> Result<(), Failure> {
    let Some(result) = result else {
        return Err(
            format!("the result takes more memory than there are addresses; {remedy}").into(),
        );
    };
    let needed = result.saturating_add(working);
    let available = available_memory();
    let fits = match available {
        Some(available) => needed <= available,
        None => usize::try_from(result)
            .is_ok_and(|result| Vec::<u8>::new().try_reserve_exact(result).is_ok()),
    };
    if fits {
        return Ok(());
    }
    let there = match available {
        Some(available) => format!("{} are available", size(available)),
        None => "that is more than there is".into(),
    };
    Err(format!(
        "this takes {} of memory, {} for the result and {} to work with, and {there}; {remedy}",
        size(needed),
        size(result),
        size(working)
    )
    .into())
}

/// Counts the bytes of `count` matrices of numbers of type `T`; `None` where 64 bits cannot.
pub(crate) fn matrices<T>(count: usize, (rows, columns): (usize, usize)) -> Option<u64> {
    [count, rows, columns, size_of::<T>()]
        .into_iter()
        .try_fold(1_u64, |bytes, n| bytes.checked_mul(n as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        assert!(check(matrices::<f64>(2, (10, 10)), 1 << 20, "").is_ok());
        let remedy = "ask for less";
        let refusal = |result, working| check(result, working, remedy).unwrap_err().to_string();
        let large = matrices::<f64>(1, (1_000_000, 1_000_000));
        for text in [refusal(large, 1 << 30), refusal(Some(8), 8_000_000_000_000)] {
            assert!(
                text.contains("8001.1 GB") || text.contains("8000.0 GB"),
                "{text}"
            );
            assert!(text.ends_with(remedy), "{text}");
        }
        let no_number = matrices::<f64>(2, (usize::MAX, usize::MAX));
        assert_eq!(no_number, None);
        assert!(refusal(no_number, 0).ends_with(remedy));
        assert!(refusal(Some(u64::MAX), u64::MAX).ends_with(remedy));
    }
}
