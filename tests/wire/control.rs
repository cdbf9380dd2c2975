//! Overload control between the node and its neighbours, as the wire has it (RFC 7339).

use emcc_trunk::sip::Name;

use crate::ground::{Ground, answer, call_id, status, text, with};
use crate::line::{Line, TCP_V4, UDP_V4, Wire};

/// What a Via has at its end that asks for reports.
const ASKING: &str = ";oc;oc-algo=\"loss\"";

/// The same request with a top Via that asks for reports.
fn asking(request: &[u8]) -> Vec<u8> {
    let text = text(request);
    let via = text.lines().find(|line| line.starts_with("Via: ")).unwrap();
    text.replacen(via, &format!("{via}{ASKING}"), 1).into_bytes()
}

/// The top Via of a message.
fn top_via(octets: &[u8]) -> String {
    with(octets, |message| text(message.values(Name::Via).next().unwrap().text))
}

/// The value of a parameter of a Via.
fn param(via: &str, name: &str) -> Option<String> {
    via.split(';').find_map(|param| param.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

fn reports(test: &str, line: Line) {
    let mut ground = Ground::new(test, line);
    // Longer than its answer: to an address that has not shown that it hears us no answer is longer than the question.
    let padding = format!("Subject: {}\r\n", "x".repeat(400));
    let (own, routes) = (format!("sip:{}", ground.sip), format!("{}{padding}", ground.routes()));
    let own = asking(&ground.request("OPTIONS", &own, &padding));
    ground.near.send(&own);
    let via = top_via(&ground.near.next().unwrap());
    assert_eq!(param(&via, "oc").as_deref(), Some("0"), "section 4.1: {via}");
    assert_eq!(param(&via, "oc-algo").as_deref(), Some("\"loss\""), "section 4.3: {via}");
    assert_eq!(param(&via, "oc-validity").as_deref(), Some("0"), "section 4.2: {via}");
    let first: f64 = param(&via, "oc-seq").unwrap().parse().unwrap();
    // An answer that only passes by has it too, and what asked for it went on as it came.
    let passing = asking(&ground.request("OPTIONS", "sip:x@example.com", &routes));
    ground.near.send(&passing);
    let heard = ground.far.next().unwrap();
    assert!(text(&heard).contains(ASKING), "{}", text(&heard));
    assert!(!top_via(&heard).contains(";oc"), "a gateway is not asked: {}", text(&heard));
    ground.far.send(&answer(&heard, 200));
    let via = top_via(&ground.near.next().unwrap());
    assert_eq!(param(&via, "oc").as_deref(), Some("0"), "{via}");
    assert!(param(&via, "oc-seq").unwrap().parse::<f64>().unwrap() >= first, "section 4.4: {via}");
    // Who does not ask is told nothing.
    let plain = ground.options();
    ground.near.send(&plain);
    assert!(!text(&ground.near.next().unwrap()).contains(";oc"));
    // A node that drains, here with a call that rings, wants nothing new.
    let invite = ground.request("INVITE", "sip:x@example.com", &routes);
    ground.near.send(&invite);
    let heard = ground.far.next().unwrap();
    ground.far.send(&answer(&heard, 180));
    assert_eq!([ground.near.next().unwrap(), ground.near.next().unwrap()].map(|told| status(&told)), [100, 180]);
    ground.node.signal("TERM");
    ground.node.log_line("draining: ");
    let refused = asking(&ground.request("OPTIONS", "sip:x@example.com", &routes));
    ground.near.send(&refused);
    let told = ground.near.next().unwrap();
    assert_eq!((status(&told), param(&top_via(&told), "oc").as_deref()), (503, Some("100")), "{}", text(&told));
}

#[test]
fn rfc_7339_4_the_node_reports_its_load_to_who_asks_over_udp() {
    reports("reports-udp", UDP_V4);
}

#[test]
fn rfc_7339_4_the_node_reports_its_load_to_who_asks_over_tcp() {
    reports("reports-tcp", TCP_V4);
}

fn obeys(test: &str, line: Line) {
    let mut ground = Ground::with_peers(test, line, &[("cc", "call-control"), ("other", "call-control")]);
    let routes = ground.routes();
    let invite = |ground: &mut Ground, more: &str| {
        let contact = format!("Contact: <sip:cc@{}>\r\n{more}{routes}", ground.near_at);
        let invite = ground.request("INVITE", "sip:x@example.com", &contact);
        ground.near.send(&invite);
        call_id(&invite)
    };
    let first = invite(&mut ground, "");
    let heard = ground.far.next().unwrap();
    let via = top_via(&heard);
    assert!(call_id(&heard) == first && via.ends_with(ASKING), "section 5.1: {via}");
    let said = via.replace(ASKING, ";oc=100;oc-algo=\"loss\";oc-validity=60000;oc-seq=1.1");
    let report = text(&answer(&heard, 486)).replacen(&via, &said, 1);
    ground.far.send(report.as_bytes());
    let told = [ground.near.next().unwrap(), ground.near.next().unwrap()].map(|octets| status(&octets));
    assert_eq!(told, [100, 486]);
    assert!(text(&ground.far.next().unwrap()).starts_with("ACK "), "section 5.10.1: never held back");
    // All of what is new and ordinary is spared that neighbour, and its caller learns that it was not this node.
    let spared = invite(&mut ground, "");
    let told = loop {
        let told = ground.near.next().unwrap();
        if call_id(&told) == spared && status(&told) >= 200 {
            break told;
        }
    };
    assert_eq!(status(&told), 500, "section 5.6 and RFC 3261 section 16.7: {}", text(&told));
    assert!(text(&told).contains("\r\nRetry-After: 1\r\n"), "{}", text(&told));
    // Who was given priority goes there all the same; nothing else came in between.
    let kept = invite(&mut ground, "Resource-Priority: ets.0\r\n");
    let heard = ground.far.next().unwrap();
    assert_eq!(call_id(&heard), kept, "{}", text(&heard));
    // An older report counts for nothing, a newer one ends it.
    let via = top_via(&heard);
    for (sequence, loss) in [("0.9", 100), ("1.2", 0)] {
        let said = via.replace(ASKING, &format!(";oc={loss};oc-algo=\"loss\";oc-validity=60000;oc-seq={sequence}"));
        ground.far.send(text(&answer(&heard, 180)).replacen(&via, &said, 1).as_bytes());
        while with(&ground.near.next().unwrap(), |message| message.status()) != Some(180) {}
    }
    let last = invite(&mut ground, "");
    assert_eq!(call_id(&ground.far.next().unwrap()), last, "section 4.2");
}

#[test]
fn rfc_7339_5_what_a_neighbour_reports_is_obeyed_over_udp() {
    obeys("obeys-udp", UDP_V4);
}

#[test]
fn rfc_7339_5_what_a_neighbour_reports_is_obeyed_over_tcp() {
    obeys("obeys-tcp", TCP_V4);
}
