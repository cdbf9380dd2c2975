//! `explain call`: where a call would go and why, decided by the function that decides live calls; with the other
//! cluster's configuration at hand, at both.

use std::path::{Path, PathBuf};

use clap::Args;
use emcc_codecs::sdp::{Malformed, Session};
use emcc_policies::digits::{Digits, DigitsError, dialable};
use emcc_policies::emergency::loosely;
use emcc_policies::moment::Civil;

use super::bulk::{self, Calls};
use super::clusters::Clusters;
use super::walk::{Asked, CallAnswer, Dialed};
use super::{instant, offer, who};
use crate::cli::halt::{EXIT_USAGE, Halt};
use crate::cli::{failed, finish};
use crate::io::Clock;

#[derive(Args)]
pub(crate) struct Call {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The configuration file of another cluster: a call that leaves over the trunk to it is followed there
    #[arg(long, value_name = "FILE")]
    remote_config: Vec<PathBuf>,
    /// Who calls: a directory number, a user id or a device name; from a gateway any number
    #[arg(long, value_name = "WHO", required_unless_present = "bulk")]
    from: Option<String>,
    /// What is dialed: digits, or a urn:service
    #[arg(long, value_name = "DIGITS", value_parser = dialed, required_unless_present = "bulk")]
    to: Option<Dialed>,
    /// Where the INVITE comes from: local, phone for WHO's own phone, the remote cluster whose trunk brings it, marked
    /// with device WHO, or the gateway that brings it from number WHO (cluster:ID and gateway:NAME where both have a
    /// name)
    #[arg(long, value_name = "SOURCE", default_value = "local")]
    via: String,
    /// A file with the session description offered
    #[arg(long, value_name = "SDPFILE")]
    offer: Option<PathBuf>,
    /// The calling number
    #[arg(long, value_name = "NUMBER", value_parser = digits)]
    calling: Option<Digits>,
    /// When, as 2026-03-29T01:00:00Z or in Unix seconds; now unless given
    #[arg(long, value_name = "UTC", value_parser = instant::parse, allow_hyphen_values = true)]
    at: Option<Civil>,
    /// A CSV file of calls with the columns from and to, and via, calling and at where needed ("-": standard input);
    /// the answers come as CSV, with --json one object a line
    #[arg(long, value_name = "CSVFILE", conflicts_with_all = ["from", "to"])]
    bulk: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What is dialed: a number, or a service URN. With spaces or pauses it is a number where an emergency number may be meant
/// (P-23).
pub(super) fn dialed(text: &str) -> Result<Dialed, &'static str> {
    match text.get(..SERVICE.len()) {
        Some(head) if head.eq_ignore_ascii_case(SERVICE) => Ok(Dialed::Service(text.into())),
        _ => {
            let loose = || number(loosely, text).ok().filter(|digits| digits.len() <= LOOSE_DIGITS_MAX);
            digits(text).or_else(|why| loose().ok_or(why))?;
            Ok(Dialed::Number(text.into()))
        }
    }
}

const SERVICE: &str = "urn:service:";
/// Most characters of a number with spaces in it, or pauses behind it, that may be an emergency number; a longer one is a mistake
/// of who typed it.
const LOOSE_DIGITS_MAX: usize = 6;

/// A number as people write it.
pub(super) fn digits(text: &str) -> Result<Digits, &'static str> {
    number(dialable, text)
}

fn number(read: fn(&[u8]) -> Result<Digits, DigitsError>, text: &str) -> Result<Digits, &'static str> {
    let digits = read(text.as_bytes()).ok().filter(|digits| !digits.is_empty());
    digits.ok_or("a number has the digits 0-9, *, #, + and A-D, at most 48 of them")
}

impl Call {
    /// Answers and gives back the exit code.
    pub(super) fn run(&self) -> u8 {
        match (&self.bulk, &self.from, &self.to) {
            (Some(file), ..) => self.bulk(file).unwrap_or_else(|halt| failed(&halt, self.json)),
            (None, Some(from), Some(to)) => finish(self.answer(from, to), self.json),
            // Clap asks for both where there is no file.
            (None, ..) => EXIT_USAGE,
        }
    }

    fn answer(&self, from: &str, to: &Dialed) -> Result<CallAnswer, Halt> {
        let clusters = Clusters::load(&self.config, &self.remote_config, self.json)?;
        let caller = who::find(&clusters.here.plan, from, &self.via)?;
        let (to, offer) = (to.clone(), self.offered()?);
        let asked = Asked {
            caller,
            over: None,
            to,
            calling: self.calling,
            offer,
            is_marked_emergency: false,
            with_alternatives: true,
            at: self.instant(),
        };
        clusters.follow(asked).map_err(|malformed| self.no_description(malformed))
    }

    fn bulk(&self, file: &Path) -> Result<u8, Halt> {
        let offer = self.offered()?;
        if let Some(offer) = &offer {
            // Told once, and not in a million rows.
            Session::parse(offer).map_err(|malformed| self.no_description(malformed))?;
        }
        let clusters = Clusters::load(&self.config, &self.remote_config, self.json)?;
        let calls = Calls { clusters, via: &self.via, calling: self.calling, offer, at: self.instant() };
        bulk::run(&calls, file, self.json)
    }

    fn offered(&self) -> Result<Option<Vec<u8>>, Halt> {
        self.offer.as_deref().map(offer).transpose()
    }

    fn instant(&self) -> Civil {
        self.at.unwrap_or_else(|| Clock::start().now().civil)
    }

    fn no_description(&self, malformed: Malformed) -> Halt {
        Halt::NoDescription(self.offer.clone().unwrap_or_default(), malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dialed_is_a_number_or_a_service() {
        for (text, is_number) in [
            ("911", true),
            ("+1 (919) 555", false),
            ("+1-919", true),
            ("*9#", true),
            ("9 1 1", true),
            ("9%201%201", true),
            ("9 1 x", false),
            ("911,,5", true),
            ("9 911,", true),
            ("911,x", false),
            (",911", false),
            ("12345678,,5", false),
            ("91 91 91", true),
            ("919 5550", false),
            (" ", false),
        ] {
            let got = dialed(text).ok();
            assert_eq!(got, is_number.then(|| Dialed::Number(text.into())), "{text}");
        }
        assert!(matches!(dialed("URN:service:sos"), Ok(Dialed::Service(_))));
        assert!(dialed("").is_err() && dialed("alice").is_err());
    }
}
