//! Check rates of codecs under names that no offer has.

use crate::config::document::Document;
use crate::config::report::Report;
use emcc_codecs::catalogue::{CodecId, Named};

/// Warns of a `[[codec]]` that no format of an offer can be meant by: the name is that of something which has no rate of its
/// own (M-24), or another spelling of one of the catalogue.
pub(super) fn check(document: &Document, report: &Report) {
    for codec in &document.codecs {
        let name = codec.name.as_str();
        match Named::of(name.as_bytes()) {
            Named::Codec(_) => {}
            Named::Follower | Named::Redundancy => report.warning(
                &codec.name.place,
                format!("codec {name} has no effect: it follows the codecs, whatever its rate"),
                "Remove it.",
            ),
            Named::Unknown => {
                if let Some(meant) = meant(name) {
                    report.warning(
                        &codec.name.place,
                        format!(
                            "codec {name} is no encoding name of the catalogue, and rules formats of that name alone"
                        ),
                        format!("Write the encoding name of SDP, {meant}, if that is meant."),
                    );
                }
            }
        }
    }
}

/// The encoding name of the catalogue that is meant by another spelling: with dots, or without hyphens.
fn meant(name: &str) -> Option<String> {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    };
    let wanted = plain(name);
    let alias = match wanted.as_str() {
        "G711" => Some("PCMU or PCMA"),
        "G711U" | "G711ULAW" => Some("PCMU"),
        "G711A" | "G711ALAW" => Some("PCMA"),
        "G729A" | "G729B" | "G729AB" => Some("G729"),
        "G7231" => Some("G723"),
        "AAC" | "AACLD" => Some("mpeg4-generic or MP4A-LATM"),
        _ => None,
    };
    let mut names = CodecId::all().map(|id| id.name().as_str().to_owned());
    let alike = || names.find(|known| !known.is_empty() && plain(known) == wanted);
    alias.map(str::to_owned).or_else(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_another_way_is_known_and_what_is_none_is_not() {
        for (written, want) in [
            ("G.711", Some("PCMU or PCMA")),
            ("g711-ulaw", Some("PCMU")),
            ("G.729", Some("G729")),
            ("G.729a", Some("G729")),
            ("G.722", Some("G722")),
            ("G.722.1", Some("G7221")),
            ("AMRWB", Some("AMR-WB")),
            ("amr_wb", Some("AMR-WB")),
            ("i-LBC", Some("iLBC")),
            ("EVS", None),
            ("H264", None),
            ("", None),
        ] {
            assert_eq!(meant(written).as_deref(), want, "{written}");
        }
    }
}
