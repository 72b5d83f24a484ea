//! Prints how Fusebox and its peers fare; with `--write`, keeps it in `docs/CONFORMANCE.md`.

use fusebox_conformance::{compare, document, document_path};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let write = match arguments.as_slice() {
        [] => false,
        [flag] if flag == "--write" => true,
        _ => {
            eprintln!("usage: fusebox-conformance [--write]");
            return ExitCode::from(2);
        }
    };
    let text = document(&compare());
    print!("{text}");
    if write && let Err(error) = std::fs::write(document_path(), text) {
        eprintln!("{}: {error}", document_path().display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
