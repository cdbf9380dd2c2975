//! Where the rows of a plan were written: for who asks why, not for calls.

use super::document::Document;
use super::plan::dial_plan::Dialing;
use super::report::Report;
use emcc_policies::search_space::PatternId;

/// File and line of every row of a plan, by its id.
#[derive(Debug, Default)]
pub struct Places {
    files: Vec<Box<str>>,
    /// Place of the file's name, and line.
    rows: Vec<(u16, u32)>,
}

impl Places {
    pub(super) fn of(document: &Document, report: &Report) -> Self {
        let rows = Dialing::of(document).origins.iter().map(|origin| report.line(origin.place())).collect();
        Self { files: report.file_names(), rows }
    }

    /// The file, named as the command line or an `include` names it, and the line, counted from 1; nothing for an id of
    /// another plan.
    #[must_use]
    pub fn of_row(&self, id: PatternId) -> Option<(&str, u32)> {
        let (file, line) = self.rows.get(id.0 as usize)?;
        Some((self.files.get(usize::from(*file))?, *line))
    }
}
