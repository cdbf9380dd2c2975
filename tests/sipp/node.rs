//! One process of the program: started on a configuration, watched through its log and its metrics, killed when
//! dropped.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::network::Network;

/// A running node.
pub(crate) struct Node {
    child: Child,
    lines: Receiver<String>,
    log: RefCell<Vec<String>>,
    admin: SocketAddr,
    file: PathBuf,
}

/// One look at the log or the metrics while something is awaited.
const LOOK: Duration = Duration::from_millis(20);
/// Looks until it has come too late: thirty seconds, less where the log says much. It ends a test that fails and is no
/// law: some wait for a node's own timers (a drain, a rest, two lost probes, a DNS that is silent), all beside other
/// tests. What must happen in a given time is asked of the trace (`Ended::waited_ms`).
const LOOKS_MAX: usize = 1_500;

impl Node {
    /// The home cluster's node of the pair.
    pub(crate) fn hq(network: &Network) -> Self {
        Self::start(network, "hq.toml", &network.pair("hq.toml"))
    }

    /// The visited cluster's node of the pair.
    pub(crate) fn br(network: &Network) -> Self {
        Self::start(network, "br.toml", &network.pair("br.toml"))
    }

    /// Starts a node on a configuration of the test's own.
    pub(crate) fn start(network: &Network, name: &str, text: &str) -> Self {
        Self::run(&network.file(name, text))
    }

    /// Starts a node on a file and waits until it is ready.
    pub(crate) fn run(file: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emcc-trunk"));
        command
            .args(["run", "--config"])
            .arg(file)
            .env("EMCC_LOG", "info")
            .env("NO_COLOR", "1")
            .env_remove("EMCC_LOG_FORMAT");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        // Ends with the process.
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let admin = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut node = Self { child, lines, log: RefCell::default(), admin, file: file.to_owned() };
        let ready = node.log_line("ready: cluster ");
        let (_, admin) = ready.rsplit_once("http://").unwrap();
        node.admin = admin.parse().unwrap();
        node
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process, for signals.
    pub(crate) fn signal(&self, name: &str) {
        let told = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(told.success(), "kill -{name}");
    }

    /// The file it was started on.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Waits for a line of the log with `part` in it, and gives it back.
    pub(crate) fn log_line(&self, part: &str) -> String {
        for _ in 0..LOOKS_MAX {
            let said = self.log.borrow().iter().find(|line| line.contains(part)).cloned();
            match said {
                Some(line) => return line,
                None => self.look(),
            }
        }
        panic!("no line with {part:?} in the log:\n{}", self.log());
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow_mut().extend(self.lines.try_iter());
        self.log.borrow().join("\n")
    }

    /// Takes what the log says next; a process that has ended says no more.
    fn look(&self) {
        match self.lines.recv_timeout(LOOK) {
            Ok(line) => self.log.borrow_mut().push(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the node has ended:\n{}", self.log()),
        }
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        for _ in 0..LOOKS_MAX {
            match self.lines.recv_timeout(LOOK) {
                Ok(line) => self.log.borrow_mut().push(line),
                Err(RecvTimeoutError::Timeout) => {}
                // It closed its standard error, which only its end does.
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
            }
        }
        panic!("the node goes on:\n{}", self.log());
    }

    /// The answer to a GET of the admin page.
    pub(crate) fn page(&self, path: &str) -> String {
        self.asked(&format!("GET {path} HTTP/1.1\r\n"))
    }

    fn asked(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(stream, "{head}Host: node\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The answer to an empty POST of the admin server with that token.
    pub(crate) fn post(&self, path: &str, token: &str) -> String {
        self.asked(&format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n"))
    }

    /// A value of the metrics: the series of that name with all those label pairs (`key="value"`), 0 if there is none.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let page = self.page("/metrics");
        let series = page.lines().filter(|line| {
            let rest = line.strip_prefix(name).unwrap_or_default();
            (rest.starts_with('{') || rest.starts_with(' ')) && labels.iter().all(|label| rest.contains(label))
        });
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Waits until a metric has a value.
    pub(crate) fn shows(&self, name: &str, labels: &[&str], value: u64) {
        self.shows_such(name, labels, &format!("{value}"), |now| now == value);
    }

    /// Waits until a metric is what `is_it` says.
    pub(crate) fn shows_such(&self, name: &str, labels: &[&str], what: &str, is_it: impl Fn(u64) -> bool) {
        let mut now = 0;
        for _ in 0..LOOKS_MAX {
            now = self.metric(name, labels);
            if is_it(now) {
                return;
            }
            self.look();
        }
        panic!("{name}{labels:?} is {now}, awaited {what}; log:\n{}", self.log());
    }

    /// kbit/s of audio booked towards the other cluster.
    pub(crate) fn link_kbps(&self) -> u64 {
        self.metric(LINK, &AUDIO_OUTWARD) / 1_000
    }

    /// Waits until that many kbit/s of audio are booked in each direction.
    pub(crate) fn link_shows_kbps(&self, kbps: u64) {
        self.shows(LINK, &AUDIO_OUTWARD, kbps * 1_000);
        self.shows(LINK, &AUDIO_INWARD, kbps * 1_000);
    }

    /// Nothing is left of any call: no call, nothing booked, and calls that ended with that outcome.
    pub(crate) fn is_idle_after(&self, answered: u64, failed: u64, cancelled: u64) {
        self.shows("emcc_calls", &[], 0);
        self.shows(LINK, &[], 0);
        for (outcome, count) in [("answered", answered), ("failed", failed), ("cancelled", cancelled)] {
            self.shows("emcc_calls_total", &[&format!("outcome=\"{outcome}\"")], count);
        }
    }
}

/// Gauge of what is booked.
pub(crate) const LINK: &str = "emcc_link_used_bits_per_second";
const AUDIO_OUTWARD: [&str; 2] = ["pool=\"audio\"", "direction=\"outward\""];
const AUDIO_INWARD: [&str; 2] = ["pool=\"audio\"", "direction=\"inward\""];

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.file.display(), self.log());
        }
    }
}
