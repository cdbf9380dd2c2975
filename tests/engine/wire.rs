//! Messages of those around a node.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::node::{BR, CC_HQ, HQ, Node, Out, Sent};

pub(crate) const PHONE: &str = "SEP001122334455";

/// A number nobody else has: branches and Call-IDs of tests that run side by side never meet.
pub(crate) fn serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    SERIAL.fetch_add(1, Relaxed)
}

/// A request to be written.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) at: SocketAddr,
    pub(crate) transport: &'static str,
    pub(crate) branch: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) more: Vec<String>,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Request {
    /// A request outside a dialog from `at` to the number `called` at `node`.
    pub(crate) fn new(method: &str, at: SocketAddr, node: SocketAddr, caller: &str, called: &str) -> Self {
        let number = serial();
        Self {
            method: method.to_owned(),
            uri: format!("sip:{called}@{node}"),
            at,
            transport: "UDP",
            branch: format!("z9hG4bK-t{number}"),
            from: format!("<sip:{caller}@{at}>;tag=a{number}"),
            to: format!("<sip:{called}@{node}>"),
            call_id: format!("call-{number}"),
            cseq: 1,
            more: vec![format!("Contact: <sip:{caller}@{at}>")],
            content_type: "application/sdp".to_owned(),
            body: String::new(),
        }
    }

    pub(crate) fn header(mut self, line: &str) -> Self {
        self.more.push(line.to_owned());
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Marks the phone a call comes from (P-13).
    pub(crate) fn on(self, device: &str) -> Self {
        self.header(&format!("Call-Info: <urn:emcc:device:{device}>;purpose=emcc-device;cluster=HQ"))
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch={}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {} {}\r\n",
            self.method,
            self.uri,
            self.transport,
            self.at,
            self.branch,
            self.from,
            self.to,
            self.call_id,
            self.cseq,
            self.method
        );
        for line in &self.more {
            text += &format!("{line}\r\n");
        }
        text + &tail(&self.content_type, &self.body)
    }

    /// The CANCEL of this INVITE.
    pub(crate) fn cancel(&self) -> Self {
        Self { method: "CANCEL".to_owned(), more: Vec::new(), body: String::new(), ..self.clone() }
    }

    /// The ACK of a failure of this INVITE.
    pub(crate) fn ack(&self, failure: &Sent) -> Self {
        let to = failure.header("To");
        Self { method: "ACK".to_owned(), to, more: Vec::new(), body: String::new(), ..self.clone() }
    }
}

impl From<&Request> for Vec<u8> {
    fn from(request: &Request) -> Self {
        request.text().into_bytes()
    }
}

fn tail(content_type: &str, body: &str) -> String {
    let kind = if body.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A response to what a node sent, its To tag `tag`, with more header lines and a body.
pub(crate) fn answer(request: &Sent, status: u16, tag: &str, more: &[&str], body: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Said So\r\n");
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in request.headers(name) {
            let tagged = name == "To" && !value.contains(";tag=") && status > 100;
            let tag = if tagged { format!(";tag={tag}") } else { String::new() };
            text += &format!("{name}: {value}{tag}\r\n");
        }
    }
    text += &format!("Contact: <sip:callee@{}>\r\n", request.to);
    for line in more {
        text += &format!("{line}\r\n");
    }
    text + &tail("application/sdp", body)
}

/// A plain response.
pub(crate) fn says(request: &Sent, status: u16) -> String {
    answer(request, status, "b1", &[], "")
}

/// What a proxy makes of a response it passes back.
pub(crate) fn without_top_via(sent: &Sent) -> String {
    let text = sent.text();
    let at = text.find("Via: ").expect("a Via");
    let end = at + text[at..].find("\r\n").expect("its end") + 2;
    format!("{}{}", &text[..at], &text[end..])
}

/// One end of a dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) at: SocketAddr,
    local: String,
    remote: String,
    call_id: String,
    target: String,
    routes: Vec<String>,
    pub(crate) cseq: u32,
}

fn uri_of(address: &str) -> String {
    let from = address.find('<').map_or(0, |at| at + 1);
    address[from..].split('>').next().unwrap_or_default().to_owned()
}

impl Dialog {
    /// The caller's end: its INVITE and the response that came.
    pub(crate) fn of_caller(invite: &Request, answer: &Sent) -> Self {
        let mut routes = answer.headers("Record-Route");
        routes.reverse();
        Self {
            at: invite.at,
            local: invite.from.clone(),
            remote: answer.header("To"),
            call_id: invite.call_id.clone(),
            target: uri_of(&answer.header("Contact")),
            routes,
            cseq: invite.cseq,
        }
    }

    /// The callee's end: the INVITE that came and the tag it answered with.
    pub(crate) fn of_callee(invite: &Sent, tag: &str) -> Self {
        Self {
            at: invite.to,
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From"),
            call_id: invite.header("Call-ID"),
            target: uri_of(&invite.header("Contact")),
            routes: invite.headers("Record-Route"),
            cseq: 100,
        }
    }

    /// A request in the dialog; all but ACK count on.
    pub(crate) fn request(&mut self, method: &str) -> Request {
        if method != "ACK" {
            self.cseq += 1;
        }
        let mut more: Vec<_> = self.routes.iter().map(|route| format!("Route: {route}")).collect();
        more.push(format!("Contact: <sip:me@{}>", self.at));
        Request {
            method: method.to_owned(),
            uri: self.target.clone(),
            at: self.at,
            transport: "UDP",
            branch: format!("z9hG4bK-d{}", serial()),
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            more,
            content_type: "application/sdp".to_owned(),
            body: String::new(),
        }
    }
}

/// A call that stands.
pub(crate) struct Standing {
    pub(crate) caller: Dialog,
    pub(crate) callee: Dialog,
    pub(crate) caller_at: SocketAddr,
    pub(crate) callee_at: SocketAddr,
    /// The INVITE as it left the node.
    pub(crate) invite: Sent,
    /// The 200 as it left the node.
    pub(crate) answered: Sent,
}

/// Sends the INVITE, lets the hop answer with `sdp` and the caller acknowledge.
pub(crate) fn stand(node: &mut Node, invite: Request, sdp: &str) -> Standing {
    let from = invite.at;
    let out = node.hear(from, &invite);
    let sent = out.the("INVITE");
    let answered = node.hear(sent.to, answer(&sent, 200, "b1", &[], sdp)).the("200");
    let mut caller = Dialog::of_caller(&invite, &answered);
    let callee = Dialog::of_callee(&sent, "b1");
    let ack = node.hear(from, &caller.request("ACK"));
    assert_eq!(ack.told(), [format!("ACK to {}", crate::node::name(sent.to))]);
    Standing { caller, callee, caller_at: from, callee_at: sent.to, invite: sent, answered }
}

/// Hangs up from the caller's side, both ends answering.
pub(crate) fn hang_up(node: &mut Node, call: &mut Standing) {
    let bye = call.caller.request("BYE");
    let passed = node.hear(call.caller_at, &bye).the("BYE");
    assert_eq!(passed.to, call.callee_at);
    let done = node.hear(call.callee_at, says(&passed, 200)).the("200");
    assert_eq!(done.to, call.caller_at);
}

/// Alice's phone stands in London and belongs to HQ; call control names it.
pub(crate) fn alice(called: &str) -> Request {
    Request::new("INVITE", CC_HQ, HQ, "5001", called).on(PHONE)
}

/// Bob's phone stands at HQ.
pub(crate) fn bob(called: &str) -> Request {
    Request::new("INVITE", CC_HQ, HQ, "5002", called)
}

/// Alice's call as it comes over the trunk to BR.
pub(crate) fn from_hq(called: &str) -> Request {
    Request::new("INVITE", HQ, BR, "5001", called).on(PHONE)
}

/// A description of one audio line with these formats.
pub(crate) fn audio(formats: &str) -> String {
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.9.9\r\ns=-\r\nc=IN IP4 127.0.9.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP {formats}\r\n"
    );
    for format in formats.split(' ') {
        let known = match format {
            "0" => "PCMU/8000",
            "8" => "PCMA/8000",
            "9" => "G722/8000",
            "18" => "G729/8000",
            "96" => "opus/48000/2",
            "101" => "telephone-event/8000",
            _ => continue,
        };
        text += &format!("a=rtpmap:{format} {known}\r\n");
    }
    text
}

/// The same and a video line.
pub(crate) fn audio_and_video(formats: &str) -> String {
    audio(formats) + "m=video 40002 RTP/AVP 97\r\nb=AS:2000\r\na=rtpmap:97 H264/90000\r\na=sendrecv\r\n"
}

/// `out` is a refusal to the caller with that status, and its Warning and Q.850 cause.
pub(crate) fn assert_refused(out: &Out, status: u16, warning: &str, cause: &str) {
    let refusal = out.refusal();
    assert_eq!(refusal.what(), status.to_string(), "{out:#?}");
    assert!(refusal.header("Warning").starts_with(warning), "{refusal:?}");
    assert_eq!(refusal.header("Warning").is_empty(), warning.is_empty(), "{refusal:?}");
    assert!(refusal.header("Reason").starts_with(&format!("Q.850;cause={cause};text=\"")), "{refusal:?}");
}
