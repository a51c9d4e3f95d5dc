//! `cargo xtask sample`.

use super::places;
use crate::Failure;
use crate::cli::{Common, Sample};
use crate::launch::workspace_root;
use ntk_cli::files;
use ntk_cli::progress::Progress;
use ntk_data::{Source, sample};

pub(super) fn run(common: &Common, args: &Sample) -> Result<(), Failure> {
    let progress = Progress::new(common.quiet || common.json);
    let full = places(&args.places)
        .observer(&progress)
        .load("fashion-mnist")?;
    progress.end();
    if !matches!(full.source, Source::Full { .. }) {
        return Err(
            "the sample is made from the full Fashion-MNIST, which was not found; \
                    give its folder by --data-dir"
                .into(),
        );
    }
    let line = if args.check {
        sample::check(&full)?;
        let size = sample::size();
        format!("the embedded sample is what the full set gives ({size} bytes)")
    } else {
        let folder = workspace_root().join("ntk-data/embedded");
        for (file, bytes) in sample::build(&full)? {
            let path = folder.join(file);
            files::write(&path, &bytes)
                .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        format!("wrote the sample into {}", folder.display())
    };
    let json = serde_json::json!({"sha256": full.sha256, "checked": args.check});
    match (common.json, common.quiet) {
        (true, _) => files::tell(&json.to_string())?,
        (_, true) => {}
        _ => files::tell(&line)?,
    }
    Ok(())
}
