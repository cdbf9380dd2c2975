//! Tables 5 to 8 as data: `loginType` across versions, and security modes. [`super::compatibility`] judges by them.

use std::fmt;

use super::{ClusterMode, Security};

/// A row of table 5: `loginType` across versions.
#[derive(Debug, PartialEq, Eq)]
pub struct LoginTypeRow {
    pub(super) row: u8,
    pub(super) vc_knows: bool,
    pub(super) hc_knows: bool,
    pub(super) in_url: bool,
    pub(super) outcome: LoginTypeOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginTypeOutcome {
    Success,
    SuccessIgnored,
    CannotParse,
}

/// Table 5. `vc` and `hc`: 12.0 or later.
pub(super) static TABLE_5: [LoginTypeRow; 6] = {
    use LoginTypeOutcome::{CannotParse, Success, SuccessIgnored};
    const fn row(row: u8, vc_knows: bool, hc_knows: bool, in_url: bool, outcome: LoginTypeOutcome) -> LoginTypeRow {
        LoginTypeRow { row, vc_knows, hc_knows, in_url, outcome }
    }
    [
        row(1, true, true, false, Success),
        row(2, true, true, true, Success),
        row(3, true, false, false, Success),
        row(4, true, false, true, CannotParse),
        row(5, false, true, false, Success),
        row(6, false, true, true, SuccessIgnored),
    ]
};

impl fmt::Display for LoginTypeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = |knows| if knows { "12.0 or later" } else { "11.5 or lower" };
        let url = if self.in_url { "UID, SP or DN in the URL" } else { "no loginType in the URL" };
        let outcome = match self.outcome {
            LoginTypeOutcome::Success => "success",
            LoginTypeOutcome::SuccessIgnored => "success, loginType ignored, the phone asks for the user ID",
            LoginTypeOutcome::CannotParse => "fails with code 1, for UID too (C-1)",
        };
        let (row, vc, hc) = (self.row, age(self.vc_knows), age(self.hc_knows));
        write!(f, "table 5 row {row}: VC {vc}, HC {hc}, {url}: {outcome}")
    }
}

/// A row of tables 6 to 8: security modes.
#[derive(Debug, PartialEq, Eq)]
pub struct SecurityRow {
    pub(super) table: u8,
    pub(super) row: u8,
    pub(super) hc: ClusterMode,
    pub(super) vc: ClusterMode,
    pub(super) phone: Security,
    pub(super) outcome: SecurityOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecurityOutcome {
    Emcc(Security),
    Fails,
    NotSupported,
}

/// Tables 6 (both 9.x or later), 7 (VC 8.x) and 8 (HC 8.x). Row 8.5 says "secure" in every release (C-4).
pub(super) static TABLES_6_TO_8: [SecurityRow; 15] = {
    use ClusterMode::{Mixed, NonSecure as Plain};
    use Security::{NonSecure, Secure};
    use SecurityOutcome::{Emcc, Fails, NotSupported};
    const fn row(
        number: (u8, u8),
        modes: (ClusterMode, ClusterMode, Security),
        outcome: SecurityOutcome,
    ) -> SecurityRow {
        SecurityRow { table: number.0, row: number.1, hc: modes.0, vc: modes.1, phone: modes.2, outcome }
    }
    [
        row((6, 1), (Mixed, Mixed, Secure), Emcc(Secure)),
        row((6, 2), (Mixed, Mixed, NonSecure), Emcc(NonSecure)),
        row((6, 3), (Mixed, Plain, NonSecure), Emcc(NonSecure)),
        row((6, 4), (Plain, Mixed, Secure), Fails),
        row((6, 5), (Plain, Plain, NonSecure), Emcc(NonSecure)),
        row((7, 1), (Mixed, Mixed, Secure), NotSupported),
        row((7, 2), (Mixed, Mixed, NonSecure), Emcc(NonSecure)),
        row((7, 3), (Mixed, Plain, NonSecure), Emcc(NonSecure)),
        row((7, 4), (Plain, Mixed, Secure), NotSupported),
        row((7, 5), (Plain, Plain, NonSecure), Emcc(NonSecure)),
        row((8, 1), (Mixed, Mixed, Secure), Fails),
        row((8, 2), (Mixed, Mixed, NonSecure), Emcc(NonSecure)),
        row((8, 3), (Mixed, Plain, NonSecure), Emcc(NonSecure)),
        row((8, 4), (Plain, Mixed, Secure), Fails),
        row((8, 5), (Plain, Plain, Secure), Emcc(NonSecure)),
    ]
};

impl fmt::Display for SecurityRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            SecurityOutcome::Emcc(Security::Secure) => "secure EMCC",
            SecurityOutcome::Emcc(Security::NonSecure) => "non-secure EMCC",
            SecurityOutcome::Fails => "login fails",
            SecurityOutcome::NotSupported => "not supported",
        };
        let (table, row) = (self.table, self.row);
        let (hc, vc, phone) = (self.hc.name(), self.vc.name(), self.phone.name());
        write!(f, "table {table} row {table}.{row}: HC {hc}, VC {vc}, phone {phone}: {outcome}")
    }
}
