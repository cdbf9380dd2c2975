//! Why a command ends without having done what was asked, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

use emcc_codecs::sdp::{BYTES_MAX, FORMATS_MAX, LINES_MAX, MEDIA_MAX, Malformed};
use emcc_policies::login::compatibility::Impossible;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::node::Fault;
use crate::config::Problem;
use crate::io::log::LogError;

pub(super) const EXIT_WRONG: u8 = 1;
pub(super) const EXIT_USAGE: u8 = 2;
const EXIT_OUT_OF_REACH: u8 = 3;
const EXIT_INTERNAL: u8 = 70;
/// What a shell makes of a process that SIGPIPE ended.
const EXIT_UNHEARD: u8 = 141;

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Halt {
    /// The configuration has errors.
    Configuration(Vec<Problem>),
    /// The configuration file cannot be read.
    ConfigurationUnread(Vec<Problem>),
    /// A file named on the command line cannot be read.
    Unread(PathBuf, io::Error),
    /// The offer is no session description.
    NoDescription(PathBuf, Malformed),
    /// Nobody of that name or number is known.
    UnknownCaller(Box<str>),
    /// No remote cluster has that id, and no gateway that name.
    UnknownSource(Box<str>),
    /// A remote cluster and a gateway have it.
    AmbiguousSource(Box<str>),
    /// A caller behind a gateway, and no number.
    NoNumber(Box<str>),
    /// A phone was to call this node itself, and the configuration has no phones.
    NoPhones,
    /// A configuration of a cluster that is no neighbour of the one asked: its file, and the ids of both.
    Strangers(PathBuf, Box<str>, Box<str>),
    /// A file of calls cannot be used as one.
    Calls(PathBuf, String),
    /// A login that no table knows.
    Impossible(Impossible),
    /// A login was to be checked against data as well.
    LoginData,
    /// The log cannot be opened as the environment says.
    Log(LogError),
    /// The node did not start.
    Start(Fault),
    /// The system does not let the process wait for signals.
    System(io::Error),
    /// What was found on the patterns is not what the deciding function says.
    Disagreement,
    /// Standard output or standard error is gone.
    Output(io::Error),
}

impl Halt {
    /// A configuration that was not accepted. One that cannot be read has a single problem, on no line.
    pub(super) fn refused(problems: Vec<Problem>) -> Self {
        match problems.as_slice() {
            [Problem { line: 0, .. }] => Self::ConfigurationUnread(problems),
            _ => Self::Configuration(problems),
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_)
            | Self::NoDescription(..)
            | Self::UnknownCaller(_)
            | Self::UnknownSource(_)
            | Self::AmbiguousSource(_)
            | Self::NoNumber(_)
            | Self::NoPhones
            | Self::Strangers(..)
            | Self::Calls(..)
            | Self::Impossible(_) => EXIT_WRONG,
            Self::LoginData | Self::Log(LogError::Level) => EXIT_USAGE,
            Self::Output(_) if self.is_quiet() => EXIT_UNHEARD,
            Self::ConfigurationUnread(_) | Self::Unread(..) | Self::Start(_) | Self::Output(_) => EXIT_OUT_OF_REACH,
            Self::Log(LogError::Open) | Self::System(_) | Self::Disagreement => EXIT_INTERNAL,
        }
    }

    /// Whether nothing is said of it: whoever read the output has read enough, as `head` does.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn problems(&self) -> Option<&[Problem]> {
        match self {
            Self::Configuration(problems) | Self::ConfigurationUnread(problems) => Some(problems),
            _ => None,
        }
    }

    /// One sentence.
    fn sentence(&self) -> String {
        match self {
            Self::Configuration(_) => "the configuration has errors".into(),
            Self::ConfigurationUnread(_) => "the configuration cannot be read".into(),
            Self::Unread(path, error) => format!("{} cannot be read: {error}", path.display()),
            Self::NoDescription(path, malformed) => {
                format!("{} is no session description: {}", path.display(), complaint(*malformed))
            }
            Self::UnknownCaller(who) => {
                format!("'{who}' is no device, no user and no directory number of this cluster")
            }
            Self::UnknownSource(id) => {
                format!(
                    "--via '{id}' is neither local nor the id of a remote cluster or the name of a gateway in the \
                     configuration"
                )
            }
            Self::AmbiguousSource(name) => {
                format!("--via '{name}' is a remote cluster and a gateway: write cluster:{name} or gateway:{name}")
            }
            Self::NoNumber(who) => {
                format!("'{who}' is no number; of a caller behind a gateway nothing else is known")
            }
            Self::NoPhones => {
                "--via phone: the configuration has no sip.phones, so no call comes from a phone itself".into()
            }
            Self::Strangers(path, near, far) => format!(
                "{} is the configuration of {far}; {near} and {far} have to name each other as remote clusters",
                path.display()
            ),
            Self::Calls(path, why) => format!("{}: {why}", path.display()),
            Self::Impossible(impossible) => impossible.to_string(),
            Self::LoginData => "login checks that need data (C-9: --config, --device, --user) are not part of this \
                                version; leave them out to judge versions and security modes"
                .into(),
            Self::Log(error) => error.to_string(),
            Self::Start(fault) => fault.to_string(),
            Self::System(error) => format!("the system does not let the node run: {error}"),
            Self::Disagreement => {
                "the comparison contradicts the function that decides calls: a fault of this program, \
                                   and nothing it found is to be relied upon"
                    .into()
            }
            Self::Output(error) => format!("what was found cannot be written: {error}"),
        }
    }
}

/// What keeps the bytes from being a session description.
fn complaint(malformed: Malformed) -> String {
    match malformed {
        Malformed::TooLong => format!("it is longer than {BYTES_MAX} bytes"),
        Malformed::NoVersion => "it does not begin with v=".into(),
        Malformed::NoType { line } => {
            format!("line {line} does not begin with a small letter and an equals sign, and nearly does")
        }
        Malformed::ControlByte { line } => format!("line {line} has a zero byte or a stray carriage return"),
        Malformed::MediaLine { line } => format!("line {line} has no port, protocol and format as m= needs them"),
        Malformed::TooManyLines => format!("it has more than {LINES_MAX} lines"),
        Malformed::TooManyMedia => format!("it has more than {MEDIA_MAX} media blocks"),
        Malformed::TooManyFormats { line } => format!("line {line} has more than {FORMATS_MAX} formats"),
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        self.problems().into_iter().flatten().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl Serialize for Halt {
    /// `{"error": "..."}`, with `problems` where a configuration has them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error", &self.sentence())?;
        if let Some(problems) = self.problems() {
            map.serialize_entry("problems", problems)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Severity;

    #[test]
    fn a_halt_is_a_sentence_for_people_and_an_object_for_programs() {
        let halt = Halt::Impossible(Impossible::SecurePhoneInNonSecureCluster);
        assert!(halt.to_string().ends_with("(C-5)"));
        let object = serde_json::to_value(&halt).unwrap();
        assert_eq!(object, serde_json::json!({ "error": halt.to_string() }));
    }

    #[test]
    fn a_broken_configuration_shows_every_problem() {
        let problem = Problem {
            file: "a.toml".into(),
            line: 1,
            column: 2,
            severity: Severity::Error,
            key: "sip".into(),
            message: "what".into(),
            fix: "how".into(),
            devices: None,
        };
        let halt = Halt::Configuration(vec![problem.clone(), problem]);
        assert_eq!(halt.to_string().matches("a.toml:1:2: error: what").count(), 2);
        let object = serde_json::to_value(&halt).unwrap();
        assert_eq!(object["problems"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn exit_codes_tell_wrong_usage_and_out_of_reach_apart() {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        for (halt, code) in [
            (Halt::Configuration(vec![]), 1),
            (Halt::Impossible(Impossible::SecurePhoneInNonSecureCluster), 1),
            (Halt::LoginData, 2),
            (Halt::ConfigurationUnread(vec![]), 3),
            (Halt::Unread("offer.sdp".into(), gone()), 3),
            (Halt::Output(gone()), 3),
            (Halt::Output(io::ErrorKind::StorageFull.into()), 3),
            (Halt::Output(io::ErrorKind::BrokenPipe.into()), 141),
            (Halt::System(gone()), 70),
        ] {
            assert_eq!(halt.exit_code(), code, "{halt}");
        }
    }
}
