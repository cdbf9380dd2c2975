//! A next hop that says nothing to requests that set up no call (RFC 4320).

use crate::ground::{Ground, call_id, text};
use crate::line::{UDP_V4, Wire};

/// Transmissions of a request that nobody answers, the last at 27.5 s or later: the first, and Timer E at 0.5, 1, 2 and then 4 s
/// (RFC 3261 section 17.1.2.2). At 31.5 s, just before the end, there is one more, or none where the host is busy.
const TRANSMISSIONS: usize = 10;

#[test]
fn rfc_4320_4_neither_100_nor_408_is_told_of_a_request_nobody_answers() {
    let mut ground = Ground::new("silence", UDP_V4);
    let routes = ground.routes();
    let [silent, clock] = [1, 2].map(|_| ground.request("OPTIONS", "sip:x@example.com", &routes));
    ground.near.send(&silent);
    let mut heard = [0, 0];
    // The second one goes out 7.5 s later: with its tenth copy the time of the first, 32 s, is over.
    while heard[1] < TRANSMISSIONS {
        let request = ground.far.next().unwrap();
        let at = usize::from(call_id(&request) == call_id(&clock));
        assert!(at == 1 || call_id(&request) == call_id(&silent), "{}", text(&request));
        heard[at] += 1;
        if heard == [5, 0] {
            ground.near.send(&clock);
        }
    }
    assert!((TRANSMISSIONS..=TRANSMISSIONS + 1).contains(&heard[0]), "{heard:?}");
    // Whatever it had been told would come first.
    ground.nothing_else("silence", &[call_id(&clock)]);
}
