//! The visited cluster's side of PSTN access: whether an INVITE of the trunk is taken, and which search space and device
//! pool it gets (P-9, P-11, P-14, P-15).

use crate::emergency::Alarm;
use crate::route::DevicePoolId;
use crate::search_space::CssId;
use crate::trail::{Step, Trail};

/// A remote cluster of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u32);

/// The feature parameter "CSS for PSTN Access SIP Trunk".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PstnAccessCss {
    /// The trunk's own search space.
    #[default]
    Trunk,
    /// The search space of the phone as configured here, without a line's.
    OriginalDevice,
}

/// The phone an INVITE of the trunk names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedPhone {
    /// One of this cluster.
    Known {
        /// Its original device pool.
        device_pool: Option<DevicePoolId>,
        /// Its own search space.
        css: Option<CssId>,
        /// The home cluster of who is logged in on it by EMCC.
        logged_in: Option<ClusterId>,
    },
    /// A name this cluster does not have.
    Unknown,
    /// No name at all.
    Missing,
}

/// An INVITE that came over a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The trunk is the one selected for PSTN access.
    pub on_selected_trunk: bool,
    /// PSTN access is active in the intercluster service profile.
    pub profile_active: bool,
    /// PSTN access is enabled for the sending cluster.
    pub remote_active: bool,
    /// The phone it names.
    pub phone: NamedPhone,
    /// The cluster it came from.
    pub sender: ClusterId,
    /// It is an emergency call.
    pub emergency: bool,
}

/// What the trunk itself is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrunkSide {
    /// Which search space its calls get.
    pub setting: PstnAccessCss,
    /// Its inbound search space.
    pub css: Option<CssId>,
    /// Its device pool: only for a phone nobody knows.
    pub device_pool: Option<DevicePoolId>,
}

/// What an accepted call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The search space analysis runs with; none reaches only patterns in no partition.
    pub css: Option<CssId>,
    /// Whose it is.
    pub because: PstnAccessCss,
    /// The device pool local route groups resolve from.
    pub device_pool: Option<DevicePoolId>,
    /// What somebody has to be told.
    pub alarm: Option<Alarm>,
}

/// Why a call of the trunk is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It came on a trunk not selected for PSTN access.
    OtherTrunk,
    /// PSTN access is not active here, or not for the sender.
    ServiceInactive,
    /// It names no phone.
    MissingDevice,
    /// It names a phone this cluster does not have.
    UnknownPhone,
    /// Nobody is logged in on the phone.
    NobodyLoggedIn,
    /// Somebody of another cluster than the sender is.
    OtherCluster,
}

/// Takes or refuses a call of the trunk. An emergency call is never refused (P-15).
///
/// # Errors
/// The first condition of P-14 that does not hold.
pub fn accept(arrival: &Arrival, trunk: &TrunkSide, trail: &mut Trail) -> Result<Choice, Refusal> {
    if let Some(refusal) = refused(arrival) {
        if !arrival.emergency {
            trail.push(Step::Refused(refusal));
            return Err(refusal);
        }
        trail.push(Step::NotRefused(refusal));
    }
    let by_trunk = |alarm| Choice {
        css: trunk.css,
        because: PstnAccessCss::Trunk,
        device_pool: trunk.device_pool,
        alarm: Some(alarm),
    };
    let choice = match arrival.phone {
        NamedPhone::Known { device_pool, css, .. } => Choice {
            css: if trunk.setting == PstnAccessCss::Trunk { trunk.css } else { css },
            because: trunk.setting,
            device_pool,
            alarm: None,
        },
        NamedPhone::Unknown => by_trunk(Alarm::UnknownPhone),
        NamedPhone::Missing => by_trunk(Alarm::MissingDevice),
    };
    trail.push(Step::PstnAccessCss(choice.because));
    Ok(choice)
}

fn refused(arrival: &Arrival) -> Option<Refusal> {
    if !arrival.on_selected_trunk {
        return Some(Refusal::OtherTrunk);
    }
    if !arrival.profile_active || !arrival.remote_active {
        return Some(Refusal::ServiceInactive);
    }
    match arrival.phone {
        NamedPhone::Missing => Some(Refusal::MissingDevice),
        NamedPhone::Unknown => Some(Refusal::UnknownPhone),
        NamedPhone::Known { logged_in: None, .. } => Some(Refusal::NobodyLoggedIn),
        NamedPhone::Known { logged_in: Some(home), .. } if home != arrival.sender => Some(Refusal::OtherCluster),
        NamedPhone::Known { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: ClusterId = ClusterId(1);
    const PHONE: NamedPhone =
        NamedPhone::Known { device_pool: Some(DevicePoolId(7)), css: Some(CssId(7)), logged_in: Some(SENDER) };
    const GOOD: Arrival = Arrival {
        on_selected_trunk: true,
        profile_active: true,
        remote_active: true,
        phone: PHONE,
        sender: SENDER,
        emergency: false,
    };

    fn trunk(setting: PstnAccessCss) -> TrunkSide {
        TrunkSide { setting, css: Some(CssId(1)), device_pool: Some(DevicePoolId(1)) }
    }

    fn logged_in(cluster: Option<ClusterId>) -> NamedPhone {
        NamedPhone::Known { device_pool: Some(DevicePoolId(7)), css: Some(CssId(7)), logged_in: cluster }
    }

    #[test]
    fn the_search_space_is_the_trunks_or_the_phones_and_the_pool_always_the_phones_p9_p11() {
        for (setting, css, told) in [
            (PstnAccessCss::Trunk, CssId(1), "pstn-access CSS: trunk"),
            (PstnAccessCss::OriginalDevice, CssId(7), "pstn-access CSS: original device"),
        ] {
            let mut trail = Trail::new();
            let choice = accept(&GOOD, &trunk(setting), &mut trail).unwrap();
            assert_eq!((choice.css, choice.device_pool, choice.alarm), (Some(css), Some(DevicePoolId(7)), None));
            assert_eq!(trail.iter().map(|step| step.told(&crate::trail::Numbers)).collect::<Vec<_>>(), [told]);
        }
    }

    fn unacceptable() -> [(Arrival, Refusal); 7] {
        [
            (Arrival { on_selected_trunk: false, ..GOOD }, Refusal::OtherTrunk),
            (Arrival { profile_active: false, ..GOOD }, Refusal::ServiceInactive),
            (Arrival { remote_active: false, ..GOOD }, Refusal::ServiceInactive),
            (Arrival { phone: NamedPhone::Missing, ..GOOD }, Refusal::MissingDevice),
            (Arrival { phone: NamedPhone::Unknown, ..GOOD }, Refusal::UnknownPhone),
            (Arrival { phone: logged_in(None), ..GOOD }, Refusal::NobodyLoggedIn),
            (Arrival { phone: logged_in(Some(ClusterId(2))), ..GOOD }, Refusal::OtherCluster),
        ]
    }

    #[test]
    fn each_condition_refuses_an_ordinary_call_p14() {
        for (arrival, why) in unacceptable() {
            let got = accept(&arrival, &trunk(PstnAccessCss::Trunk), &mut Trail::new());
            assert_eq!(got, Err(why));
        }
    }

    #[test]
    fn no_condition_refuses_an_emergency_call_p15() {
        for (arrival, why) in unacceptable() {
            let arrival = Arrival { emergency: true, ..arrival };
            let choice = accept(&arrival, &trunk(PstnAccessCss::OriginalDevice), &mut Trail::new()).unwrap();
            let want = match why {
                Refusal::UnknownPhone => (Some(CssId(1)), Some(DevicePoolId(1)), Some(Alarm::UnknownPhone)),
                Refusal::MissingDevice => (Some(CssId(1)), Some(DevicePoolId(1)), Some(Alarm::MissingDevice)),
                // As if logged in.
                _ => (Some(CssId(7)), Some(DevicePoolId(7)), None),
            };
            assert_eq!((choice.css, choice.device_pool, choice.alarm), want, "{why:?}");
        }
    }
}
