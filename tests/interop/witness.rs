//! tshark as a witness: everything on the test's network is kept, and asked for afterwards.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::network::Network;

/// A running capture.
pub(crate) struct Witness {
    child: Child,
    file: PathBuf,
}

/// What was captured.
pub(crate) struct Record {
    file: PathBuf,
}

impl Witness {
    /// Begins to keep every datagram of the network; returns when it does.
    pub(crate) fn start(network: &Network) -> Self {
        let file = network.folder().join("wire.pcapng");
        let mut command = Command::new("dumpcap");
        command.args(["-q", "-i", "lo", "-f", &format!("udp and net 127.{}.0.0/16", network.octet()), "-w"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| {
            panic!("these tests need tshark ({why}): apt-get install -y --no-install-recommends tshark")
        });
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = Vec::new();
        for line in stderr.lines().map_while(Result::ok) {
            let begins = line.starts_with("File:");
            said.push(line);
            if begins {
                return Self { child, file };
            }
        }
        // It has ended, or closed its standard error to do so.
        let _ = child.wait();
        panic!("dumpcap cannot capture on loopback (it needs root or CAP_NET_RAW):\n{}", said.join("\n"));
    }

    /// Ends it; what it kept can be asked for.
    pub(crate) fn stop(mut self) -> Record {
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.child.wait().unwrap();
        Record { file: self.file.clone() }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // One that has ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Record {
    /// The fields of every packet a display filter lets through, one line each, fields separated by `|`.
    pub(crate) fn of(&self, filter: &str, fields: &[&str]) -> Vec<String> {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&self.file).args(["-n", "-Y", filter, "-T", "fields", "-E", "separator=|"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "tshark {filter}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Nothing that a node sent is malformed in tshark's eyes, and nodes did speak.
    pub(crate) fn nodes_are_well_formed(&self, network: &Network) {
        let sent = format!("sip && (ip.src == {} || ip.src == {})", network.host(1, 1), network.host(2, 1));
        assert!(!self.of(&sent, &["frame.number"]).is_empty(), "the nodes said nothing");
        let wrong = format!("{sent} && (_ws.malformed || _ws.expert.severity == \"Error\")");
        let wrong = self.of(&wrong, &["frame.number", "ip.src", "sip.Request-Line", "sip.Status-Line", "_ws.expert"]);
        assert!(wrong.is_empty(), "malformed:\n{}", wrong.join("\n"));
    }
}
