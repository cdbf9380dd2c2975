//! How long a large configuration takes to check and load, and how long a reload keeps its node.
//!
//! `cargo bench --bench load -- 1000000 100000` writes a configuration of so many patterns and devices below the
//! temporary folder, checks and loads it, and swaps it into an engine that serves calls meanwhile. It has the program's heap.
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods)] // a bench reads the clock: that is what it is for

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use emcc_trunk::config::{self, Probe};

use enterprise::{Kind, LISTED, SITES};
use tikv_jemallocator::Jemalloc;

mod enterprise;

/// As the program has it.
#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// As the program's.
#[allow(unsafe_code, non_upper_case_globals)] // the name a C library looks for
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static malloc_conf: &[u8; 60] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

/// Patterns and devices where nothing is said.
const SMALL: (u32, u32) = (100_000, 10_000);
/// Patterns of one file.
const PATTERNS_A_FILE: u32 = 250_000;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let patterns = numbers.next().unwrap_or(SMALL.0);
    let devices = numbers.next().unwrap_or(SMALL.1);
    let folder = std::env::temp_dir().join(format!("emcc-trunk-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the configuration");
    let (path, octets) = written(&folder, patterns, devices);
    println!("{patterns} patterns and {devices} devices: {:.1} MB in {}", octets as f64 / 1e6, path.display());
    let (checked, took) = timed(|| config::check(&path, Probe::Offline));
    for problem in checked.problems.iter().take(5) {
        println!("  {problem}");
    }
    println!("check: {took}, {} problems, ok: {}", checked.problems.len(), checked.is_ok());
    let (loaded, took) = timed(|| config::load(&path));
    let plan = loaded.unwrap_or_else(|problems| panic!("{} problems", problems.len())).plan;
    println!("load: {took}");
    println!("resident at the highest: {} MB", resident_mb());
    reload::measure(plan, &path);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

/// Runs `work` and says how long it took, and how much of that this thread had no CPU.
fn timed<T>(work: impl FnOnce() -> T) -> (T, String) {
    let (began, waited) = (Instant::now(), without_cpu(OWN));
    let made = work();
    (made, format!("{:.2?} ({:.2?} of it waiting for a CPU)", began.elapsed(), without_cpu(OWN) - waited))
}

/// The thread that asks, in the system's own words.
const OWN: &str = "thread-self";

/// How long a thread has been ready to run while others had the CPU: what no code of ours can help. Zero where the system
/// does not tell.
fn without_cpu(thread: &str) -> Duration {
    let told = std::fs::read_to_string(format!("/proc/{thread}/schedstat")).unwrap_or_default();
    Duration::from_nanos(told.split(' ').nth(1).and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0))
}

/// The most memory this process ever had, in megabytes.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}

/// Writes the configuration; gives back its first file and how many octets there are in all.
fn written(folder: &Path, patterns: u32, devices: u32) -> (PathBuf, usize) {
    let mut text = String::from(
        "include = [\"more-*.toml\"]\n[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\"]\n\
         [emcc_trunk]\ncss = \"CSS-0\"\ndevice_pool = \"DP-0\"\n[emergency]\nlast_resort = [\"gw\"]\n\
         [[peer]]\nname = \"cc\"\nkind = \"call-control\"\naddresses = [\"udp:127.0.1.10:5060\"]\n\
         [[peer]]\nname = \"gw\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.20:5060\"]\n\
         [[route_group]]\nname = \"RG\"\npeers = [\"gw\"]\n\
         [[route_list]]\nname = \"RL\"\nmembers = [\"Standard Local Route Group\"]\n",
    );
    for site in 0..SITES {
        let step = SITES / LISTED;
        let listed: Vec<String> = (0..LISTED).map(|at| format!("\"P{}\"", (site + at * step) % SITES)).collect();
        let _ = writeln!(text, "[[css]]\nname = \"CSS-{site}\"\npartitions = [{}]", listed.join(", "));
        let _ = writeln!(
            text,
            "[[device_pool]]\nname = \"DP-{site}\"\nlocal_route_groups = {{ \"Standard Local Route Group\" = \"RG\" }}"
        );
    }
    let mut numbers = Vec::new();
    let mut octets = 0;
    let mut rows = String::new();
    for number in 0..patterns {
        let (site, pattern, kind) = enterprise::pattern(number);
        let table = match kind {
            Kind::Number => "directory_number",
            Kind::Route => "route_pattern",
            Kind::Translation(_) => "translation_pattern",
        };
        let _ = writeln!(rows, "[[{table}]]\npattern = {pattern:?}\npartition = \"P{site}\"");
        let _ = match kind {
            Kind::Number => writeln!(rows, "peer = \"cc\""),
            Kind::Route if pattern.ends_with("911") => writeln!(rows, "route_list = \"RL\"\nemergency = true"),
            Kind::Route if pattern.contains('.') => writeln!(rows, "route_list = \"RL\"\ndiscard_digits = \"PreDot\""),
            Kind::Route => writeln!(rows, "route_list = \"RL\""),
            Kind::Translation(site) => writeln!(rows, "css = \"CSS-{site}\"\ncalled_mask = \"8{site:03}XXXX\""),
        };
        if kind == Kind::Number && pattern.starts_with('8') {
            numbers.push((site, pattern));
        }
        if (number + 1) % PATTERNS_A_FILE == 0 || number + 1 == patterns {
            std::fs::write(folder.join(format!("more-{number:08}.toml")), &rows).expect("a file of patterns");
            octets += rows.len();
            rows.clear();
        }
    }
    for device in 0..devices {
        let (site, number) = numbers.get(device as usize % numbers.len()).cloned().unwrap_or_default();
        let _ = writeln!(
            text,
            "[[device]]\nname = \"SEP{device:012X}\"\ncss = \"CSS-{site}\"\ndevice_pool = \"DP-{site}\"\n\
             directory_numbers = [\"{number}\"]"
        );
    }
    let path = folder.join("node.toml");
    std::fs::write(&path, &text).expect("the first file");
    (path, octets + text.len())
}

mod reload {
    //! A reload beside calls.

    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use super::{Path, config, timed, without_cpu};
    use emcc_policies::digits::Digits;
    use emcc_policies::moment::Civil;
    use emcc_trunk::config::Plan;
    use emcc_trunk::engine::running::Local;
    use emcc_trunk::engine::{Bounds, Engine};
    use emcc_trunk::io::retire::Retired;
    use emcc_trunk::metrics::Counters;

    /// How long calls are watched before the reload.
    const WATCHED: Duration = Duration::from_secs(2);

    /// Swaps a plan like the first in while another thread decides calls, and says how long it kept the node and what the
    /// slowest call waited, before and meanwhile.
    pub(super) fn measure(first: Plan, path: &Path) {
        let locals = first.sip.listen.iter().map(|listen| Local::new(listen.address, listen.advertised)).collect();
        let engine = Engine::new(first, locals, Counters::noop(), Bounds::default(), 1_700_000_000, 42);
        let retired = Retired::start().expect("a thread");
        let (is_over, slowest_us) = (AtomicBool::new(false), AtomicU64::new(0));
        let (names, named) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = names.send(std::fs::read_link("/proc/thread-self").unwrap_or_default());
                let dialed = Digits::from_bytes(b"914085551234").expect("a number");
                // Calls keep the configuration they began with for a while.
                let mut standing = std::collections::VecDeque::new();
                while !is_over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let plan = engine.plan();
                    let css: Vec<_> = plan.dial_plan.search_spaces().take(1).collect();
                    let _ = std::hint::black_box(plan.dial_plan.analyse(&css, &dialed, None, Civil(0)));
                    standing.push_back(plan);
                    if standing.len() > 1_000 {
                        standing.pop_front();
                    }
                    slowest_us.fetch_max(began.elapsed().as_micros() as u64, Ordering::Relaxed);
                }
            });
            let caller = named.recv().expect("the thread's name").display().to_string();
            // The slowest call since the last report, and how long its thread had no CPU since then, all calls together.
            let mut waited = without_cpu(&caller);
            let mut report = |what: String| {
                let (slowest, now) = (slowest_us.swap(0, Ordering::Relaxed), without_cpu(&caller));
                println!("{what}; slowest call: {slowest} us; all calls waited {:.2?} for a CPU", now - waited);
                waited = now;
            };
            std::thread::sleep(WATCHED);
            report(format!("calls for {WATCHED:?} with nothing beside"));
            let (second, took) = timed(|| config::load(path).map(|loaded| loaded.plan));
            report(format!("load beside calls: {took}"));
            let second = second.unwrap_or_else(|problems| panic!("{} problems", problems.len()));
            let ((), took) = timed(|| {
                retired.keep(engine.plan().keep());
                engine.reload(second);
            });
            report(format!("swap: {took}"));
            std::thread::sleep(2 * WATCHED);
            report(format!("calls for {:?} after it, the old plan dropped", 2 * WATCHED));
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
