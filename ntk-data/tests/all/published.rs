//! The full data sets, where the environment says that there are some.

use std::io::Write;

use ntk_data::{DataSet, Places};

/// The full data set from the folder in `NTK_DATA_DIR`, or `None` and a line that says so.
pub(crate) fn full(name: &str) -> Option<DataSet> {
    let Some(folder) = std::env::var_os("NTK_DATA_DIR") else {
        say("skipped: no data at NTK_DATA_DIR, which is not set");
        return None;
    };
    let places = Places {
        env_dir: Some(folder.into()),
        offline: true,
        ..Places::default()
    };
    match places.load(name) {
        Ok(data) => Some(data),
        Err(error @ ntk_data::DataError::Incomplete { .. }) => {
            say(&format!("skipped: {error}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A line that shows although the test passes: the test runner captures only what macros print.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
