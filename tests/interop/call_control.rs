//! Kamailio as call control: a registrar, and a proxy that asks the node where every number leads.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::network::Network;

/// A running Kamailio.
pub(crate) struct CallControl {
    child: Child,
}

/// Answers of its own port are looked for this often.
const LOOK: Duration = Duration::from_millis(50);
/// Looks until it has come too late: ten seconds.
const LOOKS_MAX: usize = 200;

impl CallControl {
    /// Starts call control of the home cluster and waits until it answers.
    pub(crate) fn start(network: &Network) -> Self {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/call_control.cfg");
        let at = network.sip(1, 10);
        let text = fs::read_to_string(template)
            .unwrap()
            .replace("{listen}", &at.to_string())
            .replace("{node}", &network.host(1, 1).to_string());
        let file = network.file("call_control.cfg", &text);
        let log = fs::File::create(network.folder().join("call_control.log")).unwrap();
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(&file);
        command.arg("-Y").arg(network.folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|why| {
            panic!("these tests need Kamailio ({why}): apt-get install -y --no-install-recommends kamailio")
        });
        let this = Self { child };
        this.answers(network);
        this
    }

    /// Asks until it answers: it listens before it has read its modules.
    fn answers(&self, network: &Network) {
        let asker = UdpSocket::bind((network.host(1, 99), 0)).unwrap();
        asker.set_read_timeout(Some(LOOK)).unwrap();
        let (from, to) = (asker.local_addr().unwrap(), network.sip(1, 10));
        for number in 0..LOOKS_MAX {
            let options = format!(
                "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-look-{number}\r\nMax-Forwards: 1\r\n\
                 From: <sip:{from}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: look-{number}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            // Nobody may listen yet; the next look asks again.
            let _ = asker.send_to(options.as_bytes(), to);
            let mut answer = [0; 2_048];
            if asker.recv(&mut answer).is_ok() && answer.starts_with(b"SIP/2.0 200 ") {
                return;
            }
        }
        let log = fs::read_to_string(network.folder().join("call_control.log")).unwrap_or_default();
        panic!("Kamailio does not answer:\n{log}");
    }
}

impl Drop for CallControl {
    fn drop(&mut self) {
        // Its children end with it when asked; killed, they would stay.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
