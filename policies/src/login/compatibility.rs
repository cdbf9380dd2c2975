//! What a visiting and a home cluster of given versions and security modes can do with each other (tables 5 to 8,
//! C-1 to C-8). Table 5 is judged first; what fails there never reaches the security tables.

use std::fmt;

use smallvec::SmallVec;

use super::errors::Code;
use super::tables::{LoginTypeOutcome, LoginTypeRow, SecurityOutcome, SecurityRow, TABLE_5, TABLES_6_TO_8};
use super::{ClusterMode, Security, Version};

/// The first version that knows `loginType` in the service URL (C-2).
const LOGIN_TYPE_SINCE: Version = Version { major: 12, minor: 0 };
/// The first version that can carry a secure EMCC session.
const SECURE_SINCE: Version = Version { major: 9, minor: 0 };
/// The first version with EMCC at all; below it no table speaks.
const EMCC_SINCE: Version = Version { major: 8, minor: 0 };

const PARSING: Code = Code::known(1);
const SECURITY_MODE: Code = Code::known(43);
const OLD_HOME: Code = Code::known(45);
const NON_SECURE_HOME: Code = Code::known(46);
const LOGIN_TYPE: Code = Code::known(215);

/// `loginType` in the visiting cluster's service URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoginType {
    /// Not mentioned: the default URL. Not the same as [`LoginType::Uid`] (C-1).
    #[default]
    None,
    /// User ID.
    Uid,
    /// Self-service user ID.
    Sp,
    /// Primary extension.
    Dn,
    /// Anything else.
    Other,
}

impl LoginType {
    /// What the value of the URL parameter means.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        match value {
            "UID" => Self::Uid,
            "SP" => Self::Sp,
            "DN" => Self::Dn,
            _ => Self::Other,
        }
    }
}

/// The two clusters and the phone of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Version of the visiting cluster.
    pub vc_version: Version,
    /// Version of the home cluster.
    pub hc_version: Version,
    /// Of the visiting cluster's service URL.
    pub login_type: LoginType,
    /// Security mode of the home cluster.
    pub hc_mode: ClusterMode,
    /// Security mode of the visiting cluster.
    pub vc_mode: ClusterMode,
    /// Security mode of the visiting phone.
    pub phone: Security,
}

/// How a login ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginResult {
    /// The user is logged in.
    Success,
    /// The login fails.
    Fail,
    /// The two clusters never could; not the same as a failure (C-7).
    NotSupported,
}

impl LoginResult {
    /// Its spelling on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Fail => "fail",
            Self::NotSupported => "not-supported",
        }
    }
}

/// What the phone asks the user for, together with the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The user ID.
    UserId,
    /// The self-service user ID.
    SelfService,
    /// The primary extension.
    Extension,
}

impl Prompt {
    /// Its spelling on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserId => "user-id",
            Self::SelfService => "self-service",
            Self::Extension => "extension",
        }
    }
}

/// What the tables say of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ends.
    pub result: LoginResult,
    /// Which EMCC session the phone gets; only with success.
    pub emcc: Option<Security>,
    /// Why not; only without success.
    pub code: Option<Code>,
    /// What the phone asks before the result; `None` only for 215.
    pub prompt: Option<Prompt>,
    /// Whether the versions allow an encrypted phone configuration file (C-3); the TFTP flag must be on as well.
    pub config_encrypted_allowed: bool,
    /// The rows and rules that led here, in order.
    pub because: SmallVec<[Reason; 8]>,
}

impl Verdict {
    /// What the phone shows for the code.
    #[must_use]
    pub fn display(&self) -> Option<&'static str> {
        self.code.and_then(|code| code.row().login)
    }
}

/// A pairing no table knows: a mistake of the configuration, not a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// A secure phone in a non-secure visiting cluster (C-5).
    SecurePhoneInNonSecureCluster,
    /// A version from before EMCC.
    VersionWithoutEmcc(Version),
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecurePhoneInNonSecureCluster => {
                f.write_str("a phone cannot be secure in a non-secure visiting cluster (C-5)")
            }
            Self::VersionWithoutEmcc(version) => {
                write!(f, "version {version} has no EMCC; the first that has is {EMCC_SINCE}")
            }
        }
    }
}

impl std::error::Error for Impossible {}

/// A step of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The `loginType` is none of the three (215).
    LoginTypeUnknown,
    /// A row of table 5.
    LoginTypeRow(&'static LoginTypeRow),
    /// Both clusters are too old to know `loginType` (C-2).
    LoginTypeIgnored,
    /// A row of tables 6 to 8.
    SecurityRow(&'static SecurityRow),
    /// Row 8.5 says secure, and a non-secure phone is treated the same (C-4).
    LikeRow85,
    /// A non-secure phone of a mixed visiting cluster, a non-secure home cluster (C-5).
    NonSecurePhoneOfMixedCluster,
    /// Both clusters are 8.x (C-8).
    BothBeforeSecure(Security),
    /// Why that code and no other (C-6, C-7).
    CodeOf(Code),
    /// Whether the configuration file may be encrypted (C-3).
    ConfigEncryption(bool),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginTypeUnknown => f.write_str("loginType is none of UID, SP and DN: code 215 (table 9)"),
            Self::LoginTypeRow(row) => row.fmt(f),
            Self::LoginTypeIgnored => f.write_str("both clusters are below 12.0: loginType is ignored (C-2)"),
            Self::SecurityRow(row) => row.fmt(f),
            Self::LikeRow85 => f.write_str("a non-secure phone is treated like the phone of table 8 row 8.5 (C-4)"),
            Self::NonSecurePhoneOfMixedCluster => {
                f.write_str("no row has a non-secure phone of a mixed VC with a non-secure HC: non-secure EMCC (C-5)")
            }
            Self::BothBeforeSecure(Security::NonSecure) => {
                f.write_str("both clusters are 8.x and the phone is non-secure: non-secure EMCC (C-8)")
            }
            Self::BothBeforeSecure(Security::Secure) => {
                f.write_str("both clusters are 8.x and the phone is secure: not supported, code 43 (C-8)")
            }
            Self::CodeOf(code) => match code.number() {
                45 => f.write_str("the HC is 8.x: code 45, before 46 (C-6)"),
                46 => f.write_str("the HC is non-secure and not 8.x: code 46 (C-6)"),
                _ => write!(f, "an 8.x VC knows neither 45 nor 46: code {} (C-7)", code.number()),
            },
            Self::ConfigEncryption(true) => f.write_str(
                "both clusters are 9.x or later: the configuration file may be encrypted if TFTP does so (C-3)",
            ),
            Self::ConfigEncryption(false) => {
                f.write_str("a cluster is below 9.x: the configuration file stays unencrypted (C-3)")
            }
        }
    }
}

/// What the tables say of a login between these two clusters.
///
/// # Errors
/// A pairing the tables do not know and C-5 calls impossible; a version from before EMCC.
pub fn judge(pairing: &Pairing) -> Result<Verdict, Impossible> {
    for version in [pairing.vc_version, pairing.hc_version] {
        if version < EMCC_SINCE {
            return Err(Impossible::VersionWithoutEmcc(version));
        }
    }
    let config_encrypted_allowed = pairing.vc_version >= SECURE_SINCE && pairing.hc_version >= SECURE_SINCE;
    let mut because = SmallVec::new();
    let (prompt, refused) = login_type(pairing, &mut because);
    let outcome = match refused {
        Some(code) => Err((LoginResult::Fail, code)),
        None => security(pairing, &mut because)?,
    };
    because.push(Reason::ConfigEncryption(config_encrypted_allowed));
    let (result, emcc, code) = match outcome {
        Ok(emcc) => (LoginResult::Success, Some(emcc), None),
        Err((result, code)) => (result, None, Some(code)),
    };
    Ok(Verdict { result, emcc, code, prompt, config_encrypted_allowed, because })
}

/// Table 5: what the phone asks, and the code when the login ends here.
fn login_type(pairing: &Pairing, because: &mut SmallVec<[Reason; 8]>) -> (Option<Prompt>, Option<Code>) {
    let in_url = match pairing.login_type {
        LoginType::Other => {
            because.push(Reason::LoginTypeUnknown);
            return (None, Some(LOGIN_TYPE));
        }
        LoginType::None => false,
        LoginType::Uid | LoginType::Sp | LoginType::Dn => true,
    };
    let vc_knows = pairing.vc_version >= LOGIN_TYPE_SINCE;
    let hc_knows = pairing.hc_version >= LOGIN_TYPE_SINCE;
    let prompt = match pairing.login_type {
        LoginType::Sp if vc_knows => Prompt::SelfService,
        LoginType::Dn if vc_knows => Prompt::Extension,
        _ => Prompt::UserId,
    };
    let row = TABLE_5.iter().find(|row| (row.vc_knows, row.hc_knows, row.in_url) == (vc_knows, hc_knows, in_url));
    because.push(row.map_or(Reason::LoginTypeIgnored, Reason::LoginTypeRow));
    let cannot_parse = row.is_some_and(|row| row.outcome == LoginTypeOutcome::CannotParse);
    (Some(prompt), cannot_parse.then_some(PARSING))
}

type Session = Result<Security, (LoginResult, Code)>;

/// Tables 6 to 8 and what C-4, C-5 and C-8 add to them.
fn security(pairing: &Pairing, because: &mut SmallVec<[Reason; 8]>) -> Result<Session, Impossible> {
    let Pairing { hc_mode, vc_mode, phone, .. } = *pairing;
    let table = match (pairing.hc_version >= SECURE_SINCE, pairing.vc_version >= SECURE_SINCE) {
        (true, true) => Some(6),
        (true, false) => Some(7),
        (false, true) => Some(8),
        (false, false) => None,
    };
    let of_table = |row: &&SecurityRow| Some(row.table) == table;
    let row =
        TABLES_6_TO_8.iter().filter(of_table).find(|row| (row.hc, row.vc, row.phone) == (hc_mode, vc_mode, phone));
    if let Some(row) = row {
        because.push(Reason::SecurityRow(row));
        return Ok(match row.outcome {
            SecurityOutcome::Emcc(security) => Ok(security),
            SecurityOutcome::Fails => {
                let code = if table == Some(8) { OLD_HOME } else { NON_SECURE_HOME };
                because.push(Reason::CodeOf(code));
                Err((LoginResult::Fail, code))
            }
            SecurityOutcome::NotSupported => {
                because.push(Reason::CodeOf(SECURITY_MODE));
                Err((LoginResult::NotSupported, SECURITY_MODE))
            }
        });
    }
    if (phone, vc_mode) == (Security::Secure, ClusterMode::NonSecure) {
        return Err(Impossible::SecurePhoneInNonSecureCluster);
    }
    let (reason, session) = match (table, phone, vc_mode) {
        (None, Security::Secure, _) => {
            (Reason::BothBeforeSecure(phone), Err((LoginResult::NotSupported, SECURITY_MODE)))
        }
        (None, Security::NonSecure, _) => (Reason::BothBeforeSecure(phone), Ok(Security::NonSecure)),
        // Every secure phone of a mixed visiting cluster has a row, so only non-secure phones are left.
        (_, _, ClusterMode::Mixed) => (Reason::NonSecurePhoneOfMixedCluster, Ok(Security::NonSecure)),
        (_, _, ClusterMode::NonSecure) => (Reason::LikeRow85, Ok(Security::NonSecure)),
    };
    because.push(reason);
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::ClusterMode::{Mixed, NonSecure as Plain};
    use crate::login::Security::{NonSecure, Secure};

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn versions(vc: &str, hc: &str, login_type: LoginType) -> Pairing {
        Pairing {
            vc_version: version(vc),
            hc_version: version(hc),
            login_type,
            hc_mode: Mixed,
            vc_mode: Mixed,
            phone: NonSecure,
        }
    }

    fn modes(hc: (&str, ClusterMode), vc: (&str, ClusterMode), phone: Security) -> Pairing {
        Pairing { hc_mode: hc.1, vc_mode: vc.1, phone, ..versions(vc.0, hc.0, LoginType::None) }
    }

    fn sentences(verdict: &Verdict) -> Vec<String> {
        verdict.because.iter().map(Reason::to_string).collect()
    }

    #[test]
    fn every_row_of_table_5() {
        use LoginType::{Dn, None as No, Sp, Uid};
        use Prompt::{Extension, SelfService, UserId};
        for (row, vc, hc, login_type, prompt, code) in [
            ("row 1", "12.0", "12.0", No, UserId, None),
            ("row 2", "12.0", "12.0", Uid, UserId, None),
            ("row 2", "12.0", "12.0", Sp, SelfService, None),
            ("row 2", "12.0", "12.0", Dn, Extension, None),
            ("row 3", "12.0", "11.5", No, UserId, None),
            ("row 4", "12.0", "11.5", Uid, UserId, Some(1)),
            ("row 4", "12.0", "11.5", Sp, SelfService, Some(1)),
            ("row 4", "12.0", "11.5", Dn, Extension, Some(1)),
            ("row 4", "12.0", "9.1", Uid, UserId, Some(1)),
            ("row 4", "14", "8.6(1)", Dn, Extension, Some(1)),
            ("row 5", "11.5", "12.0", No, UserId, None),
            ("row 6", "11.5", "12.0", Uid, UserId, None),
            ("row 6", "11.5", "12.0", Sp, UserId, None),
            ("row 6", "11.5", "12.0", Dn, UserId, None),
            ("row 6", "10.5(2)", "12.5(1)SU2", Dn, UserId, None),
            ("(C-2)", "11.5", "11.5", No, UserId, None),
            ("(C-2)", "11.5", "11.5", Sp, UserId, None),
            ("(C-2)", "9.1", "11.5", Dn, UserId, None),
            ("row 1", "12.5", "14.0", No, UserId, None),
            ("row 2", "15", "12.5", Sp, SelfService, None),
        ] {
            let case = format!("VC {vc} HC {hc} {login_type:?}");
            let verdict = judge(&versions(vc, hc, login_type)).unwrap();
            assert_eq!(verdict.code.map(Code::number), code, "{case}");
            let want = if code.is_some() { LoginResult::Fail } else { LoginResult::Success };
            assert_eq!((verdict.result, verdict.prompt), (want, Some(prompt)), "{case}");
            assert_eq!(verdict.emcc.is_some(), code.is_none(), "{case}");
            assert!(sentences(&verdict)[0].contains(row), "{case}: {:?}", sentences(&verdict));
        }
    }

    /// Traps 1 and 2.
    #[test]
    fn uid_in_the_url_is_not_the_default_url_and_error_1_is_positive_traps_1_and_2() {
        let failed = judge(&versions("12.0", "11.5", LoginType::Uid)).unwrap();
        assert_eq!((failed.result, failed.code.map(Code::number)), (LoginResult::Fail, Some(1)));
        assert_eq!(failed.display(), Some("Login is unavailable (1)"));
        assert_eq!(
            sentences(&failed)[0],
            "table 5 row 4: VC 12.0 or later, HC 11.5 or lower, UID, SP or DN in the URL: \
             fails with code 1, for UID too (C-1)"
        );
        let default_url = judge(&versions("12.0", "11.5", LoginType::None)).unwrap();
        assert_eq!((default_url.result, default_url.code), (LoginResult::Success, None));
        assert_eq!(default_url.display(), None);
    }

    #[test]
    fn any_other_login_type_is_215_and_prompts_nothing() {
        for (vc, hc) in [("12.0", "12.0"), ("12.0", "11.5"), ("11.5", "12.0"), ("8.6", "8.6")] {
            let verdict = judge(&versions(vc, hc, LoginType::Other)).unwrap();
            assert_eq!((verdict.result, verdict.prompt, verdict.emcc), (LoginResult::Fail, None, None), "{vc} {hc}");
            assert_eq!(verdict.display(), Some("LoginType invalid (215)"), "{vc} {hc}");
        }
        for (value, want) in [
            ("UID", LoginType::Uid),
            ("SP", LoginType::Sp),
            ("DN", LoginType::Dn),
            ("OTHER", LoginType::Other),
            ("uid", LoginType::Other),
            ("", LoginType::Other),
        ] {
            assert_eq!(LoginType::parse(value), want, "{value}");
        }
    }

    type Want = Result<Security, (LoginResult, u16)>;

    #[test]
    fn every_row_of_tables_6_to_8() {
        let fails = |code| Err((LoginResult::Fail, code));
        let not_supported: Want = Err((LoginResult::NotSupported, 43));
        let rows: [(&str, &str, &str, ClusterMode, ClusterMode, Security, Want); 15] = [
            ("row 6.1", "9.0", "9.1", Mixed, Mixed, Secure, Ok(Secure)),
            ("row 6.2", "12.5", "9.1", Mixed, Mixed, NonSecure, Ok(NonSecure)),
            ("row 6.3", "9.0", "9.1", Mixed, Plain, NonSecure, Ok(NonSecure)),
            ("row 6.4", "9.0", "11.5", Plain, Mixed, Secure, fails(46)),
            ("row 6.5", "9.0", "9.1", Plain, Plain, NonSecure, Ok(NonSecure)),
            ("row 7.1", "9.0", "8.6", Mixed, Mixed, Secure, not_supported),
            ("row 7.2", "9.0", "8.6", Mixed, Mixed, NonSecure, Ok(NonSecure)),
            ("row 7.3", "9.0", "8.6", Mixed, Plain, NonSecure, Ok(NonSecure)),
            ("row 7.4", "9.0", "8.6", Plain, Mixed, Secure, not_supported),
            ("row 7.5", "9.0", "8.6", Plain, Plain, NonSecure, Ok(NonSecure)),
            ("row 8.1", "8.6", "9.1", Mixed, Mixed, Secure, fails(45)),
            ("row 8.2", "8.6", "9.1", Mixed, Mixed, NonSecure, Ok(NonSecure)),
            ("row 8.3", "8.6", "9.1", Mixed, Plain, NonSecure, Ok(NonSecure)),
            ("row 8.4", "8.6", "9.1", Plain, Mixed, Secure, fails(45)),
            ("row 8.5", "8.6", "9.1", Plain, Plain, Secure, Ok(NonSecure)),
        ];
        for (row, hc, vc, hc_mode, vc_mode, phone, want) in rows {
            let verdict = judge(&modes((hc, hc_mode), (vc, vc_mode), phone)).unwrap();
            let got = match verdict.emcc {
                Some(security) => Ok(security),
                None => Err((verdict.result, verdict.code.unwrap().number())),
            };
            assert_eq!(got, want, "{row}");
            assert_eq!(verdict.emcc.is_some(), verdict.result == LoginResult::Success, "{row}");
            assert!(sentences(&verdict)[1].contains(&format!("{row}:")), "{row}: {:?}", sentences(&verdict));
        }
    }

    /// Trap 4 and C-7.
    #[test]
    fn not_supported_is_not_login_fails_trap_4() {
        let old_visited = judge(&modes(("9.1", Mixed), ("8.6", Mixed), Secure)).unwrap();
        assert_eq!(
            (old_visited.result.name(), old_visited.display()),
            ("not-supported", Some("Login is unavailable (43)"))
        );
        let old_home = judge(&modes(("8.6", Mixed), ("9.1", Mixed), Secure)).unwrap();
        assert_eq!((old_home.result.name(), old_home.display()), ("fail", Some("Login is unsuccessful (45)")));
        let plain_home = judge(&modes(("9.1", Plain), ("9.1", Mixed), Secure)).unwrap();
        assert_eq!(plain_home.display(), Some("Login is unsuccessful (46)"));
    }

    /// C-3: by version alone, however the login ends.
    #[test]
    fn the_configuration_may_be_encrypted_only_between_9_and_9() {
        for (vc, hc, login_type, want) in [
            ("9.0", "9.0", LoginType::None, true),
            ("12.0", "11.5", LoginType::Uid, true),
            ("12.0", "12.0", LoginType::Other, true),
            ("8.6", "12.0", LoginType::None, false),
            ("12.0", "8.6", LoginType::None, false),
            ("8.6", "8.6", LoginType::None, false),
        ] {
            let verdict = judge(&versions(vc, hc, login_type)).unwrap();
            assert_eq!(verdict.config_encrypted_allowed, want, "VC {vc} HC {hc}");
            assert!(sentences(&verdict).last().unwrap().contains("(C-3)"));
        }
    }

    /// C-4.
    #[test]
    fn a_non_secure_phone_is_treated_like_that_of_row_8_5() {
        let verdict = judge(&modes(("8.6", Plain), ("9.1", Plain), NonSecure)).unwrap();
        assert_eq!(verdict.emcc, Some(NonSecure));
        assert!(sentences(&verdict)[1].contains("(C-4)"));
    }

    /// C-5.
    #[test]
    fn a_non_secure_phone_of_a_mixed_cluster_gets_non_secure_emcc_of_a_non_secure_home() {
        for (hc, vc) in [("9.1", "9.1"), ("9.1", "8.6"), ("8.6", "9.1"), ("8.6", "8.6")] {
            let verdict = judge(&modes((hc, Plain), (vc, Mixed), NonSecure)).unwrap();
            assert_eq!(verdict.emcc, Some(NonSecure), "HC {hc} VC {vc}");
        }
    }

    /// C-5.
    #[test]
    fn a_secure_phone_in_a_non_secure_cluster_is_impossible_save_row_8_5() {
        for (hc, hc_mode, vc) in [
            ("9.1", Mixed, "9.1"),
            ("9.1", Plain, "9.1"),
            ("9.1", Mixed, "8.6"),
            ("9.1", Plain, "8.6"),
            ("8.6", Mixed, "9.1"),
            ("8.6", Mixed, "8.6"),
            ("8.6", Plain, "8.6"),
        ] {
            let got = judge(&modes((hc, hc_mode), (vc, Plain), Secure));
            assert_eq!(got, Err(Impossible::SecurePhoneInNonSecureCluster), "HC {hc} {hc_mode:?} VC {vc}");
        }
        assert!(Impossible::SecurePhoneInNonSecureCluster.to_string().contains("(C-5)"));
    }

    #[test]
    fn table_5_is_judged_before_the_security_tables() {
        let mut pairing = modes(("11.5", Plain), ("12.0", Mixed), Secure);
        assert_eq!(judge(&pairing).unwrap().code.map(Code::number), Some(46));
        pairing.login_type = LoginType::Dn;
        assert_eq!(judge(&pairing).unwrap().code.map(Code::number), Some(1));
        pairing.vc_mode = Plain;
        assert_eq!(judge(&pairing).unwrap().code.map(Code::number), Some(1), "it never got as far as C-5");
    }

    /// C-8.
    #[test]
    fn between_two_8_x_clusters_only_non_secure_phones_log_in() {
        for hc_mode in [Mixed, Plain] {
            let verdict = judge(&modes(("8.6", hc_mode), ("8.0", Mixed), Secure)).unwrap();
            assert_eq!((verdict.result, verdict.code.map(Code::number)), (LoginResult::NotSupported, Some(43)));
            for vc_mode in [Mixed, Plain] {
                let verdict = judge(&modes(("8.6", hc_mode), ("8.0", vc_mode), NonSecure)).unwrap();
                assert_eq!(verdict.emcc, Some(NonSecure));
                assert!(sentences(&verdict)[1].contains("(C-8)"));
            }
        }
    }

    #[test]
    fn a_version_from_before_emcc_is_impossible() {
        let got = judge(&versions("7.1", "12.0", LoginType::None));
        assert_eq!(got, Err(Impossible::VersionWithoutEmcc(version("7.1"))));
        assert_eq!(got.unwrap_err().to_string(), "version 7.1 has no EMCC; the first that has is 8.0");
    }

    /// C-6, over every pairing: 45 iff the home is 8.x, 46 iff it is later and non-secure, both only for a secure phone
    /// of a mixed visiting cluster of 9.x or later.
    #[test]
    fn the_codes_are_what_c_6_says_everywhere() {
        let all = ["8.0", "8.6", "9.0", "11.5", "12.0", "15"];
        for (hc, vc) in all.iter().flat_map(|hc| all.iter().map(move |vc| (*hc, *vc))) {
            for bits in 0..8 {
                let hc_mode = if bits & 1 == 0 { Mixed } else { Plain };
                let vc_mode = if bits & 2 == 0 { Mixed } else { Plain };
                let phone = if bits & 4 == 0 { Secure } else { NonSecure };
                let Ok(verdict) = judge(&modes((hc, hc_mode), (vc, vc_mode), phone)) else {
                    assert_eq!((phone, vc_mode), (Secure, Plain));
                    continue;
                };
                let exposed = version(vc).major >= 9 && vc_mode == Mixed && phone == Secure;
                let want = match (exposed, version(hc).major, hc_mode) {
                    (true, 8, _) => Some(45),
                    (true, _, Plain) => Some(46),
                    (false, _, _) if phone == Secure && vc_mode == Mixed => Some(43),
                    _ => None,
                };
                assert_eq!(verdict.code.map(Code::number), want, "HC {hc} {hc_mode:?} VC {vc} {vc_mode:?} {phone:?}");
                assert_eq!(verdict.result == LoginResult::NotSupported, want == Some(43));
                assert_eq!(verdict.emcc == Some(Secure), want.is_none() && phone == Secure && vc_mode == Mixed);
                assert!(verdict.because.len() <= 8 && verdict.prompt == Some(Prompt::UserId));
            }
        }
    }

    #[test]
    fn words_are_those_of_the_command_line() {
        let results = [LoginResult::Success, LoginResult::Fail, LoginResult::NotSupported].map(LoginResult::name);
        assert_eq!(results, ["success", "fail", "not-supported"]);
        let prompts = [Prompt::UserId, Prompt::SelfService, Prompt::Extension].map(Prompt::name);
        assert_eq!(prompts, ["user-id", "self-service", "extension"]);
        assert_eq!([Secure, NonSecure].map(Security::name), ["secure", "non-secure"]);
    }
}
