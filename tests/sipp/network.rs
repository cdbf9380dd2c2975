//! A network of its own for each test: 127.N.0.0/16 on loopback, so that tests run beside each other and beside
//! whatever else the host does.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

/// A claimed network and the folder of what happens in it.
pub(crate) struct Network {
    octet: u8,
    folder: PathBuf,
    /// Nobody else takes the network while this is bound.
    _claim: UdpSocket,
}

/// A port no neighbour uses: whoever holds it in 127.N.0.1 holds the network.
const CLAIM_PORT: u16 = 5999;
/// Networks there are: 127.0.0.0/16 is left to the pair itself.
const NETWORKS: u32 = 250;

impl Network {
    /// The first free network, starting at one that differs between processes.
    pub(crate) fn claim(test: &str) -> Self {
        let first = std::process::id() % NETWORKS;
        let free = (0..NETWORKS).find_map(|step| Self::of(u8::try_from((first + step) % NETWORKS + 1).unwrap(), test));
        free.expect("one of the loopback networks is free")
    }

    fn of(octet: u8, test: &str) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::new(127, octet, 0, 1), CLAIM_PORT)).ok()?;
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sipp").join(test);
        // Left from the run before.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Some(Self { octet, folder, _claim: claim })
    }

    /// The host 127.N.`site`.`host`.
    pub(crate) fn host(&self, site: u8, host: u8) -> IpAddr {
        Ipv4Addr::new(127, self.octet, site, host).into()
    }

    /// Its SIP address.
    pub(crate) fn sip(&self, site: u8, host: u8) -> SocketAddr {
        (self.host(site, host), 5060).into()
    }

    /// A number that differs between networks that stand at once.
    pub(crate) fn octet(&self) -> u8 {
        self.octet
    }

    /// Where the test's files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The text of a file of the example pair, moved to this network. No health probes: a scenario of SIPp knows its
    /// own messages alone.
    pub(crate) fn pair(&self, name: &str) -> String {
        with(&self.probing_pair(name), "[sip]\n", "[sip]\nhealth_s = 0\n")
    }

    /// The same with health probes.
    pub(crate) fn probing_pair(&self, name: &str) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair").join(name);
        fs::read_to_string(file).unwrap().replace("127.0.", &format!("127.{}.", self.octet))
    }

    /// A file of the test's folder.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.join(name);
        fs::write(&file, text).unwrap();
        file
    }
}

/// `text` with `old` replaced; a configuration that no longer has it is a mistake of the test.
pub(crate) fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the pair's file has no {old:?}");
    text.replace(old, new)
}
