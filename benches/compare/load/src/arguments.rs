//! What the generator is asked for.

use std::net::SocketAddrV4;

/// Calls of one run, all steps together, at most.
pub const CALLS_MAX: u64 = 2_000_000;
/// Calls a second at most.
pub const RATE_MAX: u32 = 50_000;
/// Longest a run may last, seconds.
pub const LIMIT_S_MAX: u64 = 1_200;

/// How the generator is called.
pub const USAGE: &str = "\
load - callers and called parties of SIP calls, in one thread, through the node between them

  load --target A --caller A --called A --steps RATE:SECONDS[,RATE:SECONDS...] [...]

  --target A             where the node listens
  --caller A, --called A where the two sides listen; the node must send its calls to --called
  --steps LIST           calls a second, and for how many seconds, one step after the other
  --hold-ms N            time from ACK to BYE (0: none)
  --within N             INFO requests inside each call, spread over its hold time (0)
  --emergency-percent N  this share of the calls dials 911 (0)
  --standing N           open that many calls first, at --standing-rate; print \"open\", wait for SIGUSR1, make the steps,
                         print \"done\", wait for SIGUSR1, end the standing calls at the same rate
  --standing-rate N      (2000)
  --tcp                  both sides speak over TCP: the caller opens one stream, the node opens those to --called; nothing
                         but a 200 without its ACK is repeated
  --phone NAME           phone that the calls come from (SEP001122334455)
  --expect-offer LIST    payload types the first m-line of the INVITE must end with at the called side: \"18 101\"
  --expect-answer LIST   the same of the 200 at the caller
  --until-repeated       start no more calls once one had to be repeated
  --limit-s N            end after that many seconds, whatever stands (120)
  --no-self-test         for trying things out; the report then says that nothing is proven

Addresses are IP:PORT in 127.0.0.0/8. One line of JSON at the end. Exit: 0 reported, 2 usage, 3 an address cannot be
had, 4 the self test failed: the generator called itself at twice the highest rate offered, and calls were lost,
repeated or late, so its report would say more about itself than about the node.";

/// Calls a second, for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Calls a second, 1 to [`RATE_MAX`].
    pub rate: u32,
    /// Calls of the step.
    pub calls: u64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where the node listens.
    pub target: SocketAddrV4,
    /// The calling side.
    pub caller: SocketAddrV4,
    /// The called side.
    pub called: SocketAddrV4,
    /// Rates, in order.
    pub steps: Vec<Step>,
    /// From ACK to BYE, milliseconds.
    pub hold_ms: u64,
    /// INFO requests inside each call.
    pub within: u32,
    /// Share of emergency calls, percent.
    pub emergency_percent: u64,
    /// Calls that stand while the steps are made.
    pub standing: u64,
    /// Rate they are opened and ended at, calls a second.
    pub standing_rate: u32,
    /// Whether both sides speak over streams.
    pub is_stream: bool,
    /// Name of the phone the calls come from.
    pub phone: String,
    /// End of the first m-line at the called side.
    pub expect_offer: Option<String>,
    /// End of the first m-line at the caller.
    pub expect_answer: Option<String>,
    /// Whether the first repeated call ends the steps.
    pub until_repeated: bool,
    /// Longest duration, seconds.
    pub limit_s: u64,
    /// Whether the generator proves itself before it reports.
    pub self_test: bool,
}

impl Run {
    /// Reads the arguments; none: usage.
    #[must_use]
    pub fn read(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let nowhere = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0);
        let mut run = Self {
            target: nowhere,
            caller: nowhere,
            called: nowhere,
            steps: Vec::new(),
            hold_ms: 0,
            within: 0,
            emergency_percent: 0,
            standing: 0,
            standing_rate: 2_000,
            is_stream: false,
            phone: "SEP001122334455".to_owned(),
            expect_offer: None,
            expect_answer: None,
            until_repeated: false,
            limit_s: 120,
            self_test: true,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--until-repeated" => run.until_repeated = true,
                "--tcp" => run.is_stream = true,
                "--no-self-test" => run.self_test = false,
                _ => run.set(&word, &words.next()?)?,
            }
        }
        run.is_sound().then_some(run)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "--target" => self.target = value.parse().ok()?,
            "--caller" => self.caller = value.parse().ok()?,
            "--called" => self.called = value.parse().ok()?,
            "--steps" => self.steps = value.split(',').map(Step::read).collect::<Option<_>>()?,
            "--hold-ms" => self.hold_ms = value.parse().ok()?,
            "--within" => self.within = value.parse().ok()?,
            "--emergency-percent" => self.emergency_percent = value.parse().ok()?,
            "--standing" => self.standing = value.parse().ok()?,
            "--standing-rate" => self.standing_rate = value.parse().ok()?,
            "--phone" => self.phone = value.to_owned(),
            "--expect-offer" => self.expect_offer = Some(value.to_owned()),
            "--expect-answer" => self.expect_answer = Some(value.to_owned()),
            "--limit-s" => self.limit_s = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    fn is_sound(&self) -> bool {
        [self.target, self.caller, self.called].iter().all(|address| address.ip().is_loopback())
            && self.caller != self.called
            && (!self.steps.is_empty() || self.standing > 0)
            && self.calls() <= CALLS_MAX
            && (1..=RATE_MAX).contains(&self.standing_rate)
            && self.emergency_percent <= 100
            && (1..=LIMIT_S_MAX).contains(&self.limit_s)
    }

    /// Calls of all steps and those that stand.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.standing + self.steps.iter().map(|step| step.calls).sum::<u64>()
    }

    /// The highest rate offered, calls a second.
    #[must_use]
    pub fn rate_max(&self) -> u32 {
        let standing = if self.standing > 0 { self.standing_rate } else { 0 };
        self.steps.iter().map(|step| step.rate).max().unwrap_or(0).max(standing)
    }

    /// The run in which the generator calls itself: the same calls, nothing in between, for one second.
    #[must_use]
    pub fn of_itself(&self, rate: u32) -> Self {
        Self {
            target: self.called,
            steps: vec![Step { rate, calls: u64::from(rate) }],
            hold_ms: 0,
            within: 0,
            standing: 0,
            is_stream: false,
            expect_offer: None,
            expect_answer: None,
            until_repeated: false,
            limit_s: 5,
            ..self.clone()
        }
    }
}

impl Step {
    fn read(text: &str) -> Option<Self> {
        let (rate, seconds) = text.split_once(':')?;
        let (rate, seconds): (u32, f64) = (rate.parse().ok()?, seconds.parse().ok()?);
        let calls = (f64::from(rate) * seconds).round();
        ((1..=RATE_MAX).contains(&rate) && (1.0..=CALLS_MAX as f64).contains(&calls))
            .then_some(Self { rate, calls: calls as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Run> {
        Run::read(line.split_whitespace().map(str::to_owned))
    }

    const ADDRESSES: &str = "--target 127.0.7.1:5060 --caller 127.0.7.10:5060 --called 127.0.7.20:5060";

    #[test]
    fn steps_are_rates_and_seconds() {
        let run = read(&format!("{ADDRESSES} --steps 500:2,1500:0.5")).unwrap();
        assert_eq!(run.steps, [Step { rate: 500, calls: 1_000 }, Step { rate: 1_500, calls: 750 }]);
        assert_eq!((run.calls(), run.rate_max()), (1_750, 1_500));
    }

    #[test]
    fn what_is_not_on_loopback_or_without_bound_is_refused() {
        for wrong in [
            "",
            "--target 127.0.7.1:5060 --caller 127.0.7.10:5060 --called 192.0.2.1:5060 --steps 1:1",
            "--target 127.0.7.1:5060 --caller 127.0.7.10:5060 --called 127.0.7.10:5060 --steps 1:1",
            ADDRESSES,
            &format!("{ADDRESSES} --steps 0:5"),
            &format!("{ADDRESSES} --steps 60000:1"),
            &format!("{ADDRESSES} --steps 40000:60"),
            &format!("{ADDRESSES} --steps 1:1 --limit-s 100000"),
            &format!("{ADDRESSES} --steps 1:1 --emergency-percent 101"),
            &format!("{ADDRESSES} --steps 1:1 --hold-ms"),
            &format!("{ADDRESSES} --steps 1:1 --hold-me 5"),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_generator_calls_itself_with_the_same_calls() {
        let run = read(&format!("{ADDRESSES} --steps 10:1 --standing 5 --expect-offer 18 --hold-ms 9 --tcp")).unwrap();
        let itself = run.of_itself(4_000);
        assert_eq!((itself.target, itself.calls(), itself.rate_max()), (run.called, 4_000, 4_000));
        assert!(run.is_stream && !itself.is_stream);
        assert_eq!((itself.hold_ms, itself.expect_offer), (0, None));
    }
}
