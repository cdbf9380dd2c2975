//! What a configuration file got wrong, said so that a person can put it right.

use crate::limits::PROBLEM_DEVICES_MAX;
use serde::Serialize;
use std::fmt;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The node does not start with this file.
    Error,
    /// The node starts; something will probably not do what its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One mistake or doubt, at one place of one file. Ordered by file and position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file as it was named: on the command line, or by an `include` joined to its folder.
    pub file: String,
    /// Line, counted from 1; 0 where no line can be named (the file cannot be read).
    pub line: u32,
    /// Column in characters, counted from 1; 0 where there is no line.
    pub column: u32,
    /// Error or warning.
    pub severity: Severity,
    /// Dotted path of the value, array elements counted from 0 in their own file: `route_pattern[3].route_list`.
    /// Empty where the file is no TOML at that point.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// One sentence that says what to write instead.
    pub fix: String,
    /// All devices it concerns, where it is told of several together.
    #[serde(flatten)]
    pub devices: Option<Devices>,
}

/// Devices that one problem is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Devices {
    /// Their names in the order written, at most [`PROBLEM_DEVICES_MAX`].
    #[serde(rename = "devices")]
    pub names: Vec<String>,
    /// How many more there are.
    #[serde(rename = "devices_not_listed")]
    pub not_listed: usize,
}

impl Devices {
    /// Adds one behind the others.
    pub(super) fn add(&mut self, name: &str) {
        if self.names.len() < PROBLEM_DEVICES_MAX {
            self.names.push(name.to_owned());
        } else {
            self.not_listed += 1;
        }
    }

    /// How many there are, listed or not.
    pub(super) fn count(&self) -> usize {
        self.names.len() + self.not_listed
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: error: message`, then the fix on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, severity, message, fix, .. } = self;
        write!(f, "{file}:{line}:{column}: {severity}: {message}\n  fix: {fix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_severity_message_and_fix() {
        let problem = Problem {
            file: "a.toml".into(),
            line: 3,
            column: 7,
            severity: Severity::Error,
            key: "sip.listen".into(),
            message: "no port".into(),
            fix: "Write a port.".into(),
            devices: None,
        };
        assert_eq!(problem.to_string(), "a.toml:3:7: error: no port\n  fix: Write a port.");
    }

    #[test]
    fn problems_sort_by_file_then_by_position() {
        let at = |file: &str, line, column| Problem {
            file: file.into(),
            line,
            column,
            severity: Severity::Warning,
            key: String::new(),
            message: String::new(),
            fix: String::new(),
            devices: None,
        };
        let mut problems = [at("b", 1, 1), at("a", 10, 1), at("a", 9, 2), at("a", 9, 1)];
        problems.sort();
        assert_eq!(problems, [at("a", 9, 1), at("a", 9, 2), at("a", 10, 1), at("b", 1, 1)]);
    }

    #[test]
    fn devices_are_listed_up_to_a_bound_and_counted_beyond_it() {
        let mut devices = Devices::default();
        (0..PROBLEM_DEVICES_MAX + 2).for_each(|number| devices.add(&format!("SEP{number}")));
        assert_eq!((devices.names.len(), devices.not_listed), (PROBLEM_DEVICES_MAX, 2));
        assert_eq!((devices.names[0].as_str(), devices.count()), ("SEP0", PROBLEM_DEVICES_MAX + 2));
    }
}
