//! A node of the built program, driven by signals.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, ChildStderr, Stdio};

/// A running node, ended with the test.
struct Node {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    fn start(config: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
        command.args(["run", "--config", config]).env_remove("EMCC_LOG").env_remove("EMCC_LOG_FORMAT");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Every line up to the first with `wanted` in it.
    fn read_until(&mut self, wanted: &str) -> String {
        let mut read = String::new();
        while !read.lines().last().is_some_and(|line| line.contains(wanted)) {
            let bytes = self.log.read_line(&mut read).unwrap();
            assert!(bytes > 0, "the log ended before '{wanted}':\n{read}");
        }
        read
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

/// The home cluster on addresses of this test's own.
fn home(network: &str) -> String {
    std::fs::read_to_string(pair("hq.toml")).unwrap().replace("127.0.1.", network)
}

#[test]
fn a_node_serves_reloads_only_what_is_right_and_drains() {
    let right = home("127.0.77.");
    let config = file("run.toml", &right);
    let mut node = Node::start(&config);
    let ready = node.read_until("ready:");
    for address in ["cluster HQ", "udp:127.0.77.1:5060", "tcp:127.0.77.1:5060", "http://127.0.77.1:9411"] {
        assert!(ready.contains(address), "{address}: {ready}");
    }

    let second = emcc_trunk(&["run", "--config", &config]);
    assert_eq!((second.code, second.out.as_str()), (Some(3), ""));
    assert!(second.err.contains("127.0.77.1:5060 is in use"), "{}", second.err);

    let mut page = TcpStream::connect("127.0.77.1:9411").unwrap();
    page.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let phones = UdpSocket::bind("127.0.77.10:5060").unwrap();
    let options = "OPTIONS sip:127.0.77.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.77.10:5060;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\nFrom: <sip:a@127.0.77.10>;tag=1\r\nTo: <sip:127.0.77.1>\r\nCall-ID: 1@127.0.77.10\r\n\
        CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    phones.send_to(options.as_bytes(), "127.0.77.1:5060").unwrap();
    let mut answer = [0; 4096];
    let (length, from) = phones.recv_from(&mut answer).unwrap();
    assert_eq!(from.to_string(), "127.0.77.1:5060");
    assert!(answer[..length].starts_with(b"SIP/2.0 200"), "{}", String::from_utf8_lossy(&answer));

    std::fs::write(&config, right.replace("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 601")).unwrap();
    node.signal("-HUP");
    let log = node.read_until("reload refused");
    assert!(log.contains("run.toml:") && log.contains("601"), "{log}");

    std::fs::write(&config, right.replace("\"tcp:127.0.77.1:5060\"", "\"tcp:127.0.77.1:5070\"")).unwrap();
    node.signal("-HUP");
    assert!(node.read_until("reload refused").contains("sip.listen"));

    std::fs::write(&config, right.replace("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 30")).unwrap();
    node.signal("-HUP");
    node.read_until("reloaded:");

    node.signal("-TERM");
    node.read_until("draining");
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}

#[test]
fn m_8_a_cluster_whose_region_parameters_differ_is_named_in_an_alarm_at_start_and_reload() {
    let alike = home("127.0.76.");
    let differs = alike.replace("[[remote_cluster]]\n", "[[remote_cluster]]\nregion_max_audio_kbps = 64\n");
    let config = file("region.toml", &differs);
    let mut node = Node::start(&config);
    let alarms = || {
        let mut page = TcpStream::connect("127.0.76.1:9411").unwrap();
        page.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        page.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find(|line| line.starts_with("emcc_alarms_total{kind=\"region parameters differ\"}"));
        line.and_then(|line| line.split(' ').next_back()).map(str::to_owned)
    };
    let log = node.read_until("ready:");
    let told = log.lines().find(|line| line.contains("region parameters differ from ours")).unwrap_or_default();
    assert!(told.contains("cluster=\"BR\"") && told.contains("audio_kbps=8"), "{log}");
    assert_eq!(alarms().as_deref(), Some("1"));
    node.signal("-HUP");
    node.read_until("reloaded:");
    assert_eq!(alarms().as_deref(), Some("2"));
    std::fs::write(&config, alike).unwrap();
    node.signal("-HUP");
    node.read_until("reloaded:");
    assert_eq!(alarms().as_deref(), Some("2"), "equal parameters raise none");
    node.signal("-TERM");
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_address_of_another_host_exits_3_and_is_named() {
    let config = file("foreign.toml", &home("127.0.78.").replace("udp:127.0.78.1:5060", "udp:192.0.2.1:5060"));
    let ran = emcc_trunk(&["run", "--config", &config]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""));
    assert!(ran.err.contains("udp:192.0.2.1:5060"), "{}", ran.err);
}

#[test]
fn a_log_level_nobody_knows_is_a_usage_error() {
    let config = file("level.toml", &home("127.0.79."));
    let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
    let output = command.args(["run", "--config", &config]).env("EMCC_LOG", "a=loud").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("EMCC_LOG is not a level"));
}

/// A configuration whose first gateway has a name, and a name server that never answers; the text and the server.
fn with_silent_dns(network: &str) -> (String, String, UdpSocket) {
    let silent = UdpSocket::bind(format!("{network}53:0")).unwrap();
    let plain = home(network).replace("[sip]", &format!("[sip]\ndns = [\"{}\"]", silent.local_addr().unwrap()));
    let named = plain.replace(&format!("\"udp:{network}20:5060\""), "\"udp:gw.example.com:5060\"");
    assert_ne!(named, plain, "the pair has that gateway");
    (plain, named, silent)
}

/// Waits until somebody asks the name server.
fn asked(silent: &UdpSocket) {
    silent.recv_from(&mut [0; 512]).unwrap();
}

#[test]
fn a_sighup_before_a_node_is_ready_is_a_reload_once_it_is() {
    let (_, named, silent) = with_silent_dns("127.0.74.");
    let mut node = Node::start(&file("early.toml", &named));
    asked(&silent);
    node.signal("-HUP");
    assert!(!node.read_until("ready:").contains("reloaded"));
    node.read_until("reloaded:");
    node.signal("-TERM");
    node.read_until("draining");
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_sigterm_while_a_reload_waits_for_a_name_drains_at_once() {
    let (plain, named, silent) = with_silent_dns("127.0.73.");
    let config = file("lookup.toml", &plain);
    let mut node = Node::start(&config);
    node.read_until("ready:");
    std::fs::write(&config, named).unwrap();
    node.signal("-HUP");
    asked(&silent);
    node.signal("-TERM");
    let log = node.read_until("draining");
    assert!(!log.contains("reloaded:") && !log.contains("no address yet"), "{log}");
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}
