//! Scenarios of SIPp put together step by step, for what a file of its own would be too much.

/// The steps so far.
#[derive(Clone)]
pub(crate) struct Script {
    steps: String,
    cseq: u32,
    /// The INVITE it took has the mark of a phone.
    is_marked: bool,
}

/// The description a script's offers and answers carry.
const SDP: &str = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio 40000 RTP/AVP 18 101\n\
    a=rtpmap:18 G729/8000\na=rtpmap:101 telephone-event/8000\n";

/// Whether a message carries a description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Sdp,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self { steps: String::new(), cseq: 0, is_marked: false }
    }

    /// The scenario as SIPp reads it.
    pub(crate) fn text(&self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"script\">\n{}</scenario>\n", self.steps)
    }

    fn step(mut self, step: &str) -> Self {
        self.steps.push_str(step);
        self
    }

    fn message(self, repeats: bool, head: &str, content_type: &str, body: &str) -> Self {
        let retrans = if repeats { " retrans=\"500\"" } else { "" };
        let body = if body.is_empty() {
            "Content-Length: 0\n\n".to_owned()
        } else {
            format!("Content-Type: {content_type}\nContent-Length: [len]\n\n{body}")
        };
        self.step(&format!("  <send{retrans}>\n    <![CDATA[\n\n{head}{body}\n]]>\n  </send>\n"))
    }

    fn sdp(body: Body) -> &'static str {
        if body == Body::Sdp { SDP } else { "" }
    }

    /// The head of a request of a caller.
    fn head(method: &str, uri: &str, cseq: u32, headers: &str) -> String {
        let is_first = method == "INVITE" && cseq == 1;
        let (routes, tag) = if is_first { ("", "") } else { ("[routes]\n", "[peer_tag_param]") };
        format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]\n{routes}\
             Max-Forwards: 70\nFrom: <sip:5002@[local_ip]>;tag=c[pid]x[call_number]\nTo: <sip:x@[remote_ip]>{tag}\n\
             Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:5002@[local_ip]:[local_port]>\n{headers}"
        )
    }

    /// A caller's INVITE with an offer.
    pub(crate) fn invite(self, uri: &str, headers: &str) -> Self {
        self.invite_with(uri, headers, "application/sdp", SDP)
    }

    /// A caller's INVITE with a body of its own.
    pub(crate) fn invite_with(mut self, uri: &str, headers: &str, content_type: &str, body: &str) -> Self {
        self.cseq = 1;
        self.message(true, &Self::head("INVITE", uri, 1, headers), content_type, body)
    }

    /// A caller's request within its call, to the target of the call.
    pub(crate) fn request(self, method: &str, headers: &str, body: Body) -> Self {
        self.request_to(method, "[next_url]", headers, body)
    }

    /// The same to another target.
    pub(crate) fn request_to(mut self, method: &str, uri: &str, headers: &str, body: Body) -> Self {
        self.cseq += 1;
        let head = Self::head(method, uri, self.cseq, headers);
        self.message(true, &head, "application/sdp", Self::sdp(body))
    }

    /// The caller's ACK of a 2xx.
    pub(crate) fn ack(self, body: Body) -> Self {
        let head = Self::head("ACK", "[next_url]", 1, "");
        self.message(false, &head, "application/sdp", Self::sdp(body))
    }

    /// The caller's ACK of a failure.
    pub(crate) fn ack_failure(self, uri: &str) -> Self {
        let head = format!(
            "ACK {uri} SIP/2.0\n[last_Via:]\nMax-Forwards: 70\n[last_From:]\n[last_To:]\nCall-ID: [call_id]\n\
             CSeq: 1 ACK\n"
        );
        self.message(false, &head, "", "")
    }

    /// Hangs up, and is told that this is understood.
    pub(crate) fn bye(self) -> Self {
        self.request("BYE", "", Body::None).expect(200)
    }

    /// A response that must come. Those to the first INVITE make the dialog: their routes are kept.
    pub(crate) fn expect(self, status: u16) -> Self {
        let keeps = if self.cseq <= 1 { " rrs=\"true\"" } else { "" };
        self.step(&format!("  <recv response=\"{status}\"{keeps}/>\n"))
    }

    /// A response that may come.
    pub(crate) fn may_hear(self, status: u16) -> Self {
        self.step(&format!("  <recv response=\"{status}\" optional=\"true\"/>\n"))
    }

    /// A request that must come.
    pub(crate) fn awaits(self, method: &str) -> Self {
        self.step(&format!("  <recv request=\"{method}\"/>\n"))
    }

    pub(crate) fn pause(self, ms: u32) -> Self {
        self.step(&format!("  <pause milliseconds=\"{ms}\"/>\n"))
    }

    /// A response of who is called to the request that came last. A 2xx is repeated until its ACK, others once.
    pub(crate) fn reply(self, status: u16, headers: &str, body: Body) -> Self {
        self.answer(status, "[last_CSeq:]", headers, body, false)
    }

    /// The answer to the INVITE, repeated until its ACK.
    pub(crate) fn answers(self, status: u16, headers: &str, body: Body) -> Self {
        self.answer(status, "[last_CSeq:]", headers, body, true)
    }

    fn answer(self, status: u16, cseq: &str, headers: &str, body: Body, repeats: bool) -> Self {
        let head = format!(
            "SIP/2.0 {status} So\n[last_Via:]\n[last_From:]\n[last_To:];tag=g[pid]x[call_number]\n[last_Call-ID:]\n\
             {cseq}\n[last_Record-Route:]\nContact: <sip:gateway@[local_ip]:[local_port]>\n{headers}"
        );
        self.message(repeats, &head, "application/sdp", Self::sdp(body))
    }

    /// The answer to a request within the call.
    pub(crate) fn agrees(self, headers: &str, body: Body) -> Self {
        let head = format!(
            "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
             Contact: <sip:gateway@[local_ip]:[local_port]>\n{headers}"
        );
        self.message(false, &head, "application/sdp", Self::sdp(body))
    }

    /// The answer to a request within the call, when it is no.
    pub(crate) fn within(self, status: u16) -> Self {
        let head =
            format!("SIP/2.0 {status} No\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n");
        self.message(false, &head, "", "")
    }

    /// Keeps what a later response to the INVITE that just came is made of; the node added one Via and one Record-Route.
    pub(crate) fn keeps(self) -> Self {
        self.keeps_of(&[
            ("Via:", 1, "via1"),
            ("Via:", 2, "via2"),
            ("Record-Route:", 1, "rr"),
            ("From:", 1, "from"),
            ("To:", 1, "to"),
        ])
    }

    /// Keeps headers of the INVITE that just came: which one, its place among those of its name, and a name for it.
    fn keeps_of(mut self, kept: &[(&str, u8, &str)]) -> Self {
        let actions: String = kept
            .iter()
            .map(|(header, occurrence, name)| {
                format!(
                    "<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}\" occurrence=\"{occurrence}\" assign_to=\"{name}\"/>"
                )
            })
            .collect();
        let end = "<recv request=\"INVITE\"/>\n";
        assert!(self.steps.ends_with(end), "an INVITE came last");
        self.steps.truncate(self.steps.len() - end.len());
        self.step(&format!("<recv request=\"INVITE\"><action>{actions}</action></recv>\n"))
    }

    /// Keeps, under a name, what an INVITE that just came is sent on or refused with; `vias` of them led here.
    pub(crate) fn keeps_as(self, name: &str, vias: u8) -> Self {
        let named = |part: &str| format!("{name}_{part}");
        let ways: Vec<_> = (1..=vias).map(|place| (place, named(&format!("via{place}")))).collect();
        let (from, to) = (named("from"), named("to"));
        let mut kept: Vec<_> = ways.iter().map(|(place, name)| ("Via:", *place, name.as_str())).collect();
        kept.extend([("From:", 1, from.as_str()), ("To:", 1, to.as_str())]);
        self.keeps_of(&kept)
    }

    fn vias_of(name: &str, vias: u8) -> String {
        (1..=vias).map(|place| format!("Via:[${name}_via{place}]\n")).collect()
    }

    /// Sends on an INVITE kept under that name as it came: a Via more, and that many hops left.
    pub(crate) fn sends_on(self, name: &str, vias: u8, hops: u8) -> Self {
        let kept = Self::vias_of(name, vias);
        let head = format!(
            "INVITE sip:5002@[local_ip]:[local_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{name}\n{kept}\
             Max-Forwards: {hops}\nFrom:[${name}_from]\nTo:[${name}_to]\nCall-ID: [call_id]\nCSeq: 1 INVITE\n\
             Contact: <sip:5002@[local_ip]:5070>\n"
        );
        self.message(false, &head, "", "")
    }

    /// Acknowledges the failure of what was sent on under that name.
    pub(crate) fn ack_of(self, name: &str) -> Self {
        let head = format!(
            "ACK sip:5002@[local_ip]:[local_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{name}\n\
             Max-Forwards: 70\n[last_From:]\n[last_To:]\nCall-ID: [call_id]\nCSeq: 1 ACK\n"
        );
        self.message(false, &head, "", "")
    }

    /// Refuses an INVITE kept under that name.
    pub(crate) fn refuses(self, name: &str, vias: u8, status: u16) -> Self {
        let kept = Self::vias_of(name, vias);
        let head = format!(
            "SIP/2.0 {status} No\n{kept}From:[${name}_from]\nTo:[${name}_to];tag=p{name}\nCall-ID: [call_id]\n\
             CSeq: 1 INVITE\n"
        );
        self.message(false, &head, "", "")
    }

    /// A response to the INVITE kept before.
    pub(crate) fn kept(self, status: u16, headers: &str, body: Body) -> Self {
        let head = format!(
            "SIP/2.0 {status} So\nVia:[$via1]\nVia:[$via2]\nRecord-Route:[$rr]\nFrom:[$from]\n\
             To:[$to];tag=g[pid]x[call_number]\nCall-ID: [call_id]\nCSeq: 1 INVITE\n\
             Contact: <sip:gateway@[local_ip]:[local_port]>\n{headers}"
        );
        self.message(false, &head, "application/sdp", Self::sdp(body))
    }

    /// Another number of hops for the request that was sent last.
    pub(crate) fn hops(mut self, left: u8) -> Self {
        let line = "Max-Forwards: 70\n";
        let at = self.steps.rfind(line).expect("a request was sent");
        self.steps.replace_range(at..at + line.len(), &format!("Max-Forwards: {left}\n"));
        self
    }

    /// A caller's request outside a dialog.
    pub(crate) fn asks(self, method: &str, uri: &str, headers: &str) -> Self {
        self.asks_by("[local_ip]:[local_port]", method, uri, headers)
    }

    /// The same with a Via that names somebody else.
    pub(crate) fn asks_by(mut self, via: &str, method: &str, uri: &str, headers: &str) -> Self {
        self.cseq += 1;
        let head = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] {via};branch=[branch]\nMax-Forwards: 70\n\
             From: <sip:5002@[local_ip]>;tag=c[pid]x[call_number]\nTo: <{uri}>\nCall-ID: [call_id]\n\
             CSeq: {0} {method}\nContact: <sip:5002@[local_ip]:[local_port]>\n{headers}",
            self.cseq
        );
        self.message(false, &head, "", "")
    }

    /// Gives up the INVITE it began with.
    pub(crate) fn cancel(self, uri: &str, headers: &str) -> Self {
        let head = format!(
            "CANCEL {uri} SIP/2.0\n[last_Via:]\nMax-Forwards: 70\n[last_From:]\nTo: <sip:x@[remote_ip]>\n\
             Call-ID: [call_id]\nCSeq: 1 CANCEL\n{headers}"
        );
        self.message(true, &head, "", "")
    }

    /// A caller's request as a strict router hands it on: `next` as its target, the call's own target in the last Route.
    pub(crate) fn request_strictly(mut self, method: &str, next: &str) -> Self {
        self.cseq += 1;
        let head = Self::head(method, next, self.cseq, "").replace("[routes]\n", "Route: <[next_url]>\n");
        self.message(true, &head, "", "")
    }

    /// Asks, with every request so far, to be told the load of who answers (RFC 7339 section 4).
    pub(crate) fn asking(mut self) -> Self {
        self.steps = self.steps.replace(";branch=[branch]\n", ";branch=[branch];oc;oc-algo=\"loss\"\n");
        self
    }

    /// Who is called answers the INVITE that just came and tells its load: `report` stands in the node's Via, in place of
    /// what asked for it.
    pub(crate) fn reports(mut self, status: u16, report: &str) -> Self {
        let end = "<recv request=\"INVITE\"/>\n";
        assert!(self.steps.ends_with(end), "an INVITE came last");
        self.steps.truncate(self.steps.len() - end.len());
        let way = |regexp, place, name| {
            format!(
                "<ereg regexp=\"{regexp}\" search_in=\"hdr\" header=\"Via:\" occurrence=\"{place}\" assign_to=\"{name}\"/>"
            )
        };
        let kept = way(".*;branch=[^;]*", 1, "ours") + &way(".*", 2, "theirs");
        let head = format!(
            "SIP/2.0 {status} So\nVia:[$ours]{report}\nVia:[$theirs]\n[last_From:]\n[last_To:];tag=g[pid]x[call_number]\n\
             [last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]\nContact: <sip:gateway@[local_ip]:[local_port]>\n"
        );
        let step = format!("<recv request=\"INVITE\"><action>{kept}</action></recv>\n");
        self.step(&step).message(false, &head, "", "")
    }

    /// A phone's REGISTER of alice with that Contact.
    pub(crate) fn registers(mut self, contact: &str) -> Self {
        self.cseq += 1;
        let head = format!(
            "REGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70\n\
             From: <sip:5001@[remote_ip]>;tag=r[pid]x[call_number]\nTo: <sip:5001@[remote_ip]>\nCall-ID: [call_id]\n\
             CSeq: {} REGISTER\nContact: {contact}\nSupported: path\nExpires: 3600\n",
            self.cseq
        );
        self.message(true, &head, "", "")
    }

    /// A registrar's answer to a REGISTER with one Contact: that binding, for so long.
    pub(crate) fn grants(self, seconds: u32) -> Self {
        let head = format!(
            "SIP/2.0 200 OK\n[last_Via:]\n[last_Path:]\n[last_From:]\n[last_To:];tag=g[pid]x[call_number]\n\
             [last_Call-ID:]\n[last_CSeq:]\n[last_Contact:];expires={seconds}\n"
        );
        self.message(false, &head, "", "")
    }

    /// A redirection of the INVITE that just came, with those headers alone.
    pub(crate) fn redirects(self, headers: &str) -> Self {
        let head = format!(
            "SIP/2.0 302 Moved Temporarily\n[last_Via:]\n[last_From:]\n[last_To:];tag=m[pid]x[call_number]\n\
             [last_Call-ID:]\n[last_CSeq:]\n{headers}"
        );
        self.message(false, &head, "", "")
    }

    /// And then those steps.
    pub(crate) fn then(self, next: &Self) -> Self {
        self.step(&next.steps)
    }

    /// Keeps what a proxy needs of a phone's INVITE that just came through the node, which marked it.
    pub(crate) fn takes(mut self) -> Self {
        self.is_marked = true;
        self.takes_these(&[("Call-Info:", 1, "phone")])
    }

    /// The same of an INVITE that is no phone's.
    pub(crate) fn takes_unmarked(self) -> Self {
        self.takes_these(&[])
    }

    fn takes_these(self, more: &[(&str, u8, &str)]) -> Self {
        let kept = [
            ("Via:", 1, "way1"),
            ("Via:", 2, "way2"),
            ("Record-Route:", 1, "route"),
            ("From:", 1, "caller"),
            ("To:", 1, "called"),
            ("Contact:", 1, "contact"),
        ];
        self.keeps_of(&[&kept, more].concat())
    }

    /// Sends the INVITE it took to that target, as a proxy that keeps out of the dialog; `branch` is one of its own.
    pub(crate) fn forwards(self, branch: &str, uri: &str, headers: &str) -> Self {
        let mark = if self.is_marked { "Call-Info:[$phone]\n" } else { "" };
        let head = format!(
            "INVITE {uri} SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch}\n\
             Via:[$way1]\nVia:[$way2]\nRecord-Route:[$route]\nMax-Forwards: 60\nFrom:[$caller]\nTo:[$called]\n\
             Call-ID: [call_id]\nCSeq: 1 INVITE\nContact:[$contact]\n{mark}{headers}"
        );
        // The offer of the scenarios: a proxy passes on what it got, and the cap has to hold in each pass by itself.
        self.message(false, &head, "application/sdp", "{offer}\n")
    }

    /// Passes back the response to the INVITE it forwarded that came last.
    pub(crate) fn returns(self, status: u16, body: Body) -> Self {
        let head = format!(
            "SIP/2.0 {status} So\nVia:[$way1]\nVia:[$way2]\n[last_Record-Route:]\n[last_From:]\n[last_To:]\n\
             [last_Call-ID:]\n[last_CSeq:]\n[last_Contact:]\n"
        );
        self.message(false, &head, "application/sdp", Self::sdp(body))
    }

    /// A request of who was called, before or after it answered; it kept the INVITE by `keeps_caller`.
    pub(crate) fn asks_back(self, method: &str, headers: &str) -> Self {
        let head = format!(
            "{method} [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n[routes]\n\
             Max-Forwards: 70\nFrom:[$to];tag=g[pid]x[call_number]\nTo:[$from]\nCall-ID: [call_id]\n\
             CSeq: 1 {method}\nContact: <sip:gateway@[local_ip]:[local_port]>\n{headers}"
        );
        self.message(true, &head, "", "")
    }

    /// Learns, from the INVITE it kept, where the caller is (RFC 3261 section 12.1.1).
    pub(crate) fn keeps_caller(mut self) -> Self {
        self = self.keeps();
        let at = self.steps.rfind("<recv request=\"INVITE\">").expect("an INVITE was kept");
        self.steps.insert_str(at + "<recv request=\"INVITE\"".len(), " rrs=\"true\"");
        self
    }

    /// As `sips` over TLS: the scenario's stream is plain, and somebody beside it encrypts it and has the port.
    pub(crate) fn securely(mut self) -> Self {
        for (plain, secret) in [("[transport]", "TLS"), ("[local_port]", "5061"), ("<sip:", "<sips:")] {
            self.steps = self.steps.replace(plain, secret);
        }
        self
    }

    /// Rings, answers, and is hung up on.
    pub(crate) fn answering(headers: &str) -> Self {
        let rings = Self::new().awaits("INVITE").reply(180, "", Body::None).pause(50);
        rings.answers(200, headers, Body::Sdp).awaits("ACK").awaits("BYE").agrees("", Body::None)
    }

    /// Calls, talks for a moment and hangs up.
    pub(crate) fn calling(uri: &str, headers: &str) -> Self {
        let calls = Self::new().invite(uri, headers).may_hear(100).may_hear(180).may_hear(183);
        calls.expect(200).ack(Body::None).pause(50).bye()
    }
}
