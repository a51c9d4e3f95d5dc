//! `ntk completions` and `ntk man`.

use crate::Failure;
use crate::cli::{Cli, Common};
use crate::files;
use clap::CommandFactory;
use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use serde_json::json;
use std::path::Path;

/// Prints what completes commands and flags in `shell`.
pub(crate) fn script(shell: Shell) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.set_bin_name("ntk");
    command.build();
    let mut script = Vec::new();
    shell.generate(&command, &mut script);
    files::tell(String::from_utf8(script)?.trim_end())
}

/// Writes the manual's pages into `folder`.
pub(crate) fn manual(common: &Common, folder: &Path) -> Result<(), Failure> {
    files::make_folder(folder, "FOLDER")?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut all = vec![command];
    while let Some(command) = all.pop() {
        let page = Man::new(command.clone());
        let path = folder.join(page.get_filename());
        let mut text = Vec::new();
        page.render(&mut text)?;
        files::write(&path, &text).map_err(|e| files::unwritable(&path, "FOLDER", &e))?;
        all.extend(
            command
                .get_subcommands()
                .filter(|c| !c.is_hide_set())
                .cloned(),
        );
    }
    let folder = folder.display();
    let line = format!("the manual is in {folder}; `man -l {folder}/ntk.1` shows it");
    files::show(common, &json!({"folder": folder.to_string()}), &line)
}
