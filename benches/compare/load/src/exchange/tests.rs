//! Both sides against each other, message by message, with a node that only forwards.

use super::*;

fn run(words: &str) -> Run {
    let line = format!("--target 127.0.7.1:5060 --caller 127.0.7.10:5060 --called 127.0.7.20:5060 {words}");
    Run::read(line.split_whitespace().map(str::to_owned)).unwrap()
}

struct World {
    exchange: Exchange,
    now_ns: u64,
}

impl World {
    fn new(words: &str) -> Self {
        let mut exchange = Exchange::new(&run(words), 77);
        exchange.step = 1;
        Self { exchange, now_ns: 1_000 }
    }

    fn begin(&mut self) -> &mut Self {
        self.exchange.begin(self.now_ns);
        self
    }

    /// Takes what leaves, as start lines with whom they go to.
    fn leaving(&mut self) -> Vec<(Side, String)> {
        let leaving = std::mem::take(&mut self.exchange.leaving);
        let out = std::mem::take(&mut self.exchange.out);
        let text = |leaving: Leaving| {
            let other = if leaving.side == Side::Caller { Side::Called } else { Side::Caller };
            (other, String::from_utf8(out[leaving.octets].to_vec()).unwrap())
        };
        leaving.into_iter().map(text).collect()
    }

    fn deliver(&mut self, messages: &[(Side, String)]) {
        for (side, text) in messages {
            let from = SocketAddrV4::new([127, 0, 7, 1].into(), 5_060);
            self.exchange.receive(*side, text.as_bytes(), from, self.now_ns);
        }
    }

    /// Carries messages to and fro until none leaves.
    fn settle(&mut self) -> usize {
        let mut carried = 0;
        loop {
            let messages = self.leaving();
            if messages.is_empty() {
                return carried;
            }
            carried += messages.len();
            self.deliver(&messages);
        }
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
        self.exchange.expire(self.now_ns, usize::MAX);
    }
}

fn starts(messages: &[(Side, String)]) -> Vec<&str> {
    messages.iter().filter_map(|(_, text)| text.split(" sip:").next()?.lines().next()).collect()
}

#[test]
fn a_call_is_six_messages_and_completes() {
    let mut world = World::new("--steps 1:1");
    assert_eq!(world.begin().settle(), 6);
    let step = &world.exchange.tally.steps[1];
    assert_eq!((step.started, step.completed, step.repeated), (1, 1, 0));
    assert_eq!((world.exchange.open(), world.exchange.tally.within), (0, (1, 1, 0)));
    world.pass_ms(40_000);
    assert!(world.leaving().is_empty(), "nothing is repeated afterwards");
}

#[test]
fn an_invite_without_an_answer_is_sent_seven_times_rfc3261_17_1_1_2() {
    let mut world = World::new("--steps 1:1");
    world.begin().leaving();
    let mut at = Vec::new();
    for turn in 1..=80 {
        world.pass_ms(500);
        at.extend(world.leaving().iter().map(|_| turn * 500));
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    let step = &world.exchange.tally.steps[1];
    assert_eq!((step.failed, step.repeated, world.exchange.tally.repeats_by_caller), (1, 1, 6));
}

#[test]
fn over_a_stream_nothing_is_repeated_and_patience_ends_all_the_same() {
    let mut world = World::new("--steps 1:1 --tcp");
    world.begin().leaving();
    for _ in 1..=80 {
        world.pass_ms(500);
        assert!(world.leaving().is_empty());
    }
    let step = &world.exchange.tally.steps[1];
    assert_eq!((step.failed, step.repeated, world.exchange.tally.repeats_by_caller), (1, 0, 0));
}

#[test]
fn a_provisional_response_stops_the_invite() {
    let mut world = World::new("--steps 1:1");
    let invite = world.begin().leaving();
    world.deliver(&invite);
    let answers = world.leaving();
    world.deliver(&answers[..1]);
    world.exchange.calls[0].answered = None;
    world.pass_ms(30_000);
    assert!(world.leaving().is_empty());
}

#[test]
fn a_bye_without_an_answer_is_repeated_every_four_seconds_at_last_rfc3261_17_1_2_2() {
    let mut world = World::new("--steps 1:1 --hold-ms 1000");
    world.begin().settle();
    world.pass_ms(1_000);
    assert_eq!(starts(&world.leaving()), ["BYE"]);
    let mut at = Vec::new();
    for turn in 1..=80 {
        world.pass_ms(500);
        at.extend(world.leaving().iter().map(|_| turn * 500));
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(world.exchange.tally.steps[1].failed, 1);
}

#[test]
fn a_200_is_repeated_until_its_ack_comes_rfc3261_13_3_1_4() {
    let mut world = World::new("--steps 1:1 --hold-ms 60000");
    let invite = world.begin().leaving();
    world.deliver(&invite);
    let answers = world.leaving();
    world.deliver(&answers[..1]);
    world.pass_ms(500);
    let copy = world.leaving();
    assert_eq!(copy, answers[1..]);
    world.deliver(&answers[1..]);
    let acks = world.leaving();
    assert_eq!(starts(&acks), ["ACK"]);
    world.deliver(&copy);
    assert_eq!(starts(&world.leaving()), ["ACK"], "a copy is confirmed again");
    world.deliver(&acks);
    world.pass_ms(30_000);
    assert!(world.leaving().is_empty());
    assert_eq!((world.exchange.tally.repeats_by_called, world.exchange.tally.steps[1].repeated), (1, 1));
}

#[test]
fn a_200_that_overtakes_its_180_is_counted() {
    let mut world = World::new("--steps 1:1 --hold-ms 60000");
    let invite = world.begin().leaving();
    world.deliver(&invite);
    let mut answers = world.leaving();
    answers.reverse();
    world.deliver(&answers);
    world.exchange.close();
    assert_eq!((world.exchange.tally.reordered, world.exchange.tally.without_ringing), (1, 0));
}

#[test]
fn an_ack_that_its_bye_overtakes_is_counted() {
    let mut world = World::new("--steps 1:1");
    let invite = world.begin().leaving();
    world.deliver(&invite);
    let answers = world.leaving();
    world.deliver(&answers);
    let mut requests = world.leaving();
    assert_eq!(starts(&requests), ["ACK", "BYE"]);
    requests.reverse();
    world.deliver(&requests);
    world.settle();
    world.exchange.close();
    assert_eq!((world.exchange.tally.reordered, world.exchange.tally.steps[1].completed), (1, 1));
}

#[test]
fn a_refusal_is_confirmed_and_counted_by_its_status() {
    let mut world = World::new("--steps 1:1");
    let invite = world.begin().leaving();
    let message = crate::read::Received::read(invite[0].1.as_bytes()).unwrap();
    let mut refusal = Vec::new();
    crate::write::reply(&mut refusal, &message, "503 Service Unavailable");
    let refusal = [(Side::Caller, String::from_utf8(refusal).unwrap())];
    world.deliver(&refusal);
    world.deliver(&refusal);
    assert_eq!(starts(&world.leaving()), ["ACK", "ACK"]);
    assert_eq!(world.exchange.tally.statuses, [(503, 1)]);
    assert_eq!((world.exchange.tally.steps[1].refused, world.exchange.open()), (1, 0));
}

#[test]
fn requests_within_a_call_are_spread_over_it() {
    let mut world = World::new("--steps 1:1 --hold-ms 3000 --within 2");
    world.begin().settle();
    let mut seen = Vec::new();
    for turn in 1..=8 {
        world.pass_ms(500);
        let messages = world.leaving();
        seen.extend(starts(&messages).into_iter().map(|start| (turn * 500, start.to_owned())));
        world.deliver(&messages);
        world.settle();
    }
    let expected = [(1_000, "INFO"), (2_000, "INFO"), (3_000, "BYE")].map(|(at, word)| (at, word.to_owned()));
    assert_eq!(seen, expected);
    assert_eq!(world.exchange.tally.within, (3, 3, 0));
}

#[test]
fn the_share_of_emergency_calls_is_what_was_asked_for() {
    for (percent, expected) in [(0, 0), (1, 10), (5, 50), (33, 330), (100, 1_000)] {
        let mut world = World::new(&format!("--steps 1000:1 --emergency-percent {percent}"));
        (0..1_000).for_each(|_| {
            world.begin().leaving();
        });
        assert_eq!(world.exchange.tally.steps[1].emergency.0, expected, "{percent} %");
    }
}

#[test]
fn a_description_that_is_not_as_expected_is_counted_on_either_side() {
    let mut world = World::new("--steps 1:1");
    world.exchange.run.expect_offer = Some("18 101".to_owned());
    world.exchange.run.expect_answer = Some("18 8 101".to_owned());
    world.begin().settle();
    assert_eq!(world.exchange.tally.wrong_descriptions, 1, "the answer came as it was sent, the offer was not cut");
}

#[test]
fn a_call_the_node_ends_by_itself_is_a_failed_one() {
    let mut world = World::new("--steps 1:1 --hold-ms 60000");
    world.begin().settle();
    let bye = "BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.7.1\r\nFrom: a;tag=1\r\nTo: b;tag=2\r\n\
               Call-ID: 0-77@127.0.7.10\r\nCSeq: 1 BYE\r\n\r\n";
    world.deliver(&[(Side::Caller, bye.to_owned())]);
    assert_eq!((world.exchange.tally.ended_by_node, world.exchange.tally.steps[1].failed), (1, 1));
    assert!(world.leaving()[0].1.starts_with("SIP/2.0 200 "));
}
