//! SIPp as a foreign caller or gateway: one process, its scenario filled in, its trace read back, killed when dropped.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::network::Network;
use crate::script::Script;

/// What a SIPp process is to do.
pub(crate) struct Plan {
    /// Name of the scenario, and of the files it leaves.
    scenario: &'static str,
    local: SocketAddr,
    /// Values for `{name}` in the scenario.
    values: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    transport: &'static str,
    is_traced: bool,
    folder: PathBuf,
    remote: Option<SocketAddr>,
    /// The scenario, where it is no file.
    script: Option<String>,
}

/// A running SIPp.
pub(crate) struct Sipp {
    child: Child,
    scenario: &'static str,
    /// What it printed, when it has ended.
    printed: Receiver<String>,
    base: PathBuf,
}

/// What a SIPp process left.
pub(crate) struct Ended {
    /// Every message, in order.
    pub(crate) trace: Vec<Traced>,
    /// Calls that succeeded and that failed, by its own statistics.
    pub(crate) calls: (u64, u64),
}

/// One message of a trace.
pub(crate) struct Traced {
    /// Milliseconds within the hour, by SIPp's clock.
    pub(crate) at_ms: u64,
    /// Whether SIPp sent it.
    pub(crate) is_sent: bool,
    /// The message.
    pub(crate) text: String,
}

/// Longest run of a SIPp process, seconds; it ends with a failure then.
const RUN_S_MAX: u64 = 60;
const LOOK: Duration = Duration::from_millis(10);

/// Mark of the phone alice is logged in on, as call control sets it (P-13).
pub(crate) const ALICE_PHONE: &str = "Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ\n";

impl Plan {
    /// A caller at `local` that sends to `remote`: alice on her phone, one call, a short talk.
    pub(crate) fn caller(
        network: &Network,
        scenario: &'static str,
        local: SocketAddr,
        remote: SocketAddr,
        called: &str,
    ) -> Self {
        let plan = Self::of(network, scenario, local).value("called", called).value("from", "5001");
        Self { remote: Some(remote), ..plan.value("headers", ALICE_PHONE).value("hold_ms", "50") }
    }

    /// A gateway, or anybody else who is called, at `local`: one call.
    pub(crate) fn called(network: &Network, scenario: &'static str, local: SocketAddr) -> Self {
        Self::of(network, scenario, local)
    }

    fn of(network: &Network, scenario: &'static str, local: SocketAddr) -> Self {
        let folder = network.folder().to_owned();
        let plan = Self {
            scenario,
            local,
            values: Vec::new(),
            arguments: Vec::new(),
            transport: "u1",
            is_traced: true,
            folder,
            remote: None,
            script: None,
        };
        let sdp = |name| fs::read_to_string(scenarios().join(name)).unwrap().trim_end().to_owned();
        plan.value("offer", &sdp("offer.sdp")).value("answer", &sdp("answer.sdp"))
    }

    /// Somebody at `local` who calls by a script, `remote` being the node.
    pub(crate) fn calls(
        network: &Network,
        name: &'static str,
        local: SocketAddr,
        remote: SocketAddr,
        script: &Script,
    ) -> Self {
        Self { remote: Some(remote), script: Some(script.text()), ..Self::of(network, name, local) }
    }

    /// Somebody at `local` who is called and goes by a script.
    pub(crate) fn plays(network: &Network, name: &'static str, local: SocketAddr, script: &Script) -> Self {
        Self { script: Some(script.text()), ..Self::of(network, name, local) }
    }

    /// Sets a value of the scenario; the last one counts.
    pub(crate) fn value(mut self, name: &'static str, value: &str) -> Self {
        self.values.push((name, value.to_owned()));
        self
    }

    /// Another address of its own.
    pub(crate) fn at(self, local: SocketAddr) -> Self {
        Self { local, ..self }
    }

    /// Arguments of SIPp, separated by spaces.
    pub(crate) fn arguments(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split(' ').map(str::to_owned));
        self
    }

    /// Without a trace, which costs more than the calls when there are many.
    pub(crate) fn untraced(self) -> Self {
        Self { is_traced: false, ..self }
    }

    /// TCP in place of UDP.
    pub(crate) fn over_tcp(mut self) -> Self {
        self.transport = "t1";
        self
    }

    /// Runs it to its end; every call of it succeeds.
    pub(crate) fn done(self) -> Ended {
        self.start().done()
    }

    /// Starts it. Somebody who is called listens when this returns.
    pub(crate) fn start(self) -> Sipp {
        let name = format!("{}-{}-{}", self.scenario, self.local.ip(), self.local.port());
        let base = self.folder.join(name.replace([':', '.'], "_"));
        let file = || fs::read_to_string(scenarios().join(self.scenario).with_extension("xml")).unwrap();
        let mut text = self.script.clone().unwrap_or_else(file);
        for (name, value) in self.values.iter().rev() {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        assert!(!text.contains('{'), "{}: a value is not set:\n{text}", self.scenario);
        let scenario = base.with_extension("xml");
        fs::write(&scenario, text).unwrap();
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(&scenario).args(["-t", self.transport, "-bind_local", "-nostdin", "-fd", "1"]);
        command.args(["-i", &in_brackets(self.local.ip()), "-mi", &self.local.ip().to_string()]);
        command.args(["-p", &self.local.port().to_string(), "-timeout_error", "-timeout", &RUN_S_MAX.to_string()]);
        if self.is_traced {
            command.arg("-trace_msg").arg("-message_file").arg(base.with_extension("messages"));
        }
        command.arg("-trace_err").arg("-error_file").arg(base.with_extension("errors"));
        command.arg("-trace_stat").arg("-stf").arg(base.with_extension("csv"));
        if !self.arguments.iter().any(|argument| argument == "-m") {
            command.args(["-m", "1"]);
        }
        command.args(&self.arguments);
        if let Some(remote) = self.remote {
            command.arg(remote.to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}", cannot_run(&error)));
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, printed) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            // A screen that cannot be read is no reason to fail: the exit code and the trace say more.
            let _ = stdout.read_to_end(&mut text);
            let _ = stderr.read_to_end(&mut text);
            // The test may have ended.
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        });
        let sipp = Sipp { child, scenario: self.scenario, printed, base };
        if self.remote.is_none() {
            sipp.listens(self.local, self.transport == "t1");
        }
        sipp
    }
}

impl Sipp {
    /// Waits until its socket stands, as the kernel lists it: a message sent to ask would be part of the test.
    fn listens(&self, local: SocketAddr, is_tcp: bool) {
        let (v4, v6) = if is_tcp { ("tcp", "tcp6") } else { ("udp", "udp6") };
        let table = Path::new("/proc/net").join(if local.is_ipv4() { v4 } else { v6 });
        let entry = format!(" {}:{:04X} ", kernel_form(local.ip()), local.port());
        for _ in 0..500 {
            if fs::read_to_string(&table).unwrap().contains(&entry) {
                return;
            }
            match self.printed.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(screen) => panic!("SIPp ended before it listened: {screen}\n{}", self.errors()),
                Err(RecvTimeoutError::Disconnected) => panic!("SIPp's screen was lost"),
            }
        }
        panic!("SIPp does not listen on {local}");
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; every call of it succeeded.
    pub(crate) fn done(mut self) -> Ended {
        let screen = self.printed.recv_timeout(Duration::from_secs(RUN_S_MAX + 10)).expect("SIPp ends in time");
        let status = self.child.wait().unwrap();
        let ended = self.left();
        if !status.success() {
            let trace: Vec<_> = ended.trace.iter().rev().take(12).rev().map(Traced::told).collect();
            let errors = self.errors();
            panic!("SIPp {} {status}: {errors}\n{screen}\n--- its last messages\n{}", self.scenario, trace.join("\n"));
        }
        ended
    }

    /// The messages so far.
    pub(crate) fn trace(&self) -> Vec<Traced> {
        traced(&fs::read_to_string(self.base.with_extension("messages")).unwrap_or_default())
    }

    fn left(&self) -> Ended {
        let csv = fs::read_to_string(self.base.with_extension("csv")).unwrap_or_default();
        let (head, last) = (csv.lines().next().unwrap_or_default(), csv.lines().last().unwrap_or_default());
        let count = |name: &str| {
            let column = head.split(';').position(|column| column == name);
            column.and_then(|column| last.split(';').nth(column)?.parse().ok()).unwrap_or(0)
        };
        Ended { trace: self.trace(), calls: (count("SuccessfulCall(C)"), count("FailedCall(C)")) }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.base.with_extension("errors")).unwrap_or_default()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // One that has ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The first message it received whose first line begins so.
    pub(crate) fn received(&self, start: &str) -> &Traced {
        self.all_received(start).first().copied().unwrap_or_else(|| {
            let all: Vec<_> = self.trace.iter().map(Traced::told).collect();
            panic!("no {start} came:\n{}", all.join("\n"))
        })
    }

    /// Every message it received whose first line begins so.
    pub(crate) fn all_received(&self, start: &str) -> Vec<&Traced> {
        self.trace.iter().filter(|traced| !traced.is_sent && traced.text.starts_with(start)).collect()
    }

    /// Milliseconds from the first message sent to the first received that begins so.
    pub(crate) fn waited_ms(&self, start: &str) -> u64 {
        let first = self.trace.iter().find(|traced| traced.is_sent).unwrap();
        self.received(start).at_ms.wrapping_sub(first.at_ms)
    }
}

impl Traced {
    /// A message a socket of the test itself received.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self { at_ms: 0, is_sent: false, text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// The values of a header, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The only value of a header.
    pub(crate) fn value(&self, name: &str) -> &str {
        match *self.values(name) {
            [value] => value,
            ref values => panic!("{name} {} times in:\n{}", values.len(), self.text),
        }
    }

    /// The audio formats of its description, in order: the end of the m-line.
    pub(crate) fn formats(&self) -> &str {
        let line = self.text.lines().find(|line| line.starts_with("m=audio "));
        let line = line.unwrap_or_else(|| panic!("no audio in:\n{}", self.text));
        line.split_once(" RTP/AVP ").unwrap().1
    }

    fn told(&self) -> String {
        format!("{} {}", if self.is_sent { "sent" } else { "received" }, self.text)
    }
}

/// Reads a message file: a ruled line with the time, a line that says which way, the message.
fn traced(text: &str) -> Vec<Traced> {
    let mut messages = Vec::new();
    for part in text.split("----------------------------------------------- ").skip(1) {
        let Some((head, rest)) = part.split_once('\n') else { continue };
        let Some((way, message)) = rest.split_once("\n\n") else { continue };
        let Some(clock) = head.split_whitespace().nth(1) else { continue };
        let mut numbers = clock.split([':', '.']).map(|number| number.parse::<u64>().unwrap_or(0));
        let _hour = numbers.next();
        let mut next = || numbers.next().unwrap_or(0);
        let at_ms = (next() * 60 + next()) * 1_000 + next() / 1_000;
        messages.push(Traced { at_ms, is_sent: way.contains("sent"), text: message.trim_start().to_owned() });
    }
    messages
}

/// An address as /proc/net writes it: words of four octets in the host's order.
fn kernel_form(ip: IpAddr) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks(4).map(|word| format!("{:08X}", u32::from_ne_bytes(word.try_into().unwrap())));
    words.collect()
}

fn in_brackets(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/scenarios")
}

fn cannot_run(error: &std::io::Error) -> String {
    format!("these tests need SIPp ({error}): apt-get install -y --no-install-recommends sip-tester")
}
