//! Where data sets are looked for: where the user has them, and what the command line says.

use crate::cli::PlacesArgs;
use ntk_data::Places;

/// Takes them from the flags, and else where the user's are.
pub(crate) fn places(args: &PlacesArgs) -> Places {
    Places {
        data_dir: args.data_dir.clone(),
        offline: args.offline,
        ..Places::user()
    }
}
