//! The places where the user of this machine keeps data sets, as the environment says.
//!
//! The one file of the libraries of this workspace that reads the environment.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::places::{Network, Places};

/// The folder of data sets, which must then hold what is asked for.
const DATA_DIR: &str = "NTK_DATA_DIR";
/// Proxies for https, the first that is set.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

impl Places {
    /// Reads from the environment where the user expects data sets: in the folder `NTK_DATA_DIR`,
    /// in the cache, in the system's folders of [`Places::default`], and then from the network,
    /// into the cache.
    ///
    /// The cache is `ntk` in `XDG_CACHE_HOME`, else in `~/.cache`, on macOS in `~/Library/Caches`,
    /// on Windows in `%LOCALAPPDATA%`; none where no home is known. Downloads take the proxy in
    /// `https_proxy` or `all_proxy`. The environment is read at this call, and by no other
    /// function.
    ///
    /// ```no_run
    /// use ntk_data::Places;
    ///
    /// let mnist = Places::user().load("mnist")?;
    /// assert_eq!(mnist.train.len(), 60_000);
    /// # Ok::<(), ntk_data::Error>(())
    /// ```
    #[must_use]
    pub fn user() -> Self {
        told_by(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }
}

fn told_by(variable: impl Fn(&str) -> Option<OsString>) -> Places {
    let folder = |name| variable(name).map(PathBuf::from);
    let home = || {
        if cfg!(windows) {
            return folder("LOCALAPPDATA");
        }
        let caches = if cfg!(target_os = "macos") {
            "Library/Caches"
        } else {
            ".cache"
        };
        Some(folder("HOME")?.join(caches))
    };
    Places {
        env_dir: folder(DATA_DIR),
        cache_dir: folder("XDG_CACHE_HOME")
            .or_else(home)
            .map(|base| base.join("ntk")),
        network: Network {
            proxy: PROXIES
                .iter()
                .find_map(|name| variable(name)?.into_string().ok()),
            ..Network::default()
        },
        ..Places::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn told(variables: &[(&str, &str)]) -> Places {
        told_by(|asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_environment_names_folders_and_proxy() {
        let all = told(&[
            ("NTK_DATA_DIR", "/data"),
            ("XDG_CACHE_HOME", "/caches"),
            ("HOME", "/home/a"),
            ("LOCALAPPDATA", "/home/a"),
            ("ALL_PROXY", "http://last:1"),
            ("https_proxy", "http://first:1"),
        ]);
        assert_eq!(all.env_dir.as_deref(), Some(Path::new("/data")));
        assert_eq!(all.cache_dir.as_deref(), Some(Path::new("/caches/ntk")));
        assert_eq!(all.network.proxy.as_deref(), Some("http://first:1"));
        assert_eq!(all.data_dir, None);
        assert!(!all.offline);
        assert_eq!(all.system_dirs, Places::default().system_dirs);
    }

    #[test]
    fn the_cache_is_where_the_system_has_them() {
        let expected = if cfg!(windows) {
            "/home/a/ntk"
        } else if cfg!(target_os = "macos") {
            "/home/a/Library/Caches/ntk"
        } else {
            "/home/a/.cache/ntk"
        };
        let home = told(&[("HOME", "/home/a"), ("LOCALAPPDATA", "/home/a")]);
        assert_eq!(home.cache_dir.as_deref(), Some(Path::new(expected)));
        let nowhere = told(&[]);
        assert_eq!((nowhere.cache_dir, nowhere.env_dir), (None, None));
        assert_eq!(nowhere.network.proxy, None);
    }
}
