//! Where data sets are looked for: the command line's and the environment's say.

use crate::cli::PlacesArgs;
use ntk_data::Places;
use std::env;
use std::path::PathBuf;

/// From the flags, `NTK_DATA_DIR` and the user's cache folder.
pub(crate) fn places(args: &PlacesArgs) -> Places {
    let mut places = Places {
        data_dir: args.data_dir.clone(),
        env_dir: folder("NTK_DATA_DIR"),
        cache_dir: cache_dir(),
        offline: args.offline,
        ..Places::default()
    };
    places.network.proxy = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .find_map(|v| env::var(v).ok());
    places
}

fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
}

/// `$XDG_CACHE_HOME/ntk`, else the platform's custom; none where no home is known.
fn cache_dir() -> Option<PathBuf> {
    let base = folder("XDG_CACHE_HOME").or_else(|| {
        if cfg!(windows) {
            folder("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            Some(folder("HOME")?.join("Library/Caches"))
        } else {
            Some(folder("HOME")?.join(".cache"))
        }
    });
    Some(base?.join("ntk"))
}
