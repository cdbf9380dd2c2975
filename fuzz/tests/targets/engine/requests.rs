//! Requests a neighbour may send, few enough in Call-ID and tag that they meet in the node's tables.

use crate::pair::wire;

/// How many kinds there are.
pub(super) const COUNT: usize = 19;

/// Where a phone's requests come from.
pub(super) const PHONE: ([u8; 4], u16) = ([127, 0, 3, 5], 5060);

/// A request of that kind. `choice` says whose call it belongs to, which leg it means and which transaction it is.
pub(super) fn write(kind: usize, choice: u8) -> Vec<u8> {
    let call = choice & 3;
    let leg = ["", "g1", "g2", "g3"][usize::from(choice >> 2 & 3)];
    let turn = choice >> 4;
    let number = format!("000000000000000{call}");
    let text = match kind {
        0 | 1 => wire::invite(),
        2 => wire::invite().replace("902079460000", ["911", "9911", "9999", "999"][usize::from(turn) % 4]),
        3 => wire::invite().replace("5001", "5002").replace("902079460000", "5001").replace("Call-Info", "X-Info"),
        4 => without_offer(&wire::invite()),
        5 => wire::invite().replace("902079460000", "912025550100"),
        6 => within("CANCEL", 101, "i", "", ""),
        7 => within("ACK", 101, "k", leg, if turn & 1 == 0 { "" } else { wire::ANSWER }),
        8 => within("BYE", 102 + u32::from(turn), "b", leg, ""),
        9 => within("INVITE", 103 + u32::from(turn), "r", leg, wire::OFFER),
        10 => within("UPDATE", 104 + u32::from(turn), "u", leg, wire::OFFER),
        11 => within("PRACK", 105 + u32::from(turn), "p", leg, "")
            .replace("Max-Forwards", "RAck: 7 101 INVITE\r\nMax-Forwards"),
        12 => within("OPTIONS", 106 + u32::from(turn), "o", "", "")
            .replace("sip:020@127.0.2.20:5060", "sip:127.0.1.1:5060"),
        13 => within("INFO", 107 + u32::from(turn), "n", leg, "v=0\r\n"),
        14 => within("MESSAGE", 108 + u32::from(turn), "m", "", "")
            .replace("sip:020@127.0.2.20:5060", "sip:5001@127.0.1.1"),
        16 => register(turn, leg),
        17 | 18 => from_phone(&wire::invite()),
        _ => from_callee(&within(["BYE", "INVITE", "UPDATE", "ACK"][usize::from(turn) % 4], 7, "c", leg, wire::OFFER)),
    };
    text.replace("CCCCCCCCCCCCCCCC", &number).into_bytes()
}

fn within(method: &str, cseq: u32, branch: &str, leg: &str, body: &str) -> String {
    let tag = if leg.is_empty() { String::new() } else { format!(";tag={leg}") };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:020@127.0.2.20:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.1.10:5060;branch=z9hG4bK{branch}CCCCCCCCCCCCCCCC\r\n\
         Route: <sip:127.0.1.1:5060;lr>, <sip:127.0.2.1:5060;lr>\r\n\
         From: \"Alice\" <sip:5001@127.0.1.10>;tag=aCCCCCCCCCCCCCCCC\r\n\
         To: <sip:902079460000@127.0.1.1>{tag}\r\nContact: <sip:5001@127.0.1.10:5060>\r\n\
         Call-ID: CCCCCCCCCCCCCCCC@127.0.1.10\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 69\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The same from the other side: tags, Via and Routes the other way round.
fn from_callee(request: &str) -> String {
    let turned = request
        .replace("From: ", "Turned: ")
        .replace("To: ", "From: ")
        .replace("Turned: ", "To: ")
        .replace("UDP 127.0.1.10", "UDP 127.0.2.1")
        .replace("sip:020@127.0.2.20", "sip:5001@127.0.1.10");
    turned.replace(", <sip:127.0.2.1:5060;lr>", "")
}

/// A phone's REGISTER: one device or another, for an hour, no time or everything, once or again.
fn register(turn: u8, leg: &str) -> String {
    let device = ["001122334455", "00112233445A"][usize::from(turn & 1)];
    let contact = match turn >> 1 & 3 {
        0 | 1 => format!("<sip:5001@127.0.3.5:5060>;+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-{device}>\""),
        2 => "<sip:5001@127.0.3.5:5060>;expires=0".to_owned(),
        _ => "*".to_owned(),
    };
    let expires = if turn & 4 == 0 { 3_600 } else { 0 };
    format!(
        "REGISTER sip:127.0.1.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.3.5:5060;branch=z9hG4bKg{turn}{leg}CCCCCCCCCCCCCCCC\r\n\
         From: <sip:5001@127.0.1.1>;tag=pCCCCCCCCCCCCCCCC\r\nTo: <sip:5001@127.0.1.1>\r\n\
         Contact: {contact}\r\nSupported: path\r\nExpires: {expires}\r\n\
         Call-ID: CCCCCCCCCCCCCCCC@127.0.3.5\r\nCSeq: {} REGISTER\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        u32::from(turn) + 1
    )
}

/// The same from a phone's own address.
fn from_phone(request: &str) -> String {
    request.replace("127.0.1.10", "127.0.3.5")
}

fn without_offer(invite: &str) -> String {
    let head = invite.split("Content-Type").next().unwrap_or_default();
    format!("{head}Content-Length: 0\r\n\r\n")
}
