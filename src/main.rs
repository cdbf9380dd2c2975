//! The program: arguments in, an exit code out. And whose heap it has.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// A call is rows and messages of a few sizes, and all but two of its rows end with its setup. A heap that lays blocks of
/// one size together gives what they took back page by page; glibc's keeps it between the rows that stay, and trimming it
/// holds every thread that allocates meanwhile.
#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// What the heap reads when it begins: pages that are free for a second go back, and a thread of its own sees to it where
/// nothing else happens.
#[allow(unsafe_code, non_upper_case_globals)] // the name a C library looks for
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static malloc_conf: &[u8; 60] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

fn main() -> ExitCode {
    emcc_trunk::cli::start()
}
