//! The EMCC region on whole descriptions: caps, lists, variable rates, video, and the bandwidth asked for.
#![allow(clippy::unwrap_used)] // all of it is test code

use std::collections::BTreeSet;

use emcc_codecs::bandwidth::{AddressFamily, Kbps};
use emcc_codecs::catalogue::LinkLoss;
use emcc_codecs::sdp::{Direction, MediaKind, Session};
use emcc_policies::region::{
    Allowed, CheckRate, Directed, OfferedModes, PeerRegion, Refusal, Region, Role, Shaped, Step, SwitchedOff, Trail,
    VariableRate, Why,
};
use proptest::prelude::*;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

/// Every format the catalogue can find, by a label: payload type, rtpmap (none where RFC 3551 says it), fmtp.
const FORMATS: [(&str, u8, &str, &str); 26] = [
    ("opus", 96, "opus/48000/2", ""),
    ("latm128", 97, "MP4A-LATM/90000", "bitrate=128000"),
    ("aac-ld", 98, "mpeg4-generic/48000", ""),
    ("latm64", 99, "MP4A-LATM/90000", "bitrate=64000"),
    ("latm56", 100, "MP4A-LATM/90000", "bitrate=56000"),
    ("l16", 102, "L16/16000", ""),
    ("latm48", 103, "MP4A-LATM/90000", "bitrate=48000"),
    ("g722", 9, "", ""),
    ("isac", 104, "isac/16000", ""),
    ("latm32", 105, "MP4A-LATM/90000", "bitrate=32000"),
    ("amr-wb", 106, "AMR-WB/16000", ""),
    ("g7221-32", 107, "G7221/16000", "bitrate=32000"),
    ("g7221-24", 108, "G7221/16000", "bitrate=24000"),
    ("latm24", 109, "MP4A-LATM/90000", "bitrate=24000"),
    ("pcmu", 0, "", ""),
    ("pcma", 8, "", ""),
    ("ilbc", 110, "iLBC/8000", "mode=30"),
    ("g728", 15, "", ""),
    ("amr", 111, "AMR/8000", ""),
    ("efr", 112, "GSM-EFR/8000", ""),
    ("gsm", 3, "", ""),
    ("g729b", 18, "", ""),
    ("g729", 113, "G729/8000", "annexb=no"),
    ("hr", 114, "GSM-HR-08/8000", ""),
    ("g723", 4, "", ""),
    ("speex", 115, "speex/8000", ""),
];

fn format_of(label: &str) -> &'static (&'static str, u8, &'static str, &'static str) {
    FORMATS.iter().find(|f| f.0 == label).unwrap()
}

fn audio_block(labels: &[&str], more: &str) -> String {
    let formats: Vec<_> = labels.iter().map(|l| format_of(l)).collect();
    let tokens: Vec<_> = formats.iter().map(|f| f.1.to_string()).collect();
    let mut block = format!("m=audio 4000 RTP/AVP {}\r\n", tokens.join(" "));
    for (_, number, rtpmap, fmtp) in formats {
        if !rtpmap.is_empty() {
            block += &format!("a=rtpmap:{number} {rtpmap}\r\n");
        }
        if !fmtp.is_empty() {
            block += &format!("a=fmtp:{number} {fmtp}\r\n");
        }
    }
    block + more
}

fn offer(labels: &[&str]) -> String {
    format!("{HEAD}{}", audio_block(labels, ""))
}

fn region(audio_kbps: u32, link_loss: LinkLoss) -> Region {
    Region { audio_kbps, link_loss, ..Region::default() }
}

struct Applied {
    shaped: Result<Shaped, Refusal>,
    sdp: String,
    trail: Trail,
}

fn apply(region: &Region, sdp: &str, role: Role, allowed: Allowed) -> Applied {
    let (mut trail, mut out) = (Trail::new(), Vec::new());
    let shaped = region.apply(sdp.as_bytes(), role, allowed, &mut trail, &mut out);
    Applied { shaped, sdp: String::from_utf8(out).unwrap(), trail }
}

fn offered(region: &Region, sdp: &str) -> Applied {
    apply(region, sdp, Role::Offer, Allowed::AudioAndVideo)
}

/// Labels of what leaves, in order; empty on a refusal.
fn leaving(region: &Region, sdp: &str) -> Vec<&'static str> {
    let Ok(shaped) = offered(region, sdp).shaped else { return Vec::new() };
    let label = |number| FORMATS.iter().find(|f| f.1 == number).unwrap().0;
    shaped.codecs.iter().map(|c| label(c.payload_type)).collect()
}

fn all_labels() -> Vec<&'static str> {
    FORMATS.iter().map(|f| f.0).collect()
}

#[test]
fn each_cap_admits_what_its_row_says_m18() {
    let admitted = |cap| leaving(&region(cap, LinkLoss::LowLoss), &offer(&all_labels()));
    let mut before = admitted(5);
    assert!(before.is_empty(), "{before:?}");
    for cap in 6..=300 {
        let now = admitted(cap);
        let newly: Vec<_> = now.iter().copied().filter(|l| !before.contains(l)).collect();
        let want: &[&str] = match cap {
            6 => &["hr"],
            7 => &["g723"],
            8 => &["g729b", "g729"],
            13 => &["amr", "efr", "gsm"], // AMR by its highest rate of 12.2
            16 => &["ilbc", "g728"],
            24 => &["amr-wb", "g7221-24", "latm24"], // AMR-WB by its highest rate
            32 => &["isac", "latm32", "g7221-32"],
            48 => &["latm48"],
            56 => &["latm56"],
            64 => &["latm64", "g722", "pcmu", "pcma"],
            128 => &["latm128"],
            256 => &["aac-ld", "l16"],
            _ => &[],
        };
        assert_eq!(newly, want, "cap {cap}");
        assert!(before.iter().all(|l| now.contains(l)), "a higher cap never takes away: {cap}");
        before = now;
    }
    assert_eq!(admitted(510)[0], "opus");
}

#[test]
fn the_two_lists_differ_in_g722_and_isac_alone_m7() {
    let mut reversed = all_labels();
    reversed.reverse();
    let mut want: Vec<_> = all_labels();
    want.pop(); // speex is in no table
    assert_eq!(leaving(&region(510, LinkLoss::LowLoss), &offer(&reversed)), want);
    want.swap(7, 8);
    assert_eq!((want[7], want[8]), ("isac", "g722"));
    assert_eq!(told_apart(&leaving(&region(510, LinkLoss::Lossy), &offer(&reversed))), told_apart(&want));
}

/// Which stands before which. M-13 leaves the order of three pairs on a lossy link open: lists in use differ from the one
/// that the guide describes.
fn told_apart(list: &[&'static str]) -> BTreeSet<(&'static str, &'static str)> {
    const OPEN: [[&str; 2]; 3] = [["g722", "latm32"], ["g722", "amr-wb"], ["latm32", "amr-wb"]];
    let pairs = list.iter().enumerate().flat_map(|(at, a)| list[at + 1..].iter().map(move |b| (*a, *b)));
    let is_told = |(a, b): &(&str, &str)| !OPEN.contains(&[*a, *b]) && !OPEN.contains(&[*b, *a]);
    pairs.filter(is_told).collect()
}

/// M-20: the answering cluster chooses, so an answer is filtered and ordered as an offer is, whatever order it came in.
#[test]
fn an_answer_leaves_filtered_and_in_the_order_of_the_list_m20() {
    use LinkLoss::{Lossy, LowLoss};
    let labels = ["g729", "pcma", "isac", "latm128", "pcmu", "g722"];
    for (cap, list, want) in [
        (64, LowLoss, "9 104 0 8 113"),
        (64, Lossy, "104 9 0 8 113"),
        (128, LowLoss, "97 9 104 0 8 113"),
        (32, LowLoss, "104 113"),
        (8, Lossy, "113"),
    ] {
        for role in [Role::Offer, Role::Answer, Role::AnswerWithoutAnnexB] {
            let applied = apply(&region(cap, list), &offer(&labels), role, Allowed::AudioAndVideo);
            let line = format!("m=audio 4000 RTP/AVP {want}\r\n");
            assert!(applied.sdp.contains(&line), "{role:?}, cap {cap}, {list}:\n{}", applied.sdp);
            let shaped = applied.shaped.unwrap();
            let left: Vec<_> = shaped.codecs.iter().map(|codec| codec.payload_type.to_string()).collect();
            assert_eq!((left.join(" ").as_str(), shaped.changed), (want, true), "{role:?}, cap {cap}, {list}");
        }
    }
    // In order already, nothing is changed.
    let answer = offer(&["g722", "isac", "pcmu"]);
    let applied = apply(&region(64, LowLoss), &answer, Role::Answer, Allowed::AudioAndVideo);
    assert_eq!((applied.sdp.as_str(), applied.shaped.unwrap().changed), (answer.as_str(), false));
}

#[test]
fn the_cap_filters_before_the_list_orders_m3_to_m5_m10_traps_13_to_15() {
    use LinkLoss::{Lossy, LowLoss};
    for (cap, list, common, want) in [
        (8, LowLoss, &["g722", "g729"][..], &["g729"][..]),
        (32, LowLoss, &["g722", "isac", "pcmu"], &["isac"]),
        (64, Lossy, &["g722", "isac"], &["isac", "g722"]),
        (64, LowLoss, &["isac", "g722"], &["g722", "isac"]),
        (8, LowLoss, &["pcmu", "g729"], &["g729"]),
        (64, LowLoss, &["pcma", "pcmu", "g7221-32"], &["g7221-32", "pcmu", "pcma"]), // M-5
        (64, LowLoss, &["pcmu", "g722"], &["g722", "pcmu"]),                         // M-10
    ] {
        assert_eq!(leaving(&region(cap, list), &offer(common)), want, "cap {cap} {list} {common:?}");
    }
}

#[test]
fn g722_below_64k_stands_behind_isac_in_both_lists_trap_15_m14() {
    use emcc_codecs::catalogue::CodecId;
    let rank = |name: &str, list| CodecId::all().find(|c| c.codec().cucm_name == name).unwrap().codec().rank(list);
    for list in [LinkLoss::LowLoss, LinkLoss::Lossy] {
        assert!(rank("ISAC 32k", list) < rank("G.722 56k", list));
        assert!(rank("ISAC 32k", list) < rank("G.722 48k", list));
    }
}

#[test]
fn opus_needs_both_switches_and_g722_its_own_m9_m10() {
    let sdp = offer(&["opus", "g722", "pcmu", "g7221-32", "g729"]);
    for (g722, opus, want) in [
        (false, false, &["opus", "g722", "g7221-32", "pcmu", "g729"][..]),
        (false, true, &["g722", "g7221-32", "pcmu", "g729"]),
        // Whatever its own switch says, Opus needs G.722 to be advertised.
        (true, false, &["g7221-32", "pcmu", "g729"]),
        (true, true, &["g7221-32", "pcmu", "g729"]),
    ] {
        let switched_off = SwitchedOff { g722, opus };
        let region = Region { switched_off, ..region(510, LinkLoss::LowLoss) };
        assert_eq!(leaving(&region, &sdp), want, "G.722 off: {g722}, Opus off: {opus}");
        let applied = offered(&region, &sdp);
        let dropped = applied.trail.iter().filter(|step| step.to_string().contains("switched off")).count();
        assert_eq!(dropped, 5 - want.len());
    }
    // What a call may cost whose offer is still to come knows the switches too: Opus is the dearest.
    let cost = |switched_off| {
        let region = Region { switched_off, variable_rate: VariableRate::Bound, ..region(510, LinkLoss::LowLoss) };
        region.dearest_within_cap(AddressFamily::V4, false).0
    };
    assert!(cost(SwitchedOff { g722: true, opus: false }) < cost(SwitchedOff::default()));
    // Alone, a codec that is switched off leaves nothing (M-6).
    let off = Region { switched_off: SwitchedOff { g722: true, opus: true }, ..region(64, LinkLoss::LowLoss) };
    assert_eq!(offered(&off, &offer(&["g722", "opus"])).shaped, Err(Refusal::NoCodecLeft));
}

/// M-2: nothing of another cluster's places comes into it. What we know of a peer is three parameters, and of those only
/// a cap counts for the call.
#[test]
fn another_clusters_regions_and_list_mean_nothing_here_m2() {
    use LinkLoss::{Lossy, LowLoss};
    let ours = region(64, LowLoss);
    let sdp = offer(&["isac", "g722", "pcmu", "g729"]);
    for (audio_kbps, link_loss, want) in [
        (64, LowLoss, &["g722", "isac", "pcmu", "g729"][..]),
        (64, Lossy, &["g722", "isac", "pcmu", "g729"]),
        (256, Lossy, &["g722", "isac", "pcmu", "g729"]),
        (32, Lossy, &["isac", "g729"]),
    ] {
        let (met, _) = ours.meet(Some(PeerRegion { audio_kbps, video_kbps: 384, link_loss }));
        assert_eq!(leaving(&met, &sdp), want, "{audio_kbps} {link_loss}");
    }
    assert_eq!(leaving(&ours.meet(None).0, &sdp), leaving(&ours, &sdp));
}

/// M-11: every device here speaks SIP, so AMR and AMR-WB are judged by their rates alone.
#[test]
fn amr_and_amr_wb_leave_wherever_the_cap_lets_them_m11() {
    let sdp = offer(&["amr", "amr-wb"]);
    for (cap, want) in [(12, &[][..]), (13, &["amr"]), (23, &["amr"]), (24, &["amr-wb", "amr"])] {
        assert_eq!(leaving(&region(cap, LinkLoss::LowLoss), &sdp), want, "cap {cap}");
    }
}

#[test]
fn a_call_without_a_codec_left_is_refused_and_says_why_m6() {
    let applied = offered(&Region::default(), &offer(&["pcmu", "opus", "speex"]));
    assert_eq!(applied.shaped, Err(Refusal::NoCodecLeft));
    assert_eq!(applied.sdp, "");
    let why: Vec<_> =
        applied.trail.iter().map(|s| if let Step::Dropped { why, .. } = s { *why } else { panic!() }).collect();
    assert_eq!(
        why,
        [
            Why::OverCap { rate_kbps: 64, cap_kbps: 8 },
            Why::VariableRateExcluded { highest_kbps: 510, cap_kbps: 8 },
            Why::NotInCatalogue,
        ]
    );
    let said: Vec<_> = applied.trail.iter().map(ToString::to_string).collect();
    assert_eq!(said[0], "PCMU (0) dropped: 64 kbps is over the cap of 8 kbps");
}

#[test]
fn two_opus_phones_use_g729_or_bounded_opus_m16_m17() {
    let sdp = offer(&["opus", "g729", "amr", "amr-wb"]);
    let exclude = Region::default();
    let bound = Region { variable_rate: VariableRate::Bound, ..Region::default() };
    assert_eq!(leaving(&exclude, &sdp), ["g729"]);
    assert_eq!(leaving(&bound, &sdp), ["opus", "amr-wb", "amr", "g729"]);
    let applied = offered(&bound, &sdp);
    for line in
        ["a=fmtp:96 maxaveragebitrate=8000\r\n", "a=fmtp:111 mode-set=0,1,2,3,4,5\r\n", "a=fmtp:106 mode-set=0\r\n"]
    {
        assert!(applied.sdp.contains(line), "{line} in {}", applied.sdp);
    }
    let rates: Vec<_> = applied.shaped.unwrap().codecs.iter().map(|c| c.highest_bps).collect();
    assert_eq!(rates, [8_000, 6_600, 7_950, 8_000]);
}

#[test]
fn parameters_that_lower_the_highest_rate_admit_a_variable_codec_m24() {
    for (rtpmap, fmtp, exclude, bound) in [
        ("opus/48000/2", "maxaveragebitrate=8000", true, true),
        ("opus/48000/2", "maxaveragebitrate=8001", false, true),
        ("AMR/8000", "mode-set=0,5", true, true),
        ("AMR/8000", "mode-set=0,6", false, true),
        ("AMR/8000", "mode-set=6,7", false, false),
        ("AMR-WB/16000", "octet-align=1;mode-set=0", true, true),
        ("opus/48000/2", "maxaveragebitrate=x", false, true),
        ("opus/48000/2", "maxaveragebitrate=100", false, true),
        ("opus/48000/2", "maxaveragebitrate=1;maxaveragebitrate=2", false, false),
    ] {
        let sdp = format!("{HEAD}m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 {rtpmap}\r\na=fmtp:96 {fmtp}\r\n");
        for (variable_rate, want) in [(VariableRate::Exclude, exclude), (VariableRate::Bound, bound)] {
            let applied = offered(&Region { variable_rate, ..Region::default() }, &sdp);
            assert_eq!(applied.shaped.is_ok(), want, "{rtpmap} {fmtp} {variable_rate:?}");
            if exclude {
                assert_eq!(applied.sdp, sdp);
            }
        }
    }
}

#[test]
fn a_rate_that_is_none_is_left_out_m24() {
    for (rtpmap, fmtp, want, bps) in [
        ("opus/48000/2", "maxaveragebitrate=510000", Some("maxaveragebitrate=510000"), 510_000),
        ("opus/48000/2", "maxaveragebitrate=510001", None, 510_000),
        ("opus/48000/2", "maxaveragebitrate=5999", None, 510_000),
        ("opus/48000/2", "maxaveragebitrate=99999999999", None, 510_000),
        ("opus/48000/2", "maxaveragebitrate=-1; stereo=1", Some("stereo=1"), 510_000),
        ("opus/48000/2", "stereo=1 ; maxaveragebitrate=20k ;cbr=1", Some("stereo=1 ;cbr=1"), 510_000),
        ("opus/48000/2", "stereo=1;MaxAverageBitrate", Some("stereo=1"), 510_000),
        ("opus/48000/2", "maxaveragebitrate=;;stereo=1", Some("stereo=1"), 510_000),
        (
            "MP4A-LATM/90000",
            "profile-level-id=24;bitrate=0;cpresent=0",
            Some("profile-level-id=24;cpresent=0"),
            128_000,
        ),
        ("MP4A-LATM/90000", "bitrate=64k", None, 128_000),
        ("MP4A-LATM/90000", "bitrate=64000", Some("bitrate=64000"), 64_000),
        // RFC 5577 has this one always say its rate.
        ("G7221/16000", "bitrate=0", Some("bitrate=0"), 32_000),
    ] {
        let described = |fmtp: Option<&str>| {
            let line = fmtp.map(|fmtp| format!("a=fmtp:96 {fmtp}\r\n")).unwrap_or_default();
            format!("{HEAD}m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 {rtpmap}\r\n{line}a=ptime:20\r\n")
        };
        for role in [Role::Offer, Role::Answer] {
            let sdp = described(Some(fmtp));
            let got = apply(&region(510, LinkLoss::LowLoss), &sdp, role, Allowed::AudioAndVideo);
            assert_eq!(got.sdp, described(want), "{rtpmap} {fmtp}");
            assert_eq!(got.shaped.unwrap().first.unwrap().highest_bps, bps, "{rtpmap} {fmtp}");
            let is_told = got.trail.iter().any(|step| matches!(step, Step::RateLeftOut { .. }));
            assert_eq!(is_told, want != Some(fmtp), "{rtpmap} {fmtp}: {:?}", got.trail);
        }
    }
}

#[test]
fn an_answer_has_the_modes_of_its_offer_or_fewer_m16() {
    let described = |formats: &str, lines: &[(u8, &str, &str)]| {
        let lines = lines.iter().map(|(number, map, fmtp)| match *fmtp {
            "" => format!("a=rtpmap:{number} {map}\r\n"),
            fmtp => format!("a=rtpmap:{number} {map}\r\na=fmtp:{number} {fmtp}\r\n"),
        });
        format!("{HEAD}m=audio 4000 RTP/AVP {formats}\r\n{}", lines.collect::<String>())
    };
    let (amr, wide) = ("AMR/8000", "AMR-WB/16000");
    let both = [(96, amr, "mode-set=0,2"), (97, amr, "octet-align=1")];
    for (what, cap_kbps, offered, answered, want) in [
        ("the payload type tells which", 13, &both[..], (96, amr, "mode-set=0,7"), Ok(("mode-set=0", 4_750))),
        ("its fellow has all", 13, &both, (97, amr, "mode-set=0,7"), Ok(("mode-set=0,7", 12_200))),
        ("another payload type: those of both", 13, &both, (99, amr, "mode-set=7"), Ok(("mode-set=7", 12_200))),
        ("another codec", 24, &both, (99, wide, ""), Ok(("", 24_000))),
        // What is said once for both ends holds the answer to the cap too.
        ("none said", 8, &[(96, amr, "mode-set=0,2")], (96, amr, ""), Ok(("mode-set=0,2", 5_900))),
        (
            "unreadable in the offer",
            24,
            &[(96, wide, "mode-set=all")],
            (96, wide, "mode-set=8"),
            Ok(("mode-set=8", 23_850)),
        ),
        ("unreadable, to all", 24, &[(96, wide, "")], (96, wide, "mode-set=all"), Ok(("mode-set=all", 24_000))),
        ("none in common", 13, &[(96, amr, "mode-set=0")], (96, amr, "mode-set=1"), Err(())),
        ("unreadable", 13, &[(96, amr, "mode-set=0")], (96, amr, "mode-set=all"), Err(())),
    ] {
        let region = region(cap_kbps, LinkLoss::LowLoss);
        let formats = offered.iter().map(|(number, ..)| number.to_string()).collect::<Vec<_>>().join(" ");
        let offer = described(&formats, offered);
        let modes = offered_modes(&region, &offer);
        let (number, map, _) = answered;
        let answer = described(&number.to_string(), &[answered]);
        let (mut trail, mut out) = (Trail::new(), Vec::new());
        let allowed = Allowed::AudioAndVideo;
        let shaped = region.apply_to(answer.as_bytes(), Role::Answer, &modes, allowed, &mut trail, &mut out);
        let got = shaped.map(|shaped| (String::from_utf8(out).unwrap(), shaped.first.unwrap().highest_bps));
        let want = want.map(|(fmtp, bps)| (described(&number.to_string(), &[(number, map, fmtp)]), bps));
        assert_eq!(got.map_err(|_| ()), want, "{what}");
        if want.is_err() {
            let is_told = |step: &Step| matches!(step, Step::Dropped { why: Why::ModesNotOffered, .. });
            assert!(trail.iter().any(is_told), "{what}: {trail:?}");
        }
    }
}

/// The modes that an offer has as it leaves.
fn offered_modes(region: &Region, sdp: &str) -> OfferedModes {
    offered(region, sdp).shaped.unwrap().modes
}

#[test]
fn g729_ranks_by_its_annex_m19() {
    assert_eq!(leaving(&Region::default(), &offer(&["g729", "g729b"])), ["g729b", "g729"]);
}

#[test]
fn formats_outside_the_table_need_a_check_rate_m24() {
    let own = |encoding: &str, check_kbps| Region {
        check_rates: [CheckRate { encoding: encoding.into(), check_kbps }].into(),
        ..Region::default()
    };
    for (region, labels, want) in [
        (own("Speex", 8), &["speex", "g723", "g729"][..], &["g729", "g723", "speex"][..]),
        (own("speex", 9), &["speex", "g729"], &["g729"]),
        (own("PCMU", 8), &["pcmu", "pcma", "g729"], &["pcmu", "g729"]),
        (own("g729", 9), &["g729", "hr"], &["hr"]),
    ] {
        assert_eq!(leaving(&region, &offer(labels)), want, "{:?}", region.check_rates);
    }
    let wide = format!("{HEAD}m=audio 1 RTP/AVP 11 18\r\n");
    let shaped = offered(&own("L16", 8), &wide).shaped.unwrap();
    assert_eq!(shaped.names().collect::<Vec<_>>(), ["G729"], "a check rate by name tells nothing of another clock");
}

#[test]
fn tones_noise_and_red_follow_the_codecs_m24() {
    let with = |audio_kbps, red: &str| {
        let sdp = format!(
            "{HEAD}m=audio 1 RTP/AVP 121 101 13 0 18\r\na=rtpmap:121 red/8000\r\na=fmtp:121 {red}\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        );
        let applied = offered(&region(audio_kbps, LinkLoss::LowLoss), &sdp);
        applied.sdp.lines().find(|l| l.starts_with("m=")).unwrap().to_owned()
    };
    assert_eq!(with(64, "0/0"), "m=audio 1 RTP/AVP 0 18 121 101 13");
    assert_eq!(with(8, "0/0"), "m=audio 1 RTP/AVP 18 101 13");
    assert_eq!(with(8, "0/18"), "m=audio 1 RTP/AVP 18 121 101 13");
    assert_eq!(with(8, "121"), "m=audio 1 RTP/AVP 18 101 13", "red is no primary of itself");
    let tones = format!("{HEAD}m=audio 1 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!(offered(&Region::default(), &tones).shaped, Err(Refusal::NoCodecLeft));
}

const VIDEO: &str = "m=video 4002 RTP/AVP 120\r\na=rtpmap:120 H264/90000\r\n";

#[test]
fn the_video_cap_includes_audio_m21_m25_trap_16() {
    for (cap, labels, role, want) in [
        (8, &["g729"][..], Role::Offer, 376),
        (64, &["pcmu"], Role::Offer, 320),
        (64, &["g7221-32", "pcmu"], Role::Offer, 320),  // the dearest
        (64, &["g7221-32", "pcmu"], Role::Answer, 352), // the first
        (13, &["efr"], Role::Offer, 371),
    ] {
        let sdp = format!("{}{VIDEO}", offer(labels));
        let applied = apply(&region(cap, LinkLoss::LowLoss), &sdp, role, Allowed::AudioAndVideo);
        let block = format!("RTP/AVP 120\r\nb=AS:{want}\r\nb=TIAS:{want}000\r\na=rtpmap:120");
        assert!(applied.sdp.contains(&block), "{labels:?} {role:?}: {}", applied.sdp);
        assert!(applied.sdp.contains("192.0.2.1\r\nb=AS:384\r\nb=TIAS:384000\r\nt=0 0"), "{}", applied.sdp);
        assert_eq!(applied.shaped.unwrap().video_kbps, Some(want));
    }
}

#[test]
fn video_without_room_or_leave_is_removed_and_audio_goes_on_m22() {
    for (video_kbps, allowed) in [(0, Allowed::AudioAndVideo), (8, Allowed::AudioAndVideo), (384, Allowed::AudioOnly)] {
        let sdp = format!("{}{VIDEO}", offer(&["g729"]));
        let applied = apply(&Region { video_kbps, ..Region::default() }, &sdp, Role::Offer, allowed);
        assert_eq!(applied.sdp, sdp.replace("m=video 4002", "m=video 0"), "{video_kbps} {allowed:?}");
        let shaped = applied.shaped.unwrap();
        assert_eq!((shaped.changed, shaped.video_kbps, shaped.audio_streams), (true, None, 1));
    }
    let applied = offered(&Region { video_kbps: 9, ..Region::default() }, &format!("{}{VIDEO}", offer(&["g729"])));
    assert_eq!(applied.shaped.unwrap().video_kbps, Some(1));
}

/// RFC 8843 section 6: such a stream is offered, on the port of the group's first.
#[test]
fn a_stream_that_is_bundle_only_is_ruled_as_any_m3_m6_m22_m23() {
    let alone = |kind: &str, rest: &str| format!("m={kind} 0 RTP/AVPF {rest}a=bundle-only\r\na=mid:1\r\n");
    let video = alone("video", "120\r\na=rtpmap:120 H264/90000\r\n");
    let sdp = format!("{}{video}", offer(&["g729"]));
    let bounded = offered(&Region::default(), &sdp);
    assert!(bounded.sdp.contains("m=video 0 RTP/AVPF 120\r\nb=AS:376\r\nb=TIAS:376000\r\n"), "{}", bounded.sdp);
    assert_eq!(bounded.shaped.unwrap().video_kbps, Some(376));
    // Port 0 alone then says that it is off.
    let removed = offered(&Region { video_kbps: 0, ..Region::default() }, &sdp);
    assert_eq!(removed.sdp, sdp.replace("a=bundle-only\r\n", ""));
    assert_eq!(removed.shaped.unwrap().video_kbps, None);
    let audio = format!("{HEAD}{VIDEO}{}", alone("audio", "0 18\r\n"));
    let filtered = offered(&region(8, LinkLoss::LowLoss), &audio);
    assert!(filtered.sdp.contains("m=audio 0 RTP/AVPF 18\r\na=bundle-only\r\n"), "{}", filtered.sdp);
    assert_eq!(filtered.shaped.unwrap().audio_streams, 1);
    let barred = format!("{HEAD}{VIDEO}{}", alone("audio", "0\r\n"));
    assert_eq!(offered(&region(8, LinkLoss::LowLoss), &barred).shaped, Err(Refusal::NoCodecLeft));
    let second = offered(&region(8, LinkLoss::LowLoss), &format!("{}{}", offer(&["g729"]), alone("audio", "0\r\n")));
    assert!(second.sdp.ends_with("m=audio 0 RTP/AVPF 0\r\na=mid:1\r\n"), "{}", second.sdp);
}

#[test]
fn a_lower_bandwidth_of_the_peer_stands_m23() {
    let sdp = format!("{}m=video 4002 RTP/AVP 120\r\nb=AS:200\r\nb=TIAS:190000\r\na=sendonly\r\n", offer(&["g729"]))
        .replace("t=0 0", "b=AS:300\r\nb=TIAS:280000\r\nt=0 0");
    let applied = offered(&Region::default(), &sdp);
    assert_eq!(applied.sdp, sdp);
    let shaped = applied.shaped.unwrap();
    assert_eq!((shaped.changed, shaped.video_kbps), (false, Some(190)));
    assert_eq!(shaped.video_direction, Direction { sends: true, receives: false });
}

#[test]
fn two_video_streams_share_one_allowance() {
    let sdp = format!("{}{VIDEO}{VIDEO}", offer(&["g729"]));
    let applied = offered(&Region::default(), &sdp);
    assert_eq!(applied.sdp.matches("b=AS:376").count(), 2);
    assert_eq!(applied.shaped.unwrap().video_kbps, Some(376));
}

#[test]
fn fax_and_calls_without_audio_pass() {
    let fax = format!("{HEAD}m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n");
    let applied = offered(&Region::default(), &fax);
    assert_eq!((applied.sdp.as_str(), applied.shaped.unwrap().changed), (fax.as_str(), false));
    let video = format!("{HEAD}{VIDEO}");
    assert_eq!(offered(&Region::default(), &video).shaped.unwrap().video_kbps, Some(384));
    let switched = format!("{HEAD}m=audio 0 RTP/AVP 0\r\nm=image 5000 udptl t38\r\n");
    assert_eq!(offered(&Region::default(), &switched).sdp, switched, "a stream at port 0 is left alone");
}

#[test]
fn streams_are_filtered_apart_and_their_rates_add_up() {
    let both = format!("{HEAD}{}{}", audio_block(&["pcmu", "g729"], ""), audio_block(&["g729"], "a=sendonly\r\n"));
    let shaped = offered(&Region::default(), &both).shaped.unwrap();
    assert_eq!(shaped.audio_streams, 2);
    assert_eq!(shaped.worst_case, Directed { from_author: Kbps(80), to_author: Kbps(40) });
    assert_eq!(shaped.answered, Directed { from_author: Kbps(48), to_author: Kbps(24) });
    let one = format!("{HEAD}{}{}", audio_block(&["pcmu"], ""), audio_block(&["pcmu", "g729"], ""));
    let applied = offered(&Region::default(), &one);
    assert!(applied.sdp.contains("m=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 113\r\n"), "{}", applied.sdp);
    assert!(applied.trail.contains(&Step::AudioRemoved));
    let shaped = applied.shaped.unwrap();
    assert_eq!((shaped.audio_streams, shaped.names().collect::<Vec<_>>()), (1, vec!["G729"]));
}

#[test]
fn bandwidth_follows_direction_packet_family_and_srtp_v18_v20() {
    let both = |kbps| Directed { from_author: Kbps(kbps), to_author: Kbps(kbps) };
    for (change, worst, answered) in [
        (("", ""), both(40), both(24)),
        (("t=0 0\r\n", "t=0 0\r\na=inactive\r\n"), both(0), both(0)),
        (
            ("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n"),
            Directed { from_author: Kbps(0), ..both(40) },
            Directed { from_author: Kbps(0), ..both(24) },
        ),
        (("IP4 192.0.2.1\r\nt", "IP6 2001:db8::1\r\nt"), both(56), both(32)),
        (("RTP/AVP", "RTP/SAVP"), both(48), both(28)),
        (("a=fmtp:113 annexb=no\r\n", "a=fmtp:113 annexb=no\r\na=ptime:60\r\n"), both(40), both(14)),
    ] {
        let sdp = offer(&["g729"]).replacen(change.0, change.1, 1);
        let shaped = offered(&Region::default(), &sdp).shaped.unwrap();
        assert_eq!((shaped.worst_case, shaped.answered), (worst, answered), "{change:?}");
    }
    let shaped = apply(&region(64, LinkLoss::LowLoss), &offer(&["g7221-32", "pcmu"]), Role::Answer, Allowed::AudioOnly)
        .shaped
        .unwrap();
    assert_eq!((shaped.first.unwrap().name.as_str(), shaped.dearest.unwrap().name.as_str()), ("G7221", "PCMU"));
    assert_eq!((shaped.worst_case, shaped.answered), (both(96), both(48)));
}

#[test]
fn a_call_without_an_offer_reserves_for_the_dearest_codec() {
    for (audio_kbps, want) in
        [(8, (Kbps(40), 376)), (64, (Kbps(96), 320)), (256, (Kbps(288), 128)), (510, (Kbps(543), 0))]
    {
        let region = region(audio_kbps, LinkLoss::LowLoss);
        assert_eq!(region.dearest_within_cap(AddressFamily::V4, false), want, "cap {audio_kbps}");
    }
}

#[test]
fn regions_meet_at_the_lower_caps_with_our_own_list_m8() {
    let ours = Region { audio_kbps: 64, ..Region::default() };
    let peer = |audio_kbps, video_kbps, link_loss| Some(PeerRegion { audio_kbps, video_kbps, link_loss });
    for (theirs, caps, differs) in [
        (None, (64, 384), false),
        (peer(64, 384, LinkLoss::LowLoss), (64, 384), false),
        (peer(8, 512, LinkLoss::LowLoss), (8, 384), true),
        (peer(256, 128, LinkLoss::LowLoss), (64, 128), true),
        (peer(64, 384, LinkLoss::Lossy), (64, 384), true),
    ] {
        let (met, got) = ours.meet(theirs);
        assert_eq!(((met.audio_kbps, met.video_kbps), got), (caps, differs), "{theirs:?}");
        assert_eq!(met.link_loss, LinkLoss::LowLoss);
    }
}

#[test]
fn whose_cap_rules_is_a_step_where_they_are_not_the_same_m8() {
    let ours = Region { audio_kbps: 64, ..Region::default() };
    let audio = format!("{HEAD}{}", audio_block(&["pcmu", "g729"], ""));
    let video = format!("{audio}m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n");
    for (theirs, sdp, want) in [
        ((64, 384), &video, &[][..]),
        ((8, 384), &video, &["the other cluster's audio cap of 8 kbps rules: ours is 64 kbps"]),
        ((256, 384), &audio, &["our audio cap of 64 kbps rules: the other cluster's is 256 kbps"]),
        ((64, 512), &audio, &[]),
        ((64, 512), &video, &["our video cap of 384 kbps rules: the other cluster's is 512 kbps"]),
        ((64, 128), &video, &["the other cluster's video cap of 128 kbps rules: ours is 384 kbps"]),
    ] {
        let (audio_kbps, video_kbps) = theirs;
        let (met, _) = ours.meet(Some(PeerRegion { audio_kbps, video_kbps, link_loss: LinkLoss::LowLoss }));
        let (mut trail, mut out) = (Trail::new(), Vec::new());
        // Looked at twice, as where admission leaves no room for video.
        for allowed in [Allowed::AudioAndVideo, Allowed::AudioOnly] {
            met.apply(sdp.as_bytes(), Role::Offer, allowed, &mut trail, &mut out).unwrap();
        }
        let of_caps = trail.iter().filter(|step| matches!(step, Step::LowerCap { .. })).map(ToString::to_string);
        assert_eq!(of_caps.collect::<Vec<_>>(), want, "{theirs:?}");
    }
}

#[test]
fn preconditions_are_reported() {
    let sdp =
        format!("{HEAD}{}", audio_block(&["g729"], "a=curr:qos e2e none\r\na=des:qos mandatory e2e sendrecv\r\n"));
    let shaped = offered(&Region::default(), &sdp).shaped.unwrap();
    assert!(shaped.has_qos && shaped.has_mandatory_qos && !shaped.changed);
}

fn any_offer() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => proptest::sample::subsequence(all_labels(), 1..9).prop_shuffle().prop_map(|labels| audio_block(&labels, "")),
        1 => Just(VIDEO.to_owned()),
        1 => Just("m=audio 6 RTP/SAVP 0 18 101 121\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:121 red/8000\r\na=fmtp:121 0/18\r\n".to_owned()),
        1 => "a=fmtp:(96|106|111) (mode-set|maxaveragebitrate)=[0-9,]{0,5}\r\n",
        1 => "b=(AS|TIAS):[0-9]{1,7}\r\n",
        1 => "a=[a-z]{1,8}:[ -~]{0,12}\r\n",
        1 => Just("a=inactive\r\n".to_owned()),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| format!("{HEAD}{}", lines.concat()))
}

fn any_region() -> impl Strategy<Value = Region> {
    let list = prop_oneof![Just(LinkLoss::LowLoss), Just(LinkLoss::Lossy)];
    let rate = prop_oneof![Just(VariableRate::Exclude), Just(VariableRate::Bound)];
    (6u32..=510, 0u32..=8_128, list, rate).prop_map(|(audio_kbps, video_kbps, link_loss, variable_rate)| Region {
        audio_kbps,
        video_kbps,
        link_loss,
        variable_rate,
        ..Region::default()
    })
}

proptest! {
    #[test]
    fn nothing_over_the_cap_leaves(sdp in any_offer(), region in any_region()) {
        let applied = offered(&region, &sdp);
        if let Ok(shaped) = applied.shaped {
            prop_assert!(shaped.codecs.iter().all(|c| c.payload_kbps() <= region.audio_kbps));
            prop_assert!(shaped.video_kbps.unwrap_or(0) <= region.video_kbps);
            let session = Session::parse(applied.sdp.as_bytes()).unwrap();
            for media in session.media().iter().filter(|m| m.kind == MediaKind::Audio && m.is_active()) {
                for format in &media.formats {
                    let name = format.encoding.unwrap().name;
                    let follows = [&b"telephone-event"[..], b"red"].contains(&name);
                    prop_assert!(follows || region.judge(format).is_ok(), "{:?}", format);
                }
            }
        } else {
            prop_assert_eq!(applied.sdp, "");
        }
    }

    #[test]
    fn applying_twice_is_applying_once(sdp in any_offer(), region in any_region(), answer: bool) {
        let role = if answer { Role::Answer } else { Role::Offer };
        let once = apply(&region, &sdp, role, Allowed::AudioAndVideo);
        if let Ok(first) = once.shaped {
            prop_assert_eq!(first.changed, once.sdp != sdp);
            let again = apply(&region, &once.sdp, role, Allowed::AudioAndVideo);
            let second = again.shaped.unwrap();
            prop_assert!(!second.changed, "{} became {}", once.sdp, again.sdp);
            prop_assert_eq!(first.codecs, second.codecs);
            prop_assert_eq!(first.worst_case, second.worst_case);
            prop_assert_eq!(first.video_kbps, second.video_kbps);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, region in any_region()) {
        let (mut trail, mut out) = (Trail::new(), Vec::new());
        let _ = region.apply(&bytes, Role::Offer, Allowed::AudioAndVideo, &mut trail, &mut out);
        let text = [b"v=0\nm=audio 1 x 0 ", &bytes[..]].concat();
        let _ = region.apply(&text, Role::Answer, Allowed::AudioOnly, &mut trail, &mut out);
    }
}

#[test]
fn p_23_the_region_of_an_emergency_orders_and_takes_no_audio_codec_out() {
    let all: Vec<_> = FORMATS.iter().map(|format| format.0).collect();
    for audio_kbps in [6, 8, 16, 64, 128, 510] {
        let ordinary = region(audio_kbps, LinkLoss::LowLoss);
        let within = leaving(&ordinary, &offer(&all));
        let kept = leaving(&ordinary.of_emergency(), &offer(&all));
        assert_eq!(kept.get(..within.len()), Some(&within[..]), "what is within comes first, as ever: {audio_kbps}");
        // Behind it the rest as it was offered, but what the catalogue does not know has no rate to be listed by.
        let beyond: Vec<_> = all.iter().copied().filter(|l| !within.contains(l) && *l != "speex").collect();
        assert_eq!(kept.get(within.len()..), Some(&beyond[..]), "{audio_kbps}");
        let sdp = offered(&ordinary.of_emergency(), &offer(&all)).sdp;
        assert_eq!(Session::parse(sdp.as_bytes()).unwrap().media()[0].formats.len(), all.len(), "{audio_kbps}");
    }
    let applied = offered(&region(8, LinkLoss::LowLoss).of_emergency(), &offer(&["pcmu", "g729"]));
    let why = Why::OverCap { rate_kbps: 64, cap_kbps: 8 };
    let is_kept =
        |step: &Step| matches!(step, Step::KeptBeyond { payload_type: Some(0), why: found, .. } if *found == why);
    assert!(applied.trail.iter().any(is_kept), "{:?}", applied.trail);
    assert_eq!(
        applied.trail[0].to_string(),
        "PCMU (0) put last and kept for the emergency: 64 kbps is over the cap of 8 kbps"
    );
    // The booking is of what may be chosen.
    assert_eq!(applied.shaped.unwrap().dearest.map(|codec| codec.highest_bps), Some(64_000));
}

/// An answer or an offer with these audio lines.
fn described(formats: &str, lines: &[&str]) -> String {
    format!(
        "{HEAD}m=audio 4000 RTP/AVP {formats}\r\n{}",
        lines.iter().map(|line| format!("{line}\r\n")).collect::<String>()
    )
}

#[test]
fn m_19_one_no_to_annex_b_in_an_answer_makes_the_call_a_no() {
    let region = region(64, LinkLoss::LowLoss);
    let map = "a=rtpmap:18 G729/8000";
    for (what, formats, lines, want) in [
        ("nothing said", "18", &[map, "a=ptime:20"][..], &[map, "a=fmtp:18 annexb=no", "a=ptime:20"][..]),
        ("nothing said, no line of its own", "18", &["a=ptime:20"], &["a=ptime:20", "a=fmtp:18 annexb=no"]),
        ("a yes", "18", &[map, "a=fmtp:18 annexb=yes"], &[map, "a=fmtp:18 annexb=no"]),
        ("a yes in other letters", "18", &[map, "a=fmtp:18 AnnexB = YES; x=1"], &[map, "a=fmtp:18 AnnexB = no; x=1"]),
        ("something else said", "18", &["a=fmtp:18 x=1", map], &["a=fmtp:18 x=1;annexb=no", map]),
        ("a no", "18", &[map, "a=fmtp:18 annexb=no"], &[map, "a=fmtp:18 annexb=no"]),
        ("a no in other letters", "18", &["a=fmtp:18 annexb=NO"], &["a=fmtp:18 annexb=NO"]),
        ("another payload type", "98", &["a=rtpmap:98 g729/8000"], &["a=rtpmap:98 g729/8000", "a=fmtp:98 annexb=no"]),
        ("another codec", "0", &["a=ptime:20"], &["a=ptime:20"]),
        // Nobody can tell which of two counts: it leaves as it came.
        ("both", "18", &[map, "a=fmtp:18 annexb=yes;annexb=no"], &[map, "a=fmtp:18 annexb=yes;annexb=no"]),
        ("two lines", "18", &["a=fmtp:18 x=1", "a=fmtp:18 y=1"], &["a=fmtp:18 x=1", "a=fmtp:18 y=1"]),
        ("no value", "18", &["a=fmtp:18 annexb"], &["a=fmtp:18 annexb"]),
    ] {
        let sdp = described(formats, lines);
        let got = apply(&region, &sdp, Role::AnswerWithoutAnnexB, Allowed::AudioAndVideo);
        assert_eq!(got.sdp, described(formats, want), "{what}");
        let is_told = got.trail.iter().any(|step| matches!(step, Step::NoAnnexB { .. }));
        assert_eq!((got.shaped.unwrap().changed, is_told), (lines != want, lines != want), "{what}");
        // To an offer that leaves Annex B to the answer, nothing is said for it.
        let got = apply(&region, &sdp, Role::Answer, Allowed::AudioAndVideo);
        assert_eq!((got.sdp, got.shaped.unwrap().changed), (sdp, false), "{what}");
    }
}

#[test]
fn m_19_an_offer_is_without_annex_b_where_all_its_g729_says_no() {
    let no = "a=fmtp:18 annexb=no";
    for (formats, lines, want) in [
        ("18", &[no][..], true),
        ("0 18 101", &[no, "a=rtpmap:101 telephone-event/8000"], true),
        ("18", &[], false),
        ("18", &["a=fmtp:18 annexb=yes"], false),
        ("18 98", &[no, "a=rtpmap:98 G729/8000"], false),
        ("18 98", &[no, "a=rtpmap:98 G729/8000", "a=fmtp:98 annexb=no"], true),
        ("0", &[], false),
        ("18", &[no, "m=audio 4002 RTP/AVP 18"], false),
        ("0", &["m=audio 4002 RTP/AVP 18", no], true),
    ] {
        let sdp = described(formats, lines);
        let shaped = offered(&region(64, LinkLoss::LowLoss), &sdp).shaped.unwrap();
        assert_eq!(shaped.is_without_annex_b, want, "{formats} {lines:?}");
    }
}
