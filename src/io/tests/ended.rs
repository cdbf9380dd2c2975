//! Streams that end, and whose requests went by them.

use super::*;

#[test]
fn rfc_3261_17_1_4_whose_requests_were_written_to_a_connection_hears_of_its_end() {
    let world = World::new(1);
    let listener = TcpListener::bind("127.0.0.4:0").unwrap();
    let to = listener.local_addr().unwrap();
    for reset in [false, true] {
        world.tell(&format!("send tcp {TCP} {to} 2 0"));
        let mut stream = listener.accept().unwrap().0;
        read_exactly(&mut stream, "message 0\nmessage 1\n");
        let stream = Socket::from(stream);
        stream.set_linger(reset.then_some(Duration::ZERO)).unwrap();
        drop(stream);
        assert_eq!([world.next(), world.next()], [Seen::Ended(0), Seen::Ended(1)], "reset: {reset}");
    }
    assert_eq!(world.counted("emcc_sip_send_failures_total{transport=\"tcp\"}"), 0, "they were sent");
}
