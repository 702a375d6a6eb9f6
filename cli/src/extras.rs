//! `pinfold completions` and `man`: what shells and `man` need, from the same words as the help.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

/// Print what a shell needs to complete commands and options.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pinfold completions bash > ~/.local/share/bash-completion/completions/pinfold
  pinfold completions zsh > ~/.zfunc/_pinfold")]
pub(crate) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

/// Write a page for `man` for each command.
#[derive(Args)]
#[command(after_help = "\
Example:
  pinfold man ~/.local/share/man/man1")]
pub(crate) struct ManArguments {
    /// The folder, made where it is not there yet
    folder: String,
}

pub(crate) fn completions(
    arguments: &CompletionsArguments,
    mut program: Command,
) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "pinfold", &mut text);
    output::print(&text)
}

pub(crate) fn man(arguments: &ManArguments, program: Command) -> Result<(), Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).map_err(|e| Failure::output(folder, e))?;
    clap_mangen::generate_to(program, folder).map_err(|e| Failure::output(folder, e))
}
