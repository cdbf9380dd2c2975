//! The order in which a login or a logout is checked; the first failure ends it (C-9, C-9a).
//!
//! A [`Check`] is named by what must hold. [`Facts`] says of each check whether it held, did not, or was not asked:
//! the visiting cluster cannot know what the home cluster will find, and `explain` knows only what it is told.

use super::errors::Code;

/// Makes the checks, each with the code of its failure, from one list.
macro_rules! checks {
    ($($(#[$doc:meta])+ $name:ident = $code:literal,)+) => {
        /// Something that must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Check { $($(#[$doc])+ $name,)+ }

        impl Check {
            /// Every check; the orders are [`login_order`] and [`LOGOUT`].
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code of its failure.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$name => const { Code::known($code) },)+ }
            }
        }
    };
}

checks! {
    /// The request names the device.
    DeviceNamed = 207,
    /// `loginType` is absent or one of UID, SP and DN.
    LoginTypeKnown = 215,
    /// User ID and PIN are not blank.
    CredentialsGiven = 202,
    /// EMApp came up.
    EmAppReady = 210,
    /// EMApp reaches an EMService of its own cluster.
    EmServiceReached = 208,
    /// EMService is below its Maximum Concurrent Requests (L-20).
    BelowConcurrentRequests = 26,
    /// The request's source address is trusted, or addresses are not validated (L-20).
    SourceTrusted = 28,
    /// The request came through no proxy, or proxies are allowed (L-20).
    ProxyAllowed = 30,
    /// The request's application user is one.
    AppUserKnown = 3,
    /// The application user may act for others.
    AppUserMayActForOthers = 10,
    /// The query is one of those there are.
    QueryKnown = 8,
    /// The device exists.
    DeviceExists = 11,
    /// The device has Extension Mobility enabled, for a login by the Services button or the API.
    DeviceEnabledForServices = 22,
    /// EMApp knows the phone's model as one with EMCC.
    PhoneModelCapable = 213,
    /// Nobody else is logged in on the phone.
    PhoneFree = 18,
    /// The device has Extension Mobility enabled, when EMService executes a local user's login.
    DeviceEnabledForLogin = 5,
    /// The local user's record is readable.
    LocalUserRead = 205,
    /// The extension is primary for one local user.
    LocalExtensionUnique = 216,
    /// The local user's PIN is right.
    LocalPinRight = 204,
    /// PSTN Access is active in the visiting cluster's profile.
    PstnAccessActive = 211,
    /// EMCC is active in the visiting cluster's profile.
    EmccActive = 201,
    /// A remote cluster is configured.
    RemoteClusterConfigured = 36,
    /// A remote cluster is usable for a login (L-32).
    RemoteClusterUsable = 208,
    /// A remote cluster acknowledges the user.
    UserFound = 23,
    /// The remote clusters answered.
    RemoteAnswered = 40,
    /// The home cluster's EMService is reached.
    HomeReached = 208,
    /// The home cluster can read the request (table 5 row 4 among others).
    RequestParsed = 1,
    /// The home cluster has an entry for the visiting cluster.
    VisitingClusterKnown = 35,
    /// The remote cluster's ID was valid in its last update (L-30).
    RemoteClusterIdValid = 42,
    /// The cluster ID in the login is valid (L-30).
    ClusterIdValid = 44,
    /// The home cluster as such allows EMCC (C-10).
    HomeAllowsEmcc = 38,
    /// The user is enabled for EMCC (C-10).
    UserEnabledForEmcc = 31,
    /// The extension is primary for one user.
    ExtensionUnique = 47,
    /// The PIN is right.
    PinRight = 2,
    /// The PIN need not be changed.
    PinCurrent = 41,
    /// The home cluster's version can carry the phone's security (C-6).
    HomeVersionSecure = 45,
    /// The home cluster's mode can carry the phone's security (C-6).
    HomeModeSecure = 46,
    /// The phone is non-secure where the visiting cluster is 8.x (C-7).
    PhoneNonSecureForOldVisiting = 43,
    /// The home cluster knows the phone's model as one with EMCC.
    ModelCapable = 32,
    /// The user is logged in nowhere else, or may be (L-19).
    LoggedInNowhereElse = 25,
    /// The user has a device profile.
    ProfileExists = 12,
    /// The home cluster has no device of that name.
    DeviceNameUnique = 37,
    /// An EMCC base device is free (L-5).
    BaseDeviceFree = 33,
    /// The base device's own security mode is non-secure.
    BaseDeviceNonSecure = 43,
    /// The TFTP servers for EMCC devices are set (L-8).
    TftpServersSet = 39,
    /// The device of a logout has Extension Mobility enabled.
    DeviceEnabledForLogout = 20,
    /// Somebody is logged in whom the logout logs out.
    SomebodyLoggedIn = 19,
}

use Check as C;

/// Until it is known whether the user is a local one.
const BEFORE_USER: [Check; 15] = [
    C::DeviceNamed,
    C::LoginTypeKnown,
    C::CredentialsGiven,
    C::EmAppReady,
    C::EmServiceReached,
    C::BelowConcurrentRequests,
    C::SourceTrusted,
    C::ProxyAllowed,
    C::AppUserKnown,
    C::AppUserMayActForOthers,
    C::QueryKnown,
    C::DeviceExists,
    C::DeviceEnabledForServices,
    C::PhoneModelCapable,
    C::PhoneFree,
];

/// A local user: plain Extension Mobility, nothing of EMCC is asked.
const LOCAL_USER: [Check; 6] = [
    C::DeviceEnabledForLogin,
    C::LocalUserRead,
    C::LocalExtensionUnique,
    C::LocalPinRight,
    C::LoggedInNowhereElse,
    C::ProfileExists,
];

/// Anyone else: first the visiting cluster, from [`Check::RequestParsed`] on the home cluster.
const REMOTE_USER: [Check; 26] = [
    C::PstnAccessActive,
    C::EmccActive,
    C::RemoteClusterConfigured,
    C::RemoteClusterUsable,
    C::UserFound,
    C::RemoteAnswered,
    C::HomeReached,
    C::RequestParsed,
    C::VisitingClusterKnown,
    C::RemoteClusterIdValid,
    C::ClusterIdValid,
    C::HomeAllowsEmcc,
    C::UserEnabledForEmcc,
    C::ExtensionUnique,
    C::PinRight,
    C::PinCurrent,
    C::HomeVersionSecure,
    C::HomeModeSecure,
    C::PhoneNonSecureForOldVisiting,
    C::ModelCapable,
    C::LoggedInNowhereElse,
    C::ProfileExists,
    C::DeviceNameUnique,
    C::BaseDeviceFree,
    C::BaseDeviceNonSecure,
    C::TftpServersSet,
];

/// The order of a logout.
pub const LOGOUT: [Check; 12] = [
    C::DeviceNamed,
    C::EmAppReady,
    C::EmServiceReached,
    C::BelowConcurrentRequests,
    C::SourceTrusted,
    C::ProxyAllowed,
    C::AppUserKnown,
    C::AppUserMayActForOthers,
    C::QueryKnown,
    C::DeviceExists,
    C::DeviceEnabledForLogout,
    C::SomebodyLoggedIn,
];

/// The order of a login. Whether the user is local is told by the home-cluster flag of the user's record, not by there
/// being a record (L-12).
pub fn login_order(user_is_local: bool) -> impl Iterator<Item = Check> {
    let rest: &'static [Check] = if user_is_local { &LOCAL_USER } else { &REMOTE_USER };
    BEFORE_USER.iter().chain(rest).copied()
}

/// What is known of the checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    asked: u64,
    failed: u64,
    /// The user's record here has the home-cluster flag (L-12); false, too, when there is no record.
    pub user_is_local: bool,
}

/// A bit a check.
const _: () = assert!(Check::ALL.len() <= 64);

impl Facts {
    /// Notes whether `check` holds.
    pub const fn note(&mut self, check: Check, holds: bool) {
        let bit = 1 << check as u64;
        self.asked |= bit;
        if holds {
            self.failed &= !bit;
        } else {
            self.failed |= bit;
        }
    }

    /// Whether `check` holds; `None` when it was not asked.
    #[must_use]
    pub const fn get(&self, check: Check) -> Option<bool> {
        let bit = 1 << check as u64;
        if self.asked & bit == 0 { None } else { Some(self.failed & bit == 0) }
    }
}

/// The first check of a login that does not hold. One that was not asked ends nothing.
#[must_use]
pub fn first_failure(facts: &Facts) -> Option<Check> {
    login_order(facts.user_is_local).find(|check| facts.get(*check) == Some(false))
}

/// The first check of a logout that does not hold. One that was not asked ends nothing.
#[must_use]
pub fn first_logout_failure(facts: &Facts) -> Option<Check> {
    LOGOUT.into_iter().find(|check| facts.get(*check) == Some(false))
}

/// A fault of the store, which ends whichever check it happens in (C-9a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// While a request was validated.
    Validating,
    /// While a query was executed.
    Query,
    /// While a user was read.
    UserRead,
    /// While the current status was read.
    StatusRead,
    /// While device states were read.
    DeviceStates,
    /// Anything else.
    Other,
}

impl StoreFault {
    /// The code it is answered with.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Validating => const { Code::known(4) },
            Self::Query => const { Code::known(6) },
            Self::UserRead => const { Code::known(9) },
            Self::StatusRead => const { Code::known(21) },
            Self::DeviceStates => const { Code::known(29) },
            Self::Other => const { Code::known(0) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(order: impl Iterator<Item = Check>) -> Vec<u16> {
        order.map(|check| check.code().number()).collect()
    }

    #[test]
    fn the_codes_come_in_the_order_of_c_9() {
        let before_user = [207, 215, 202, 210, 208, 26, 28, 30, 3, 10, 8, 11, 22, 213, 18];
        let visiting = [211, 201, 36, 208, 23, 40, 208];
        let home = [1, 35, 42, 44, 38, 31, 47, 2, 41, 45, 46, 43, 32, 25, 12, 37, 33, 43, 39];
        let want: Vec<u16> = before_user.into_iter().chain(visiting).chain(home).collect();
        assert_eq!(numbers(login_order(false)), want);
        let local: Vec<u16> = before_user.into_iter().chain([5, 205, 216, 204, 25, 12]).collect();
        assert_eq!(numbers(login_order(true)), local);
        assert_eq!(numbers(LOGOUT.into_iter()), [207, 210, 208, 26, 28, 30, 3, 10, 8, 11, 20, 19]);
    }

    /// 212 belongs to the remote cluster update (L-30), which is no login.
    #[test]
    fn every_code_but_212_belongs_to_a_check_or_a_store_fault() {
        use StoreFault::{DeviceStates, Other, Query, StatusRead, UserRead, Validating};
        let checks = Check::ALL.iter().map(|check| check.code());
        let faults = [Validating, Query, UserRead, StatusRead, DeviceStates, Other].map(StoreFault::code);
        let made: Vec<Code> = checks.chain(faults).collect();
        let left: Vec<u16> = Code::all().filter(|code| !made.contains(code)).map(Code::number).collect();
        assert_eq!(left, [212]);
    }

    #[test]
    fn every_check_stands_in_an_order() {
        for check in Check::ALL {
            let placed = login_order(false).chain(login_order(true)).chain(LOGOUT).any(|placed| placed == *check);
            assert!(placed, "{check:?}");
        }
    }

    #[test]
    fn what_a_login_can_fail_with_has_a_text_for_a_login_and_a_logout_for_a_logout() {
        for check in login_order(false).chain(login_order(true)) {
            assert!(check.code().row().login.is_some(), "{check:?}");
        }
        for check in LOGOUT {
            assert!(check.code().row().logout.is_some(), "{check:?}");
        }
    }

    /// Trap 5.
    #[test]
    fn inactive_pstn_access_blocks_the_login_before_emcc_is_looked_at_p19_trap_5() {
        let mut facts = Facts::default();
        facts.note(Check::EmccActive, true);
        facts.note(Check::PstnAccessActive, false);
        let failed = first_failure(&facts).unwrap();
        assert_eq!(failed.code().row().login, Some("Login is unavailable (211)"));
        facts.note(Check::PinRight, false);
        facts.note(Check::EmccActive, false);
        assert_eq!(first_failure(&facts), Some(Check::PstnAccessActive));
        facts.note(Check::PstnAccessActive, true);
        assert_eq!(first_failure(&facts), Some(Check::EmccActive));
    }

    /// L-12.
    #[test]
    fn emcc_is_not_asked_for_a_local_user_and_a_synchronised_copy_is_none_l12_trap_19() {
        let mut facts = Facts { user_is_local: true, ..Facts::default() };
        facts.note(Check::PstnAccessActive, false);
        facts.note(Check::LocalPinRight, false);
        assert_eq!(first_failure(&facts), Some(Check::LocalPinRight));
        facts.user_is_local = false;
        assert_eq!(first_failure(&facts), Some(Check::PstnAccessActive));
    }

    /// C-6, row 8.4: both meet, 45 is reported.
    #[test]
    fn the_version_is_tested_before_the_mode() {
        let mut facts = Facts::default();
        facts.note(Check::HomeModeSecure, false);
        facts.note(Check::HomeVersionSecure, false);
        assert_eq!(first_failure(&facts).map(|check| check.code().number()), Some(45));
    }

    #[test]
    fn a_logout_fails_by_its_own_order() {
        let mut facts = Facts::default();
        facts.note(Check::SomebodyLoggedIn, false);
        assert_eq!(first_logout_failure(&facts).map(|check| check.code().number()), Some(19));
        assert_eq!(first_failure(&facts), None);
        facts.note(Check::DeviceEnabledForLogout, false);
        assert_eq!(first_logout_failure(&facts).map(|check| check.code().number()), Some(20));
    }

    #[test]
    fn what_was_not_asked_ends_nothing() {
        assert_eq!(first_failure(&Facts::default()), None);
        assert!(Check::ALL.iter().all(|check| Facts::default().get(*check).is_none()));
    }

    proptest! {
        #[test]
        fn the_first_of_several_failures_decides(
            noted in prop::collection::vec((0..Check::ALL.len(), any::<bool>()), 0..60), user_is_local: bool,
        ) {
            let mut facts = Facts { user_is_local, ..Facts::default() };
            for (at, holds) in &noted {
                facts.note(Check::ALL[*at], *holds);
                prop_assert_eq!(facts.get(Check::ALL[*at]), Some(*holds));
            }
            let failed = |check: &Check| {
                noted.iter().rev().find(|(at, _)| Check::ALL[*at] == *check).is_some_and(|(_, holds)| !holds)
            };
            prop_assert_eq!(first_failure(&facts), login_order(user_is_local).find(failed));
        }
    }
}
