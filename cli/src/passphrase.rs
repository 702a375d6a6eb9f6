//! Where the passphrase of a private key comes from: a file, the environment, or whoever sits at the
//! terminal. Never an argument, which every process of the machine can see.

use clap::Args;

use crate::failure::Failure;
use crate::file::File;

const VARIABLE: &str = "PINFOLD_PASSPHRASE";
/// Of a new key's, in characters. What was chosen elsewhere is taken as it is.
const SHORTEST: usize = 12;

/// How the commands ask for it.
#[derive(Args)]
pub(crate) struct Source {
    /// A file with the key's passphrase [default: PINFOLD_PASSPHRASE, else the terminal is asked]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<String>,
}

impl Source {
    /// Whether somebody named a file.
    pub(crate) fn is_named(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// The passphrase of a key that is there.
    pub(crate) fn known(&self, path: &str) -> Result<String, Failure> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => ask(path, &format!("Passphrase of {path}: ")),
        }
    }

    /// The passphrase of a key that is being made; people type it twice.
    pub(crate) fn chosen(&self, path: &str) -> Result<String, Failure> {
        let passphrase = match self.given()? {
            Some(passphrase) => passphrase,
            None => {
                let first = ask(path, &format!("New passphrase for {path}: "))?;
                if ask(path, "Once more: ")? != first {
                    return Err(Failure::input(path, "the two passphrases are not the same"));
                }
                first
            }
        };
        if passphrase.chars().count() < SHORTEST {
            let reason = format!("a passphrase shorter than {SHORTEST} characters");
            return Err(Failure::input(path, reason));
        }
        Ok(passphrase)
    }

    fn given(&self) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.passphrase_file {
            let file = File::read_secret(path)?;
            let text = str::from_utf8(file.bytes()).map_err(|_| file.wrong("not UTF-8"))?;
            let passphrase = text.trim_end_matches(['\r', '\n']);
            return match passphrase.contains(char::is_control) || passphrase.is_empty() {
                true => Err(file.wrong("not one line with a passphrase")),
                false => Ok(Some(passphrase.to_owned())),
            };
        }
        match std::env::var(VARIABLE) {
            Ok(passphrase) if passphrase.is_empty() => Ok(None),
            Ok(passphrase) => Ok(Some(passphrase)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(_) => Err(Failure::input(VARIABLE, "not UTF-8")),
        }
    }
}

/// Asks at the terminal, without an echo.
fn ask(path: &str, prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt).map_err(|_| {
        let reason = format!(
            "its passphrase is not known: no --passphrase-file, no {VARIABLE}, and nobody to ask"
        );
        Failure::input(path, reason)
    })
}
