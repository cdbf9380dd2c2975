//! Messages leave as they came, byte for byte, apart from the lines that must change.

use crate::node::{CC_HQ, GW_HQ, HQ, Node, Sent};
use crate::wire::{Request, alice, answer, audio, bob, stand};

/// The branch of our own Via, which no test can know beforehand, with what asks a trunk for its load (RFC 7339).
fn our_branch(sent: &Sent) -> String {
    let via = sent.header("Via");
    let (_, branch) = via.split_once("branch=").expect("ours has a branch");
    let id = branch.strip_suffix(";oc;oc-algo=\"loss\"").unwrap_or(branch);
    assert!(id.starts_with("z9hG4bK-emcc-") && id.len() == 13 + 16 + 8, "{branch}");
    branch.to_owned()
}

/// Bytes compared as text in which every odd octet shows.
fn assert_same(sent: &Sent, expected: &[u8]) {
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string().replace("\\r\\n", "\n");
    assert_eq!(show(&sent.bytes), show(expected));
}

fn bytes_of(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const ODD_HEADERS: &[u8] = b"X-Odd :  two  spaces \xff\xfe\x80 and a tab\t\r\n\
    Subject: folded\r\n  over\r\n\tlines\r\n\
    k: 100rel,timer\r\n\
    x-emcc;strange=1\x01:v\r\n";

fn odd_invite(body: &str) -> Vec<u8> {
    bytes_of(&[
        b"INVITE sip:901614960000@127.0.1.1:5060 SIP/2.0\r\n\
          v:SIP/2.0/UDP 127.0.1.10:5060 ;branch=z9hG4bK-odd , SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-0;received=10.1.1.1\r\n\
          ROUTE: <sip:127.0.1.1:5060;lr>\r\n\
          max-forwards:70\r\n\
          record-route: <sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>\r\n\
          f: \"A, <B>\" <sip:5001@127.0.1.10>;tag=a1\r\n\
          t:<sip:901614960000@127.0.1.1>\r\n\
          i: odd-1\r\n\
          CSeq: 007 INVITE\r\n\
          m: <sip:5001@127.0.1.10>\r\n\
          Call-Info: <http://x.example/me.png>;purpose=icon, <urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ\r\n",
        b"X-Odd :  two  spaces \xff\xfe\x80 and a tab\t\r\nSubject: folded\r\n  over\r\n\tlines\r\nk: 100rel,timer\r\n",
        format!("c: application/sdp\r\nl: {}\r\n\r\n{body}", body.len()).as_bytes(),
    ])
}

#[test]
fn an_invite_over_the_trunk_changes_only_the_lines_that_must() {
    let mut node = Node::hq_with(&[("[[remote_cluster]]\n", "[[remote_cluster]]\nsend_geolocation = false\n")]);
    let body = audio("18 101");
    let sent = node.hear(CC_HQ, odd_invite(&body)).the("INVITE");
    let expected = bytes_of(&[
        b"INVITE sip:01614960000@127.0.2.1:5060 SIP/2.0\r\n",
        format!("Via: SIP/2.0/UDP 127.0.1.1:5060;branch={}\r\n", our_branch(&sent)).as_bytes(),
        b"v:SIP/2.0/UDP 127.0.1.10:5060 ;branch=z9hG4bK-odd , SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-0;received=10.1.1.1\r\n\
          max-forwards:69\r\n\
          Record-Route: <sip:127.0.1.1:5060;lr>\r\n\
          record-route: <sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>\r\n\
          f: \"A, <B>\" <sip:5001@127.0.1.10>;tag=a1\r\n\
          t:<sip:901614960000@127.0.1.1>\r\n\
          i: odd-1\r\n\
          CSeq: 007 INVITE\r\n\
          m: <sip:5001@127.0.1.10>\r\n\
          Call-Info: <http://x.example/me.png>;purpose=icon\r\n",
        b"X-Odd :  two  spaces \xff\xfe\x80 and a tab\t\r\nSubject: folded\r\n  over\r\n\tlines\r\nk: 100rel,timer\r\n",
        format!("c: application/sdp\r\nl: {}\r\n", body.len()).as_bytes(),
        b"Max-Breadth: 60\r\nSession-Expires: 1800\r\n",
        b"Call-Info: <urn:emcc:device:SEP001122334455>;purpose=emcc-device;cluster=HQ\r\n\r\n",
        body.as_bytes(),
    ]);
    assert_same(&sent, &expected);
}

#[test]
fn a_200_loses_our_via_and_nothing_else() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, odd_invite(&audio("18"))).the("INVITE");
    let body = audio("18");
    let write = |ours: &str| {
        bytes_of(&[
            b"SIP/2.0 200   Fine by \xc3\xa9 me\r\n",
            ours.as_bytes(),
            b"v: SIP/2.0/UDP 127.0.1.10:5060 ;branch=z9hG4bK-odd , SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-0\r\n\
              record-route: <sip:127.0.1.1:5060;lr>, <sip:10.0.0.9;lr>\r\n\
              X-Odd :  \xff\xfe\r\n\
              f: \"A, <B>\" <sip:5001@127.0.1.10>;tag=a1\r\n\
              t:<sip:901614960000@127.0.1.1>;tag=b1\r\n\
              i: odd-1\r\n\
              CSeq: 007 INVITE\r\n\
              x: 1800;refresher=uac\r\n\
              Contact: <sip:gw@127.0.2.20>\r\n",
            format!("c: application/sdp\r\nl: {}\r\n\r\n{body}", body.len()).as_bytes(),
        ])
    };
    let ours = format!("V : SIP/2.0/UDP 127.0.1.1:5060;branch={}\r\n", our_branch(&sent));
    assert_same(&node.hear(sent.to, write(&ours)).the("200"), &write(""));
}

#[test]
fn a_via_of_ours_on_one_line_with_others_is_cut_out_of_it() {
    let mut node = Node::hq();
    let sent = node.hear(CC_HQ, odd_invite(&audio("18"))).the("INVITE");
    let ours = format!("SIP/2.0/UDP 127.0.1.1:5060;branch={},", our_branch(&sent));
    let write = |ours: &str| {
        format!(
            "SIP/2.0 180 Ringing\r\nVia: {ours}SIP/2.0/UDP 127.0.1.10:5060;branch=z9hG4bK-odd\r\n\
             From: <sip:5001@127.0.1.10>;tag=a1\r\nTo: <sip:901614960000@127.0.1.1>;tag=b1\r\nCall-ID: odd-1\r\n\
             CSeq: 007 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
    };
    assert_same(&node.hear(sent.to, write(&ours)).the("180"), write("").as_bytes());
}

#[test]
fn a_bye_changes_route_via_and_max_forwards_alone() {
    let mut node = Node::hq();
    let mut call = stand(&mut node, bob("912025550123").body(&audio("0")), &audio("0"));
    let mut bye = call.caller.request("BYE");
    bye.more = vec![
        "Route: <sip:127.0.1.1:5060;lr> , <sip:127.0.1.20:5060;lr>".to_owned(),
        "X-Odd :  \u{fe}".to_owned(),
        "Reason: Q.850;cause=16,SIP;cause=200".to_owned(),
    ];
    let sent = node.hear(CC_HQ, &bye).the("BYE");
    assert_eq!(sent.to, GW_HQ);
    let via = format!("Via: SIP/2.0/UDP 127.0.1.1:5060;branch={}\r\nVia: ", our_branch(&sent));
    let expected = bye
        .text()
        .replacen("Via: ", &via, 1)
        .replace("Max-Forwards: 70", "Max-Forwards: 69")
        .replace("Route: <sip:127.0.1.1:5060;lr> , <sip:127.0.1.20:5060;lr>", "Route: <sip:127.0.1.20:5060;lr>");
    assert_same(&sent, expected.as_bytes());
}

#[test]
fn only_the_description_inside_a_multipart_body_changes() {
    let mut node = Node::hq();
    let around = |sdp: &str| {
        format!(
            "preamble\r\n--b o\r\nContent-Type: application/pidf+xml\r\nContent-ID: <loc@x>\r\n\r\n<presence>\u{e9}\n\
             </presence>\r\n--b o\r\ncontent-type : application/sdp\r\nX-Kept: yes\r\n\r\n{sdp}\r\n--b o--\r\nepilogue\r\n"
        )
    };
    let mut invite = alice("901614960000").header("Geolocation: <cid:loc@x>").body(&around(&audio("0 18 101")));
    invite.content_type = "multipart/mixed;boundary=\"b o\"".to_owned();
    let sent = node.hear(CC_HQ, &invite).the("INVITE");
    let expected = around(&audio("18 101"));
    assert_eq!(sent.body(), expected);
    assert_eq!(sent.header("Content-Length"), expected.len().to_string());
    assert_eq!(sent.header("Content-Type"), "multipart/mixed;boundary=\"b o\"");
}

#[test]
fn a_call_without_region_policy_keeps_its_body_octet_by_octet() {
    let mut node = Node::hq();
    let body = "v=0\no=- 1 1 IN IP4 h\ns= \nm=audio 1 RTP/AVP 0 77\na=x-unknown\n";
    let sent = node.hear(CC_HQ, &bob("912025550123").body(body)).the("INVITE");
    assert_eq!(sent.body(), body);
    let reply = node.hear(GW_HQ, answer(&sent, 200, "b1", &[], body)).the("200");
    assert_eq!(reply.body(), body);
}

#[test]
fn the_source_is_noted_where_the_top_via_names_another_or_asks() {
    let mut node = Node::hq();
    let mut invite = bob("912025550123");
    let text = invite.text().replace("127.0.1.10:5060;branch", "phone.example:5060;rport;branch");
    let out = node.hear(CC_HQ, text);
    for sent in [out.the("100"), out.the("INVITE")] {
        let via = sent.headers("Via").pop().expect("the caller's");
        assert!(via.starts_with("SIP/2.0/UDP phone.example:5060;rport=5060;branch="), "{via}");
        assert!(via.ends_with(";received=127.0.1.10"), "{via}");
    }
    invite = Request::new("INVITE", CC_HQ, HQ, "5002", "912025550123");
    let via = node.hear(CC_HQ, &invite).the("INVITE").headers("Via").pop().expect("the caller's");
    assert_eq!(via, format!("SIP/2.0/UDP 127.0.1.10:5060;branch={}", invite.branch));
}

#[test]
fn a_message_with_a_control_octet_in_a_header_name_is_not_passed_on() {
    let mut node = Node::hq();
    let text = bob("912025550123").text().into_bytes();
    let at = text.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 2;
    let mut broken = text[..at].to_vec();
    broken.extend_from_slice(ODD_HEADERS);
    broken.extend_from_slice(&text[at..]);
    assert_eq!(node.hear(CC_HQ, broken).told(), ["400 to cc-hq"]);
}
