//! The program: arguments in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    emcc_trunk::cli::start()
}
