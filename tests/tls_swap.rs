//! Ten thousand certificate swaps under live handshakes, in a process of their own, so that its memory is theirs.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

#[path = "pki/mod.rs"]
mod pki;
#[path = "tls/rim.rs"]
mod rim;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use emcc_trunk::certificates::Material;
use rim::{NEIGHBOUR, NODE, Rim, client, dial, echoes};

const SWAPS: usize = 10_000;
/// Swaps before memory is first looked at: whatever is made once has been made.
const WARM: usize = 1_000;
/// What allocators may keep for themselves between two looks.
const GROWTH_KIB_MAX: u64 = 4_096;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Handshakes one after the other until told to stop; how many, and how many failed.
fn shakes(at: std::net::SocketAddr, config: &Arc<rustls::ClientConfig>, stop: &AtomicBool) -> (u32, u32) {
    let (mut done, mut failed) = (0, 0);
    while !stop.load(Relaxed) {
        let stream = std::net::TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(rim::PATIENCE)).unwrap();
        let went = echoes(&mut dial(stream, Arc::clone(config)), done);
        done += 1;
        failed += u32::from(!went);
    }
    (done, failed)
}

#[test]
fn ten_thousand_swaps_lose_no_connection_no_handshake_and_no_memory() {
    let rim = Rim::new("ten_thousand", 2);
    let pair = rim.authority.sign(&[NEIGHBOUR]);
    let config = client(&rim.authority, Some(&pair));
    let mut standing: Vec<_> = (0..8).map(|_| rim.dial(Some(&pair))).collect();
    assert!(standing.iter_mut().all(|stream| echoes(stream, 1)));
    let sets = [0, 1]
        .map(|set| rim::files(&rim.folder.join(format!("set-{set}")), &rim.authority.sign(&[NODE]), &rim.authority));
    let stop = AtomicBool::new(false);
    let at = rim.at();
    let (counts, warm_kib, end_kib) = thread::scope(|scope| {
        let shakers: Vec<_> = (0..2).map(|_| scope.spawn(|| shakes(at, &config, &stop))).collect();
        let mut warm_kib = 0;
        for swap in 0..SWAPS {
            rim.certificates.swap(Material::load(&sets[swap % 2]).unwrap());
            if swap == WARM {
                warm_kib = resident_kib();
            }
            if swap % 1_000 == 0 {
                assert!(standing.iter_mut().all(|stream| echoes(stream, 2)), "after {swap} swaps");
            }
        }
        let end_kib = resident_kib();
        stop.store(true, Relaxed);
        let counts: Vec<_> = shakers.into_iter().map(|shaker| shaker.join().unwrap()).collect();
        (counts, warm_kib, end_kib)
    });
    let (shaken, failed) = counts.iter().fold((0, 0), |(done, lost), (d, f)| (done + d, lost + f));
    println!(
        "{SWAPS} swaps, {shaken} handshakes, {failed} failed, {warm_kib} KiB resident after {WARM}, {end_kib} at the end"
    );
    assert_eq!(failed, 0);
    assert!(shaken >= 1_000, "only {shaken} handshakes were there to be disturbed");
    assert!(standing.iter_mut().all(|stream| echoes(stream, 3)), "every connection stands");
    assert!(end_kib < warm_kib + GROWTH_KIB_MAX, "{warm_kib} KiB grew to {end_kib}");
    assert_eq!((rim.counted("handshake_failed"), rim.counted("wrong_name"), rim.counted("too_many")), (0, 0, 0));
}
