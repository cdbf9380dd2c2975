//! Error codes of the login service and what the phone shows for each (tables 9 and 10).
//!
//! A code that is not in the tables does not exist (E-1): [`Code`] can only be had from them. Some codes are internal:
//! the phone shows another number, or none.

use std::fmt;

/// Which half of the login service answers with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The application that serves the phone's pages (table 9).
    EmApp,
    /// The service that executes queries, logins and logouts (table 10).
    EmService,
}

/// One row of the tables.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// The code that travels between the two halves and between clusters.
    pub code: u16,
    /// Who answers with it.
    pub layer: Layer,
    /// What the phone shows when a login ends so; `None` where only a logout can.
    pub login: Option<&'static str>,
    /// What the phone shows when a logout ends so; `None` where only a login can.
    pub logout: Option<&'static str>,
    /// The field's short name for it.
    pub summary: &'static str,
    /// The phone never shows this number: 39, 40, 41 and 44.
    pub is_internal: bool,
}

/// A code of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static ErrorRow);

impl Code {
    /// The code numbered `number`; `None` when no table has it (E-1).
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        let at = ROWS.binary_search_by_key(&number, |row| row.code).ok()?;
        ROWS.get(at).map(Self)
    }

    /// Every code, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(Self)
    }

    /// A code our own tables name. Only for constants: a number no table has stops the build.
    pub(super) const fn known(number: u16) -> Self {
        let mut at = 0;
        while at < ROWS.len() {
            if ROWS[at].code == number {
                return Self(&ROWS[at]);
            }
            at += 1;
        }
        panic!("no table has this code (E-1)")
    }

    /// Its number, as it travels; what the phone shows may be another.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0.code
    }

    /// What the tables say of it.
    #[must_use]
    pub const fn row(self) -> &'static ErrorRow {
        self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.code, self.0.summary)
    }
}

const fn row(
    code: u16,
    layer: Layer,
    login: Option<&'static str>,
    logout: Option<&'static str>,
    summary: &'static str,
) -> ErrorRow {
    ErrorRow { code, layer, login, logout, summary, is_internal: false }
}

/// A row whose phone text is the usual one with its own number: for a login (`login`), a logout (`logout`) or `either`.
macro_rules! usual {
    (either, $layer:ident, $code:literal, $summary:literal) => {
        row(
            $code,
            Layer::$layer,
            Some(concat!("Login is unavailable (", $code, ")")),
            Some(concat!("Logout is unavailable (", $code, ")")),
            $summary,
        )
    };
    (login, $layer:ident, $code:literal, $summary:literal) => {
        row($code, Layer::$layer, Some(concat!("Login is unavailable (", $code, ")")), None, $summary)
    };
    (logout, $layer:ident, $code:literal, $summary:literal) => {
        row($code, Layer::$layer, None, Some(concat!("Logout is unavailable (", $code, ")")), $summary)
    };
}

/// A row of a login whose phone text is its own.
const fn own(code: u16, layer: Layer, text: &'static str, summary: &'static str) -> ErrorRow {
    row(code, layer, Some(text), None, summary)
}

/// A row whose number the phone never shows.
const fn internal(code: u16, text: &'static str, summary: &'static str) -> ErrorRow {
    ErrorRow { is_internal: true, ..own(code, Layer::EmService, text, summary) }
}

/// Both tables, by number.
static ROWS: [ErrorRow; 51] = [
    usual!(either, EmService, 0, "Unknown error"),
    usual!(either, EmService, 1, "Parsing error"),
    usual!(login, EmService, 2, "EMCC authentication error"),
    usual!(either, EmService, 3, "Invalid application user"),
    usual!(either, EmService, 4, "Policy validation error"),
    usual!(either, EmService, 5, "Device logon disabled"),
    usual!(either, EmService, 6, "Database error"),
    usual!(either, EmService, 8, "Query type undetermined"),
    usual!(either, EmService, 9, "Dir. user info error"),
    usual!(either, EmService, 10, "User lacks app proxy rights"),
    usual!(either, EmService, 11, "Device does not exist"),
    // The text reads as if meant for 11; phones show it as it stands.
    own(12, Layer::EmService, "Phone record entry is absent in the device table", "Device profile not found"),
    usual!(login, EmService, 18, "Another user logged in"),
    usual!(logout, EmService, 19, "No user logged in"),
    usual!(either, EmService, 20, "Hoteling flag error"),
    usual!(either, EmService, 21, "Hoteling status error"),
    usual!(login, EmService, 22, "Device logon disabled"),
    usual!(either, EmService, 23, "User does not exist"),
    own(25, Layer::EmService, "Multi-Login Not Allowed (25)", "User logged in elsewhere"),
    usual!(either, EmService, 26, "Busy, please try again"),
    usual!(either, EmService, 28, "Untrusted IP error"),
    usual!(either, EmService, 29, "RIS down - contact admin"),
    usual!(either, EmService, 30, "Proxy not allowed"),
    usual!(either, EmService, 31, "EMCC not activated for the user"),
    usual!(either, EmService, 32, "EMCC not supported"),
    usual!(either, EmService, 33, "No free EMCC dummy device"),
    usual!(either, EmService, 35, "Visiting cluster information not present in home cluster"),
    usual!(either, EmService, 36, "No remote cluster"),
    usual!(either, EmService, 37, "Duplicate device name"),
    usual!(either, EmService, 38, "EMCC not allowed"),
    internal(39, "Please try to login again (201)", "Configuration issue"),
    internal(40, "Please try to login again (23)", "No response from remote host"),
    internal(41, "PIN change is required", "PIN change is required"),
    usual!(either, EmService, 42, "Invalid ClusterID"),
    usual!(login, EmService, 43, "Device security mode error"),
    internal(44, "Please try to login again (201)", "Configuration issue"),
    own(45, Layer::EmService, "Login is unsuccessful (45)", "Remote cluster version not supported"),
    own(46, Layer::EmService, "Login is unsuccessful (46)", "Remote cluster security mode not supported"),
    own(47, Layer::EmService, "DN has multiple users (47)", "DN has multiple users"),
    own(201, Layer::EmApp, "Please try to login again (201)", "Authentication error"),
    own(202, Layer::EmApp, "Please try to login again (202)", "Blank user ID or PIN"),
    usual!(login, EmApp, 204, "Directory server error"),
    usual!(either, EmApp, 205, "User profile absent"),
    usual!(either, EmApp, 207, "Device name empty"),
    usual!(either, EmApp, 208, "EMService connection error"),
    usual!(either, EmApp, 210, "Init fail - contact admin"),
    usual!(either, EmApp, 211, "EMCC not activated"),
    usual!(login, EmApp, 212, "Cluster ID is invalid"),
    usual!(either, EmApp, 213, "EMCC not supported"),
    own(215, Layer::EmApp, "LoginType invalid (215)", "Login type is invalid"),
    own(216, Layer::EmApp, "DN has multiple users (216)", "DN has multiple users"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables 9 and 10: code and what the phone shows at login and at logout; `=` is the usual text with that number.
    const WANT: [(u16, &str, &str); 51] = [
        (201, "Please try to login again (201)", ""),
        (202, "Please try to login again (202)", ""),
        (204, "=", ""),
        (205, "=", "="),
        (207, "=", "="),
        (208, "=", "="),
        (210, "=", "="),
        (211, "=", "="),
        (212, "=", ""),
        (213, "=", "="),
        (215, "LoginType invalid (215)", ""),
        (216, "DN has multiple users (216)", ""),
        (0, "=", "="),
        (1, "=", "="),
        (2, "=", ""),
        (3, "=", "="),
        (4, "=", "="),
        (5, "=", "="),
        (6, "=", "="),
        (8, "=", "="),
        (9, "=", "="),
        (10, "=", "="),
        (11, "=", "="),
        (12, "Phone record entry is absent in the device table", ""),
        (18, "=", ""),
        (19, "", "="),
        (20, "=", "="),
        (21, "=", "="),
        (22, "=", ""),
        (23, "=", "="),
        (25, "Multi-Login Not Allowed (25)", ""),
        (26, "=", "="),
        (28, "=", "="),
        (29, "=", "="),
        (30, "=", "="),
        (31, "=", "="),
        (32, "=", "="),
        (33, "=", "="),
        (35, "=", "="),
        (36, "=", "="),
        (37, "=", "="),
        (38, "=", "="),
        (39, "Please try to login again (201)", ""),
        (40, "Please try to login again (23)", ""),
        (41, "PIN change is required", ""),
        (42, "=", "="),
        (43, "=", ""),
        (44, "Please try to login again (201)", ""),
        (45, "Login is unsuccessful (45)", ""),
        (46, "Login is unsuccessful (46)", ""),
        (47, "DN has multiple users (47)", ""),
    ];

    fn text(code: u16, word: &str, what: &str) -> Option<String> {
        match what {
            "" => None,
            "=" => Some(format!("{word} is unavailable ({code})")),
            own => Some(own.to_owned()),
        }
    }

    #[test]
    fn every_code_shows_what_its_table_says() {
        for (number, login, logout) in WANT {
            let row = Code::new(number).unwrap().row();
            assert_eq!(row.login.map(str::to_owned), text(number, "Login", login), "{number}");
            assert_eq!(row.logout.map(str::to_owned), text(number, "Logout", logout), "{number}");
            let layer = if number < 200 { Layer::EmService } else { Layer::EmApp };
            assert_eq!((row.code, row.layer), (number, layer), "{number}");
            assert!(!row.summary.is_empty(), "{number}");
        }
        assert_eq!(Code::all().count(), WANT.len());
        assert!(ROWS.is_sorted_by(|a, b| a.code < b.code));
    }

    /// E-1.
    #[test]
    fn a_code_of_no_table_does_not_exist() {
        for number in [7, 13, 14, 15, 16, 17, 24, 27, 34, 203, 206, 209, 214, 48, 200, 217, u16::MAX] {
            assert_eq!(Code::new(number), None, "{number}");
        }
        let known = (0..=u16::MAX).filter(|number| Code::new(*number).is_some()).count();
        assert_eq!(known, WANT.len());
    }

    /// Trap 3.
    #[test]
    fn internal_codes_show_another_number_or_none_trap_3() {
        let internal: Vec<u16> = Code::all().filter(|c| c.row().is_internal).map(Code::number).collect();
        assert_eq!(internal, [39, 40, 41, 44]);
        for code in Code::all() {
            let row = code.row();
            let number = format!("({})", code.number());
            let shows_own = row.login.or(row.logout).is_some_and(|shown| shown.contains(&number));
            assert_eq!(shows_own, !row.is_internal && code.number() != 12, "{code}");
        }
    }

    /// E-2: 216 is 47 within one cluster, 213 is 32, 212 is 42.
    #[test]
    fn the_twins_of_the_two_tables_are_both_there() {
        for (app, service) in [(216, 47), (213, 32), (212, 42)] {
            assert_eq!(Code::new(app).unwrap().row().layer, Layer::EmApp);
            assert_eq!(Code::new(service).unwrap().row().layer, Layer::EmService);
        }
        assert_eq!(Code::new(216).unwrap().row().summary, Code::new(47).unwrap().row().summary);
        assert_eq!(Code::new(213).unwrap().row().summary, Code::new(32).unwrap().row().summary);
    }
}
