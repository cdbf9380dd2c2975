//! What edits do to a description, and what they leave alone.
#![allow(clippy::unwrap_used)] // all of it is test code

use emcc_codecs::bandwidth::AddressFamily;
use emcc_codecs::catalogue::identify;
use emcc_codecs::offer::{
    Bound, Edit, Qos, Verdict, Verdicts, bound_within, bounded_bps, has_mandatory_qos, has_qos, write, write_qos,
};
use emcc_codecs::sdp::Session;
use proptest::prelude::*;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn written(sdp: &str, edits: &[Edit], session_kbps: Option<u32>) -> (bool, String) {
    let mut out = b"kept".to_vec();
    let changed = write(&Session::parse(sdp.as_bytes()).unwrap(), edits, session_kbps, &mut out);
    let text = String::from_utf8(out).unwrap();
    (changed, text.strip_prefix("kept").unwrap().to_owned())
}

fn keep(rank: u8) -> Verdict {
    Verdict::Keep { rank }
}

fn formats(verdicts: &[Verdict]) -> Edit {
    Edit::Formats(Verdicts::from_slice(verdicts))
}

#[test]
fn formats_leave_in_the_order_of_ranks_and_dropped_ones_take_their_lines() {
    let sdp = format!(
        "{HEAD}m=audio 4000 RTP/AVP 0 9 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=x-future:9\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\n"
    );
    let want = format!(
        "{HEAD}m=audio 4000 RTP/AVP 9 18 101\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=x-future:9\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\n"
    );
    let (changed, got) = written(&sdp, &[formats(&[Verdict::Drop, keep(8), keep(28), keep(255)])], None);
    assert!(changed);
    assert_eq!(got, want);
    let (changed, got) = written(&want, &[formats(&[keep(28), keep(8), keep(255)])], None);
    assert!(changed && got.contains("RTP/AVP 18 9 101\r\na=rtpmap:9"), "lines keep their order: {got}");
}

#[test]
fn equal_ranks_keep_their_order() {
    let sdp = format!("{HEAD}m=audio 4000 RTP/AVP 101 13 18\r\n");
    let (_, got) = written(&sdp, &[formats(&[keep(255), keep(255), keep(28)])], None);
    assert!(got.ends_with("m=audio 4000 RTP/AVP 18 101 13\r\n"), "{got}");
}

#[test]
fn nothing_to_change_leaves_every_byte() {
    for sdp in [
        "v=0\nm=audio  1  RTP/AVP  0   8 \nx=what\nnonsense\n\na=rtpmap:0 PCMU/8000",
        "v=0\r\nm=video 2 RTP/AVP 97\r\nb=AS:100\r\nb=TIAS:99000\r\nb=RS:0\r\n\r\n",
    ] {
        let edit = if sdp.contains("audio") { formats(&[keep(1), keep(1)]) } else { Edit::Bandwidth { kbps: 100 } };
        assert_eq!(written(sdp, &[edit], None), (false, sdp.to_owned()));
        assert_eq!(written(sdp, &[], None), (false, sdp.to_owned()));
    }
}

#[test]
fn a_removed_stream_has_port_0_and_nothing_else_new() {
    let sdp = "v=0\r\nm=video 4002/2 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n";
    assert_eq!(written(sdp, &[Edit::Remove], None).1, "v=0\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n");
    let gone = "v=0\r\nm=video 0 RTP/AVP 97\r\n";
    assert_eq!(written(gone, &[Edit::Remove], None), (false, gone.to_owned()));
}

#[test]
fn video_states_its_allowance_and_a_lower_value_stands_m23() {
    for (lines, want, bps) in [
        ("", "b=AS:376\r\nb=TIAS:376000\r\n", 376_000),
        ("b=AS:512\r\n", "b=AS:376\r\nb=TIAS:376000\r\n", 376_000),
        ("b=TIAS:512000\r\n", "b=TIAS:376000\r\nb=AS:376\r\n", 376_000),
        ("b=AS:256\r\n", "b=AS:256\r\nb=TIAS:256000\r\n", 256_000),
        ("b=TIAS:255500\r\n", "b=TIAS:255500\r\nb=AS:256\r\n", 255_500),
        ("b=AS:320\r\nb=TIAS:310000\r\n", "b=AS:320\r\nb=TIAS:310000\r\n", 310_000),
        ("b=AS:64.5\r\nb=TIAS:9000000000\r\n", "b=AS:64.5\r\nb=TIAS:376000\r\n", 65_000),
        ("b=AS:many\r\n", "b=AS:376\r\nb=TIAS:376000\r\n", 376_000),
        ("b=CT:9999\r\nb=AS:9999\r\n", "b=CT:9999\r\nb=AS:376\r\nb=TIAS:376000\r\n", 376_000),
    ] {
        let block = |lines: &str| format!("v=0\r\nm=video 2 RTP/AVP 97\r\ni=x\r\n{lines}a=rtpmap:97 H264/90000\r\n");
        let sdp = block(lines);
        assert_eq!(written(&sdp, &[Edit::Bandwidth { kbps: 376 }], None).1, block(want), "{lines:?}");
        let session = Session::parse(sdp.as_bytes()).unwrap();
        assert_eq!(bounded_bps(&session, &session.media()[0], 376), bps, "{lines:?}");
    }
}

#[test]
fn the_session_part_states_the_whole_cap_m23() {
    let (_, got) =
        written("v=0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=x\r\nm=audio 1 RTP/AVP 0\r\n", &[], Some(384));
    assert_eq!(
        got,
        "v=0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=AS:384\r\nb=TIAS:384000\r\nt=0 0\r\na=x\r\nm=audio 1 RTP/AVP 0\r\n"
    );
    let (_, got) = written("v=0\nb=AS:4000\nb=TIAS:128000\nt=0 0\n", &[], Some(384));
    assert_eq!(got, "v=0\nb=AS:384\nb=TIAS:128000\nt=0 0\n");
}

#[test]
fn a_line_added_behind_an_unended_one_stands_alone() {
    let (_, got) = written("v=0\r\nm=video 2 RTP/AVP 97", &[Edit::Bandwidth { kbps: 9 }], None);
    assert_eq!(got, "v=0\r\nm=video 2 RTP/AVP 97\r\nb=AS:9\r\nb=TIAS:9000\r\n");
    let (_, got) = written("v=0\nm=video 2 RTP/AVP 97\n", &[Edit::Bandwidth { kbps: 9 }], None);
    assert_eq!(got, "v=0\nm=video 2 RTP/AVP 97\nb=AS:9\nb=TIAS:9000\n");
}

/// Bounds the only format of a block within `cap_bps`, as the region does; `None` where it cannot be bounded.
fn bounded(rtpmap: &str, fmtp_lines: &str, cap_bps: u32) -> Option<(String, u32)> {
    let sdp = format!("v=0\r\nm=audio 1 RTP/AVP 96\r\na=rtpmap:96 {rtpmap}\r\n{fmtp_lines}a=ptime:20\r\n");
    let session = Session::parse(sdp.as_bytes()).unwrap();
    let format = &session.media()[0].formats[0];
    let variant = identify(&format.encoding.unwrap(), format.fmtp).unwrap();
    let (bound, highest_bps) = bound_within(format, variant, cap_bps, u16::MAX)?;
    let (_, text) = written(&sdp, &[formats(&[Verdict::Bound { rank: 1, bound }])], None);
    let lines = text.split_once(&format!("{rtpmap}\r\n")).unwrap().1.strip_suffix("a=ptime:20\r\n").unwrap();
    Some((lines.to_owned(), highest_bps))
}

#[test]
fn opus_is_bound_by_its_average_rate_m16() {
    for (lines, cap_bps, want) in [
        ("", 8_000, Some("a=fmtp:96 maxaveragebitrate=8000\r\n")),
        ("a=fmtp:96 useinbandfec=1\r\n", 8_000, Some("a=fmtp:96 useinbandfec=1;maxaveragebitrate=8000\r\n")),
        ("a=fmtp:96 useinbandfec=1;\r\n", 8_000, Some("a=fmtp:96 useinbandfec=1;maxaveragebitrate=8000\r\n")),
        ("a=fmtp:96 \r\n", 8_000, Some("a=fmtp:96  maxaveragebitrate=8000\r\n")),
        (
            "a=fmtp:96 maxAverageBitrate = 64000 ; stereo=0\r\n",
            8_000,
            Some("a=fmtp:96 maxAverageBitrate = 8000 ; stereo=0\r\n"),
        ),
        ("a=fmtp:96 maxaveragebitrate=7000\r\n", 8_000, Some("a=fmtp:96 maxaveragebitrate=7000\r\n")),
        ("", 6_000, Some("a=fmtp:96 maxaveragebitrate=6000\r\n")),
        ("", 5_999, None),
        // What is no rate counts as absent.
        ("a=fmtp:96 maxaveragebitrate=lots\r\n", 8_000, Some("a=fmtp:96 maxaveragebitrate=8000\r\n")),
        ("a=fmtp:96 maxaveragebitrate=100; cbr=1\r\n", 8_000, Some("a=fmtp:96 maxaveragebitrate=8000; cbr=1\r\n")),
        ("a=fmtp:96 cbr=1; maxaveragebitrate ;x\r\n", 8_000, Some("a=fmtp:96 cbr=1; maxaveragebitrate=8000 ;x\r\n")),
        ("a=fmtp:96 maxaveragebitrate=1;maxaveragebitrate=2\r\n", 8_000, None),
        ("a=fmtp:96 stereo=0\r\na=fmtp:96 cbr=1\r\n", 8_000, None),
    ] {
        let got = bounded("opus/48000/2", lines, cap_bps).map(|(text, _)| text);
        assert_eq!(got.as_deref(), want, "{lines:?} within {cap_bps}");
    }
}

#[test]
fn amr_is_bound_by_its_modes_and_keeps_its_framing_m16() {
    for (rtpmap, lines, cap_bps, want) in [
        ("AMR/8000", "", 8_000, Some(("a=fmtp:96 mode-set=0,1,2,3,4,5\r\n", 7_950))),
        (
            "AMR/8000/1",
            "a=fmtp:96 octet-align=1; mode-set=0,2,7; crc=0\r\n",
            8_000,
            Some(("a=fmtp:96 octet-align=1; mode-set=0,2; crc=0\r\n", 5_900)),
        ),
        ("AMR/8000", "a=fmtp:96 octet-align=1\r\n", 5_000, Some(("a=fmtp:96 octet-align=1;mode-set=0\r\n", 4_750))),
        ("AMR/8000", "a=fmtp:96 mode-set=7\r\n", 8_000, None),
        ("AMR/8000", "a=fmtp:96 mode-set=all\r\n", 8_000, None),
        ("AMR/8000", "a=fmtp:96 mode-set=0;mode-set=1\r\n", 8_000, None),
        ("AMR-WB/16000", "", 8_000, Some(("a=fmtp:96 mode-set=0\r\n", 6_600))),
        ("AMR-WB/16000", "", 16_000, Some(("a=fmtp:96 mode-set=0,1,2,3,4\r\n", 15_850))),
        ("AMR-WB/16000", "", 6_000, None),
        ("PCMU/8000", "", 8_000, None),
    ] {
        let got = bounded(rtpmap, lines, cap_bps);
        assert_eq!(got.as_ref().map(|(t, b)| (t.as_str(), *b)), want, "{rtpmap} {lines:?} within {cap_bps}");
    }
}

const QOS: &str = "v=0\r\nm=audio 1 RTP/AVP 0\r\na=curr:qos e2e none\r\na=des:qos optional e2e sendrecv\r\n\
    a=des:sec mandatory e2e sendrecv\r\nm=video 2 RTP/AVP 97\r\na=curr:qos e2e none\r\n\
    a=des:qos  mandatory e2e sendrecv\r\na=conf:qos e2e recv\r\nm=audio 3 RTP/AVP 0\r\na=des:qos failure e2e send\r\n";

#[test]
fn preconditions_take_the_strength_of_the_policy_v27() {
    let with = |audio, video| {
        let mut out = Vec::new();
        let changed = write_qos(&Session::parse(QOS.as_bytes()).unwrap(), audio, video, &mut out);
        (changed, String::from_utf8(out).unwrap())
    };
    assert_eq!(with(Qos::Keep, Qos::Mandatory), (false, QOS.to_owned()));
    let (_, desired) = with(Qos::Mandatory, Qos::Optional);
    let want = QOS.replace("des:qos optional", "des:qos X").replace("qos  mandatory", "qos  optional");
    assert_eq!(desired, want.replace("des:qos X", "des:qos mandatory"));
    let (_, bare) = with(Qos::Remove, Qos::Remove);
    assert!(!bare.contains("qos") && bare.contains("a=des:sec mandatory"), "{bare}");
}

#[test]
fn only_active_streams_want_preconditions_v27a() {
    for (sdp, qos, mandatory) in [
        (QOS.to_owned(), true, true),
        (QOS.replace("m=video 2", "m=video 0"), true, false),
        ("v=0\r\nm=audio 1 RTP/AVP 0\r\na=des:sec mandatory e2e send\r\n".to_owned(), false, false),
    ] {
        let session = Session::parse(sdp.as_bytes()).unwrap();
        assert_eq!((has_qos(&session), has_mandatory_qos(&session)), (qos, mandatory), "{sdp}");
    }
    let mut out = Vec::new();
    let plain = b"v=0\r\nm=audio 1 RTP/AVP 0\r\n";
    assert!(!write_qos(&Session::parse(plain).unwrap(), Qos::Mandatory, Qos::Mandatory, &mut out));
}

#[test]
fn an_index_reads_what_was_written() {
    let sdp = format!("{HEAD}m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\n");
    let bound = Verdict::Bound { rank: 1, bound: Bound::AverageBitrate { bps: 9_000 } };
    let (_, got) = written(&sdp, &[formats(&[keep(17), bound])], None);
    let session = Session::parse(got.as_bytes()).unwrap();
    let opus = &session.media()[0].formats[0];
    assert_eq!((opus.token, opus.fmtp), (&b"96"[..], &b"maxaveragebitrate=9000"[..]));
    assert_eq!(session.media()[0].family, AddressFamily::V4);
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let verdict = prop_oneof![
        Just(Verdict::Drop),
        any::<u8>().prop_map(keep),
        (any::<u8>(), 0u32..99_999)
            .prop_map(|(rank, bps)| Verdict::Bound { rank, bound: Bound::AverageBitrate { bps } }),
        (any::<u8>(), any::<u16>()).prop_map(|(rank, set)| Verdict::Bound { rank, bound: Bound::Modes { set } }),
        any::<u8>().prop_map(|rank| Verdict::Bound { rank, bound: Bound::NoAnnexB }),
    ];
    prop_oneof![
        Just(Edit::Leave),
        Just(Edit::Remove),
        any::<u32>().prop_map(|kbps| Edit::Bandwidth { kbps }),
        proptest::collection::vec(verdict, 0..6).prop_map(|v| Edit::Formats(Verdicts::from_vec(v))),
    ]
}

proptest! {
    #[test]
    fn any_edit_of_any_lines_writes_a_description(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("m=audio 1 RTP/AVP 0 96 97".to_owned()),
                Just("m=video 2/2 RTP/AVP 97".to_owned()),
                "a=(rtpmap|fmtp):9[67] [a-z;=/0-9 ]{0,20}",
                "b=(AS|TIAS|CT|):[0-9.x]{0,12}",
                "a=(des|curr):qos (mandatory|none|) [a-z]{0,4}",
                "[a-z]?=?[ -~]{0,12}",
            ],
            0..20,
        ),
        edits in proptest::collection::vec(any_edit(), 0..4),
        session_kbps in proptest::option::of(any::<u32>()),
        bare: bool,
        ended: bool,
    ) {
        let line_end = if bare { "\n" } else { "\r\n" };
        let sdp = format!("v=0{line_end}{}{}", lines.join(line_end), if ended { line_end } else { "" });
        if let Ok(session) = Session::parse(sdp.as_bytes()) {
            let mut out = Vec::new();
            let changed = write(&session, &edits, session_kbps, &mut out);
            prop_assert_eq!(changed, out != sdp.as_bytes());
            out.clear();
            write_qos(&session, Qos::Mandatory, Qos::Remove, &mut out);
            prop_assert!(Session::parse(&out).is_ok());
            out.clear();
            prop_assert!(!write(&session, &[], None, &mut out));
            prop_assert_eq!(&out[..], sdp.as_bytes());
        }
    }
}
