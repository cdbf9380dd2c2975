//! baresip as a phone: a tone as its microphone, moving bars as its camera, driven and heard through its control port.

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};

use crate::network::Network;

/// A running baresip.
pub(crate) struct Phone {
    child: Child,
    name: &'static str,
    control: TcpStream,
    heard: RefCell<Heard>,
    folder: std::path::PathBuf,
}

/// What its control port said.
#[derive(Default)]
struct Heard {
    octets: Vec<u8>,
    /// Events nobody asked for yet: type, and what stands beside it.
    events: Vec<(String, Value)>,
}

/// Port of a phone's control, at its own address.
const CONTROL_PORT: u16 = 4444;
/// One look while something is awaited.
const LOOK: Duration = Duration::from_millis(50);
/// Looks until it has come too late: fifteen seconds.
const LOOKS_MAX: usize = 300;
/// Packets each way until a phone has talked: a second of sound.
const SOUND_PACKETS: u64 = 50;

impl Phone {
    /// Starts a phone of that address with one account line for each of `accounts`, answering every call.
    pub(crate) fn start(
        network: &Network,
        name: &'static str,
        (site, host): (u8, u8),
        accounts: &[String],
        has_video: bool,
    ) -> Self {
        let ip = network.host(site, host);
        let folder = network.folder().join(name);
        fs::create_dir_all(&folder).unwrap();
        let video = if has_video {
            "module fakevideo.so\nmodule vp8.so\nvideo_source fakevideo,nil\nvideo_display fakevideo,nil\n\
             video_size 176x144\nvideo_bitrate 800000\n"
        } else {
            ""
        };
        let config = format!(
            "poll_method epoll\nsip_listen {ip}:5060\nnet_interface {ip}\nrtp_ports 10000-19999\n\
             audio_source ausine,440\nausrc_srate 48000\nausrc_channels 2\n\
             audio_player aubridge,player-{name}\naudio_alert aubridge,alert-{name}\nauplay_srate 48000\n\
             module_path /usr/lib/baresip/modules\nmodule g722.so\nmodule g711.so\nmodule ausine.so\n\
             module aubridge.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
             ctrl_tcp_listen {ip}:{CONTROL_PORT}\n{video}"
        );
        fs::write(folder.join("config"), config).unwrap();
        fs::write(folder.join("contacts"), "").unwrap();
        let lines: String = accounts.iter().map(|line| format!("{line};answermode=auto\n")).collect();
        fs::write(folder.join("accounts"), lines).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|why| {
            panic!("these tests need baresip ({why}): apt-get install -y --no-install-recommends baresip-core")
        });
        let control = connect((ip, CONTROL_PORT).into(), &mut child, &folder);
        Self { child, name, control, heard: RefCell::default(), folder }
    }

    /// A phone of the home cluster that registers with its call control under that number; `codecs` in its own order.
    pub(crate) fn registered(network: &Network, name: &'static str, host: u8, number: &str, codecs: &str) -> Self {
        let domain = network.host(1, 10);
        let account = format!("<sip:{number}@{domain}>;regint=600;audio_codecs={codecs}");
        let phone = Self::start(network, name, (1, host), &[account], false);
        phone.told(|_| phone.log().contains("[1 binding]"), "it is registered");
        phone
    }

    /// Does something, as its user would: `dial`, `hangup`, `hold`, `resume`, `transfer`.
    pub(crate) fn command(&self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params, "token": command }).to_string();
        let mut control = &self.control;
        control.write_all(format!("{}:{text},", text.len()).as_bytes()).unwrap();
    }

    /// Waits for an event of that type, and takes it with everything before it.
    pub(crate) fn event(&self, kind: &str) -> Value {
        let mut found = Value::Null;
        self.told(
            |events| {
                let Some(at) = events.iter().position(|(name, _)| name == kind) else { return false };
                found = events.drain(..=at).next_back().map_or(Value::Null, |(_, value)| value);
                true
            },
            kind,
        );
        found
    }

    /// Waits until it has sent and heard enough sound for a test to find on the wire, as its reports count it. The first
    /// report may come before any: it answers what opens the way for media.
    pub(crate) fn has_talked(&self) {
        let packets = |value: &Value, way: &str| value["rtcp_stats"][way]["sent"].as_u64().unwrap_or_default();
        self.told(
            |events| {
                let talked = |(kind, value): &(String, Value)| {
                    kind == "CALL_RTCP" && ["tx", "rx"].iter().all(|way| packets(value, way) >= SOUND_PACKETS)
                };
                events.iter().position(talked).map(|at| events.drain(..=at)).is_some()
            },
            "it talks",
        );
    }

    /// Waits until what it said makes `is_it` true.
    fn told(&self, mut is_it: impl FnMut(&mut Vec<(String, Value)>) -> bool, what: &str) {
        for _ in 0..LOOKS_MAX {
            self.listen();
            if is_it(&mut self.heard.borrow_mut().events) {
                return;
            }
        }
        panic!("{}: not so in time: {what}; it said {:?}\n{}", self.name, self.heard.borrow().events, self.log());
    }

    /// Takes what the control port says within one look.
    fn listen(&self) {
        let mut buffer = [0; 16_384];
        let heard = &mut *self.heard.borrow_mut();
        match (&self.control).read(&mut buffer) {
            Ok(0) => panic!("{}: it has ended\n{}", self.name, self.log()),
            Ok(count) => heard.octets.extend_from_slice(&buffer[..count]),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(why) => panic!("{}: {why}", self.name),
        }
        while let Some(text) = netstring(&mut heard.octets) {
            let value: Value = serde_json::from_slice(&text).unwrap();
            if value["event"] == true {
                heard.events.push((value["type"].as_str().unwrap_or_default().to_owned(), value));
            }
        }
    }

    /// Its log, without the lines that count bits ten times a second.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.split(['\r', '\n']).filter(|line| !line.contains("(bit/s)")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        // One that has ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for its control port.
fn connect(at: SocketAddr, child: &mut Child, folder: &std::path::Path) -> TcpStream {
    // Nobody sends: it only waits.
    let (_silent, pause) = channel::<()>();
    for _ in 0..LOOKS_MAX {
        if let Ok(stream) = TcpStream::connect_timeout(&at, LOOK) {
            stream.set_read_timeout(Some(LOOK)).unwrap();
            return stream;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        let _ = pause.recv_timeout(LOOK);
    }
    panic!("baresip has no control port:\n{}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

/// The first whole netstring (`LENGTH:TEXT,`), taken out.
fn netstring(octets: &mut Vec<u8>) -> Option<Vec<u8>> {
    let colon = octets.iter().position(|octet| *octet == b':')?;
    let length: usize = std::str::from_utf8(&octets[..colon]).ok()?.trim().parse().ok()?;
    if octets.len() < colon + 2 + length {
        return None;
    }
    let text = octets[colon + 1..colon + 1 + length].to_vec();
    octets.drain(..colon + 2 + length);
    Some(text)
}
