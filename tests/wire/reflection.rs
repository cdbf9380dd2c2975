//! Nothing a message says turns an answer to somebody who did not ask: a group, everybody, or this node itself.

use crate::ground::{Ground, status, text};
use crate::line::{UDP_V4, UDP_V6};

#[test]
fn answers_go_where_the_request_came_from_whatever_its_via_says() {
    let mut ground = Ground::new("reflection-v4", UDP_V4);
    for host in ["255.255.255.255", "127.255.255.255", "224.0.0.1", "0.0.0.0", "203.0.113.9", "host.example.com"] {
        for more in ["", ";maddr=224.0.0.251;ttl=255", ";received=255.255.255.255", ";rport;maddr=255.255.255.255"] {
            let own = text(&ground.options());
            let refused = text(&ground.request("OPTIONS", "sip:x@203.0.113.9", ""));
            let at = format!("UDP {};", ground.near_at);
            for (request, want) in [(own, 200), (refused, 404)] {
                ground.near.send(request.replace(&at, &format!("UDP {host}:5060{more};")).as_bytes());
                let told = ground.near.next().unwrap();
                assert_eq!(status(&told), want, "{host}{more}: {}", text(&told));
            }
        }
    }
    assert_eq!(ground.node.metric("emcc_sip_send_failures_total", &[]), 0, "no datagram was tried elsewhere");
}

#[test]
fn a_via_that_names_this_nodes_own_port_does_not_make_it_answer_itself() {
    // Call control and the node are one address here, told apart by their ports.
    let mut ground = Ground::new("reflection-v6", UDP_V6);
    let (near, own) = (format!("UDP {};", ground.near_at), format!("UDP {};", ground.sip));
    for want in [200, 404] {
        let uri = if want == 200 { format!("sip:{}", ground.sip) } else { "sip:x@[2001:db8::1]".to_owned() };
        let request = text(&ground.request("OPTIONS", &uri, "")).replace(&near, &own);
        ground.near.send(request.as_bytes());
        assert_eq!(status(&ground.near.next().unwrap()), want);
    }
    assert_eq!(ground.node.metric("emcc_sip_messages_received_total", &[]), 2, "it heard nothing of its own");
}

#[test]
fn an_ack_of_our_own_refusal_ends_here() {
    let mut ground = Ground::new("hairpin", UDP_V4);
    let routes = ground.routes();
    let invite = ground.request("INVITE", "sip:x@203.0.113.9", "");
    ground.near.send(&invite);
    let told = ground.near.next().unwrap();
    assert_eq!(status(&told), 404);
    let to =
        text(&told).lines().find_map(|line| line.strip_prefix("t:").or(line.strip_prefix("To: "))).unwrap().to_owned();
    let ack = text(&invite).replace("INVITE", "ACK");
    let old = ack.lines().find(|line| line.starts_with("To: ")).unwrap().to_owned();
    // With its tag and without, and led to the gateway by Routes that a 2xx's ACK would have.
    for more in ["", &routes] {
        for line in [format!("To: {to}"), old.clone()] {
            let ack = ack.replace(&old, &line).replace("Max-Forwards", &format!("{more}Max-Forwards"));
            ground.near.send(ack.as_bytes());
        }
    }
    ground.nothing_else("four ACKs", &[]);
}
