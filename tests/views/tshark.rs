//! tshark as a reader: every message in a capture made here, read in one go.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::view::{View, name_of, trimmed};

/// What tshark found in a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dissected {
    pub(crate) view: View,
    /// Whether the message ended for tshark before it was whole, or holds an error in its eyes.
    pub(crate) faults: Vec<String>,
}

/// Octets of the IP and UDP headers before each message.
const BEFORE: usize = 28;
/// Severity of an error among expert messages.
const ERROR: &str = "8388608";

/// Reads all messages, each as a datagram of its own.
pub(crate) fn read(folder: &Path, messages: &[&[u8]]) -> Vec<Dissected> {
    let file = folder.join("sent.pcap");
    fs::write(&file, capture(messages)).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&file).args(["-n", "-T", "pdml"]);
    // Of the body the length is asked for: a message inside it is no header.
    for protocol in ["sdp", "mime_multipart", "media"] {
        command.args(["--disable-protocol", protocol]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|why| {
        panic!("these tests need tshark ({why}): apt-get install -y --no-install-recommends tshark")
    });
    let mut reader = Reader { messages, found: Vec::new(), is_inside: false, is_in_head: false, line_at: 0 };
    let mut lines = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        reader.line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(reader.found.len(), messages.len(), "tshark passed over some");
    reader.found
}

/// A capture file of raw IPv4 packets, one a message, all between ports 5060.
fn capture(messages: &[&[u8]]) -> Vec<u8> {
    const RAW_IP: u32 = 101;
    let mut file = Vec::new();
    file.extend([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
    file.extend([0, 0, 65_535, RAW_IP].map(u32::to_le_bytes).concat());
    for (number, message) in (0_u32..).zip(messages) {
        let udp = u16::try_from(8 + message.len()).unwrap();
        let packet = 20 + u32::from(udp);
        file.extend([1 + number, 0, packet, packet].map(u32::to_le_bytes).concat());
        file.extend([0x45, 0]);
        file.extend(u16::try_from(packet).unwrap().to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        // Each from an address of its own: none is another's repetition or answer.
        file.extend((0x0a00_0000 + number).to_be_bytes());
        file.extend([11, 0, 0, 1, 0x13, 0xc4, 0x13, 0xc4]);
        file.extend(udp.to_be_bytes());
        file.extend([0, 0]);
        file.extend_from_slice(message);
    }
    file
}

struct Reader<'m> {
    messages: &'m [&'m [u8]],
    found: Vec<Dissected>,
    is_inside: bool,
    /// Among the header lines.
    is_in_head: bool,
    /// Where the header line at hand begins.
    line_at: usize,
}

impl Reader<'_> {
    /// One line of tshark's XML: elements of one depth are indented alike.
    fn line(&mut self, line: &str) {
        if line.starts_with("<packet") {
            self.found.push(Dissected::default());
            self.is_inside = false;
        }
        if line.starts_with("  <proto ") {
            self.is_inside = line.starts_with("  <proto name=\"sip\"");
            if line.contains("name=\"_ws.malformed\"") {
                self.fault("malformed");
            }
        }
        let indent = line.len() - line.trim_start().len();
        let Some(name) = attribute(line, "<field name").filter(|_| self.is_inside) else { return };
        if indent == 4 {
            self.is_in_head = name == "sip.msg_hdr";
        }
        let number = |name| attribute(line, name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        let (at, length) = (number(" pos").saturating_sub(BEFORE), number(" size"));
        if name == "_ws.expert.severity" && line.contains(&format!("show=\"{ERROR}\"")) {
            self.fault("error");
        }
        if name == "_ws.expert" && line.contains("(Error") {
            self.fault(attribute(line, " showname").unwrap_or_default());
        }
        let number_of = self.found.len() - 1;
        let octets_of = |range: Range<usize>| self.messages[number_of].get(range);
        let octets = octets_of(at..at + length).unwrap_or_default();
        let view = &mut self.found[number_of].view;
        let text = Some(trimmed(octets).to_vec());
        match name {
            // It reads parameters without looking for quotation marks.
            "sip.from.tag" | "sip.to.tag" | "sip.Via.branch" if octets.contains(&b'"') => {}
            "sip.from.tag" => view.from_tag = text,
            "sip.to.tag" => view.to_tag = text,
            // Of the first Via, of which it may not have read the name, or a branch with white space around it.
            "sip.Via.branch" if view.count("Via") > 1 => {}
            "sip.Via.branch" if octets_of(self.line_at..at).is_some_and(|before| before.contains(&b',')) => {}
            "sip.Via.branch" => view.branch = text,
            "sip.CSeq.seq" => {
                let number = String::from_utf8_lossy(octets).trim().parse().unwrap_or(u32::MAX);
                view.cseq = Some((number, Vec::new()));
            }
            "sip.CSeq.method" => {
                let number = view.cseq.as_ref().map_or(u32::MAX, |cseq| cseq.0);
                view.cseq = Some((number, trimmed(octets).to_vec()));
            }
            "sip.msg_body" => view.body_octets = Some(length),
            "sip.unrecognized_header" => {
                let shown = attribute(line, " showname").unwrap_or_default();
                let name = shown.split_once('(').map_or("", |(_, rest)| rest.strip_suffix(')').unwrap_or(rest));
                // It reads no name that white space follows; that is what the name was all the same.
                if let Some((found, _)) = view.headers.last_mut() {
                    *found = name_of(trimmed(unescaped(name).as_bytes()));
                }
            }
            // The header lines themselves; what is in them is indented further.
            _ if self.is_in_head
                && indent == 6
                && length > 0
                && name != "sip.call_id_generated"
                && !name.starts_with("_ws.") =>
            {
                let colon = octets.iter().position(|octet| *octet == b':').map_or(0, |colon| colon + 1);
                let value = trimmed(&octets[colon..]).to_vec();
                if name == "sip.Call-ID" {
                    view.call_id = Some(value.clone());
                }
                view.headers.push((as_we_say(name), value));
                self.line_at = at;
            }
            _ => {}
        }
    }

    fn fault(&mut self, what: &str) {
        self.found.last_mut().unwrap().faults.push(what.to_owned());
    }
}

/// The header a field of tshark stands for.
fn as_we_say(field: &str) -> String {
    let name = field.strip_prefix("sip.").unwrap_or(field);
    let name = match name {
        "uui" => "User-to-User",
        "ETag" => "SIP-ETag",
        "If_Match" => "SIP-If-Match",
        "Referred-by" => "Referred-By",
        "Identity-info" => "Identity-Info",
        name => name,
    };
    name_of(name.as_bytes())
}

/// The value of an attribute, `name` with what stands before it.
fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

fn unescaped(text: &str) -> String {
    text.replace("\\t", "\t").replace("&apos;", "'").replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&")
}
