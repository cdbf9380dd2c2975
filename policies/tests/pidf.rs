//! Locations as they travel: what is read of a document, whatever its shape, and what is written (G-12 to G-18).

use emcc_policies::location::pidf::{
    Conveyed, PIDF_BYTES_MAX, PidfWrong, Writing, XML_DEPTH_MAX, XML_NAMES_MAX, read, write,
};
use emcc_policies::location::{Field, Geolocation};
use emcc_policies::moment::Civil;
use proptest::prelude::*;

/// The namespaces as RFC 5491 writes them.
const NAMES: &str = "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
    xmlns:gp=\"urn:ietf:params:xml:ns:pidf:geopriv10\" xmlns:cl=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc\" \
    xmlns:ca=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr\" xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\" \
    xmlns:cisco=\"http://www.cisco.com\"";

fn presence(inside: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence {NAMES} entity=\"pres:sip@h\">{inside}</presence>")
}

fn geopriv(civic: &str) -> String {
    format!("<gp:geopriv><gp:location-info><cl:civicAddress>{civic}</cl:civicAddress></gp:location-info></gp:geopriv>")
}

fn device(civic: &str) -> String {
    format!("<dm:device id=\"d\">{}<dm:deviceID>mac:1</dm:deviceID></dm:device>", geopriv(civic))
}

fn tuple(civic: &str) -> String {
    format!("<tuple id=\"t\"><status>{}</status></tuple>", geopriv(civic))
}

fn told(document: &str) -> Result<String, PidfWrong> {
    read(document.as_bytes()).map(|conveyed| conveyed.location.to_string()).map_err(|error| error.what)
}

/// What a Cisco cluster was seen to send: a leading space in the namespace, `geopriv` right under the device.
const SEEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:gp=\"urn:ietf:params:xml:ns:pidf:geopriv10\"\n\
     xmlns:cl=\" urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\n\
     xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\" xmlns:cisco=\"http://www.cisco.com\" entity=\"pres:sip@geopriv\">\n\
    <dm:device id=\"sip\">\n<gp:geopriv>\n<gp:location-info>\n<cl:civicAddress>\n<cl:country>US</cl:country>\n\
    <cl:A1>TEX</cl:A1>\n<cl:A2>SAN</cl:A2>\n<cl:NAM>BGL1</cl:NAM>\n</cl:civicAddress>\n</gp:location-info>\n\
    <gp:usage-rules>\n<gp:retransmission-allowed>yes</gp:retransmission-allowed>\n\
    <gp:retention-expiry>2026-09-22T05:49:37Z</gp:retention-expiry>\n</gp:usage-rules>\n</gp:geopriv>\n\
    <caps:devcaps>\n<cisco:gateway>false</cisco:gateway>\n</caps:devcaps>\n\
    <timestamp>2026-09-21T05:49:37Z</timestamp>\n</dm:device>\n</presence>\n";

#[test]
fn trap_20_and_g14_a_document_with_every_slip_that_was_seen_is_read_in_full() {
    assert_eq!(told(SEEN).as_deref(), Ok("country=US,A1=TEX,A2=SAN,NAM=BGL1"));
    let conveyed = read(SEEN.as_bytes()).expect("it is read");
    assert_eq!(conveyed.is_gateway, Some(false));
    let clean = SEEN.replace("\" urn:", "\"urn:");
    assert_eq!(read(clean.as_bytes()), Ok(conveyed), "the space makes no difference");
    let bom = format!("\u{feff}{SEEN}");
    assert_eq!(told(&bom).as_deref(), Ok("country=US,A1=TEX,A2=SAN,NAM=BGL1"));
}

#[test]
fn g13_a_border_device_is_told_from_a_phone() {
    for (text, want) in
        [("true", Some(true)), (" false\n", Some(false)), ("1", Some(true)), ("0", Some(false)), ("perhaps", None)]
    {
        let before = format!("<caps:devcaps><cisco:gateway>{text}</cisco:gateway></caps:devcaps>");
        let both = [
            presence(&device("<cl:A3>X</cl:A3>").replace("</dm:device>", &format!("{before}</dm:device>"))),
            presence(&device("<cl:A3>X</cl:A3>").replace("<gp:geopriv>", &format!("{before}<gp:geopriv>"))),
        ];
        for document in both {
            assert_eq!(read(document.as_bytes()).map(|conveyed| conveyed.is_gateway), Ok(want), "{document}");
        }
    }
    let other = format!(
        "<tuple><caps:devcaps><caps:gateway>true</caps:gateway></caps:devcaps></tuple>{}",
        device("<cl:A3>X</cl:A3>")
    );
    assert_eq!(read(presence(&other).as_bytes()).map(|conveyed| conveyed.is_gateway), Ok(None), "another's");
}

#[test]
fn g1_and_rfc_4119_2_2_1_each_of_the_seventeen_fields_is_read_in_a_tuple_and_in_a_device() {
    let all: String = Field::ALL.iter().map(|field| format!("<cl:{0}>the {0}</cl:{0}>", field.name())).collect();
    for document in [presence(&tuple(&all)), presence(&device(&all)), presence(&geopriv(&all))] {
        let location = read(document.as_bytes()).expect("it is read").location;
        for field in Field::ALL {
            assert_eq!(location.get(field), Some(format!("the {}", field.name()).as_str()), "{document}");
        }
    }
}

#[test]
fn g18_and_rfc_5139_the_street_and_what_is_inside_a_building_find_their_fields() {
    for (fields, want) in [
        ("<ca:country>GB</ca:country><ca:RD>Strand</ca:RD>", "country=GB,A6=Strand"),
        ("<ca:A6>Soho</ca:A6><ca:RD>Strand</ca:RD>", "A6=Soho"),
        ("<ca:A6> </ca:A6><ca:RD>Strand</ca:RD>", "A6=Strand"),
        ("<ca:LOC>East</ca:LOC><ca:BLD>B</ca:BLD><ca:UNIT>U</ca:UNIT><ca:ROOM>7</ca:ROOM>", "LOC=East 7 U B"),
        ("<ca:ROOM>7</ca:ROOM>", "LOC=7"),
        (
            "<ca:PRM>Old</ca:PRM><ca:POM>x</ca:POM><ca:RDSEC>x</ca:RDSEC><ca:RDBR>x</ca:RDBR><ca:RDSUBBR>x</ca:RDSUBBR>\
             <ca:SEAT>x</ca:SEAT><ca:PLC>x</ca:PLC><ca:PCN>x</ca:PCN><ca:POBOX>x</ca:POBOX><ca:ADDCODE>x</ca:ADDCODE>\
             <ca:FLR>2</ca:FLR>",
            "FLR=2",
        ),
        ("<cl:A3>mixed</cl:A3><ca:PC>1</ca:PC>", "A3=mixed,PC=1"),
    ] {
        let document = presence(&device(fields)).replace("cl:civicAddress", "ca:civicAddress");
        assert_eq!(told(&document).as_deref(), Ok(want), "{fields}");
    }
}

#[test]
fn rfc_5491_3_4_rule_8_of_several_places_the_first_devices_counts_then_the_first_tuples() {
    let person = |civic: &str| format!("<dm:person id=\"p\">{}</dm:person>", geopriv(civic));
    let (a, b) = ("<cl:A3>first</cl:A3>", "<cl:A3>second</cl:A3>");
    for (inside, want) in [
        (format!("{}{}", device(a), device(b)), "A3=first"),
        (format!("{}{}", tuple(b), device(a)), "A3=first"),
        (format!("{}{}", person(b), tuple(a)), "A3=first"),
        (format!("{}{}", geopriv(b), person(a)), "A3=first"),
        (format!("{}{}", device(""), device(a)), "A3=first"),
        (format!("{}{}", device("<cl:A3> </cl:A3>"), tuple(a)), "A3=first"),
        (format!("{}{}", tuple(a), tuple(b)), "A3=first"),
    ] {
        assert_eq!(told(&presence(&inside)).as_deref(), Ok(want), "{inside}");
    }
    let two = geopriv(a)
        .replace("</gp:location-info>", "<cl:civicAddress><cl:A3>x</cl:A3></cl:civicAddress></gp:location-info>");
    assert_eq!(told(&presence(&two)).as_deref(), Ok("A3=first"), "of one device the first");
    let again = device("<cl:A3>first</cl:A3><cl:A3>again</cl:A3>");
    assert_eq!(told(&presence(&again)).as_deref(), Ok("A3=first"), "of one address the first");
}

#[test]
fn text_is_what_xml_says_it_is() {
    for (text, want) in [
        ("Lon<!-- a -->don", "London"),
        ("<![CDATA[a<b]]>", "a<b"),
        ("a &amp; &lt;b&gt; &quot;&apos;", "a & <b> \"'"),
        ("&#xE9;t&#233;", "été"),
        ("<x>no</x>yes<?pi no?>", "yes"),
        ("  in  side \r\n ", "in  side"),
    ] {
        assert_eq!(told(&presence(&device(&format!("<cl:A3>{text}</cl:A3>")))), Ok(format!("A3={want}")), "{text}");
    }
}

#[test]
fn a_prefix_is_but_a_prefix_and_a_default_namespace_ends_with_its_element() {
    let civic = "<civicAddress xmlns=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicLoc\"><A3>X</A3></civicAddress>";
    let document = presence(&device("")).replace("<cl:civicAddress></cl:civicAddress>", civic);
    assert_eq!(told(&document).as_deref(), Ok("A3=X"));
    let rebound = presence(&device("<cl:A3 xmlns:cl=\"urn:other\">X</cl:A3><cl:PC>1</cl:PC>"));
    assert_eq!(told(&rebound).as_deref(), Ok("PC=1"));
    let foreign = presence(&device("<cl:A3>X</cl:A3>")).replace("geopriv10:civicLoc", "geopriv10:other");
    assert_eq!(told(&foreign), Err(PidfWrong::NoCivicAddress));
    let unbound = presence(&device("<zz:A3>X</zz:A3>"));
    assert_eq!(told(&unbound), Err(PidfWrong::UndeclaredPrefix));
}

#[test]
fn what_is_no_location_is_told_by_what_is_wrong_with_it() {
    let long = presence(&device(&format!("<cl:A3>{}</cl:A3>", "x".repeat(PIDF_BYTES_MAX))));
    let deep = presence(&device(&format!("{}{}", "<x>".repeat(XML_DEPTH_MAX), "</x>".repeat(XML_DEPTH_MAX))));
    let many: String = (0..=XML_NAMES_MAX).map(|count| format!(" a{count}=\"\"")).collect();
    let names: String = (0..XML_NAMES_MAX).map(|count| format!(" xmlns:n{count}=\"urn:x\"")).collect();
    let point = presence(
        "<dm:device><gp:geopriv><gp:location-info><p:Point xmlns:p=\"u\"/></gp:location-info></gp:geopriv></dm:device>",
    );
    for (document, want) in [
        (long, PidfWrong::TooLong),
        (deep, PidfWrong::TooDeep),
        (presence(&format!("<x{many}/>")), PidfWrong::TooManyNames),
        (presence(&format!("<x{names}/>")), PidfWrong::TooManyNames),
        (point, PidfWrong::NoCivicAddress),
        (presence(""), PidfWrong::NoCivicAddress),
        (presence(&device("<cl:A3>\u{1}</cl:A3>")), PidfWrong::NotText),
        (presence(&device("<cl:A3>&#1;</cl:A3>")), PidfWrong::UnknownEntity),
        (presence(&device("<cl:A3>&city;</cl:A3>")), PidfWrong::UnknownEntity),
        (presence(&device("<cl:A3>a & b</cl:A3>")), PidfWrong::NotXml),
        (presence("<dm:device></tuple>"), PidfWrong::NotXml),
        (presence("<x a=\"1\" a=\"2\"/>"), PidfWrong::NotXml),
        (format!("{}<x/>", presence("")), PidfWrong::NotXml),
        (format!("{}x", presence("")), PidfWrong::NotXml),
        (presence("").replace("</presence>", ""), PidfWrong::NotXml),
        (String::new(), PidfWrong::NotXml),
        ("where is it?".to_owned(), PidfWrong::NotXml),
        ("<presence/>".to_owned(), PidfWrong::NotPresence),
        ("<html/>".to_owned(), PidfWrong::NotPresence),
        (format!("<!DOCTYPE presence [<!ENTITY city \"X\">]>{}", presence("")), PidfWrong::DocType),
    ] {
        assert_eq!(told(&document), Err(want), "{}", document.get(..200).unwrap_or(&document));
    }
    assert_eq!(
        read(b"<presence>\xff</presence>").map_err(|error| (error.at, error.what)),
        Err((10, PidfWrong::NotText))
    );
}

#[test]
fn xml_bombs_are_refused_before_anything_of_them_is_expanded() {
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE p [<!ENTITY l0 \"lol\">{laughs}]>{}", presence(&device("<cl:A3>&l9;</cl:A3>")));
    assert_eq!(told(&bomb), Err(PidfWrong::DocType));
    let outside = format!("<!DOCTYPE p SYSTEM \"file:///etc/passwd\">{}", presence(""));
    assert_eq!(told(&outside), Err(PidfWrong::DocType));
}

#[test]
fn every_cut_of_a_document_is_refused_and_no_cut_is_read_as_something_else() {
    let end = SEEN.trim_end().len();
    for len in 0..end {
        let error = read(&SEEN.as_bytes()[..len]).expect_err("it is cut");
        assert_eq!(error.what, PidfWrong::NotXml, "{len}");
        assert!(error.at <= len);
    }
}

fn written(location: &Geolocation, at: i64) -> String {
    let writing =
        Writing { location, entity: &["pres:SEP1@", "hq & co"], device: "SEP1", at: Civil(at), may_be_passed_on: true };
    let mut out = b"before".to_vec();
    write(&writing, &mut out);
    String::from_utf8(out).expect("text").strip_prefix("before").expect("it stands behind").to_owned()
}

#[test]
fn g16_the_rfc_form_is_written_the_same_every_time() {
    let location = Geolocation::parse("country=GB,A3=London,A6=Strand <&>,FLR=2").expect("a place");
    let text = written(&location, 1_767_600_000);
    assert_eq!(text, written(&location, 1_767_600_000));
    for piece in [
        "xmlns:cl=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr\"",
        "entity=\"pres:SEP1@hq &amp; co\"",
        "<cl:civicAddress><cl:country>GB</cl:country><cl:A3>London</cl:A3><cl:RD>Strand &lt;&amp;&gt;</cl:RD><cl:FLR>2</cl:FLR></cl:civicAddress>",
        "<gbp:retransmission-allowed>yes</gbp:retransmission-allowed>",
        "<gbp:retention-expiry>2026-01-06T08:00:00Z</gbp:retention-expiry>",
        "<dm:deviceID>urn:emcc:device:SEP1</dm:deviceID><dm:timestamp>2026-01-05T08:00:00Z</dm:timestamp>",
    ] {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    assert_eq!(read(text.as_bytes()), Ok(Conveyed { location, is_gateway: None }));
}

#[test]
fn dates_are_those_of_the_calendar() {
    let location = Geolocation::parse("A3=X").expect("a place");
    for (unix_s, want) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (i64::MAX, "9999-12-31T23:59:59Z"),
        (i64::MIN, "1970-01-01T00:00:00Z"),
    ] {
        let want = format!("<dm:timestamp>{want}</dm:timestamp>");
        assert!(written(&location, unix_s).contains(&want), "{unix_s}: {}", written(&location, unix_s));
    }
}

/// A value of any characters XML has.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9 &<>'\"\\]\\[\\-;!?]{1,20}",
        proptest::collection::vec(
            any::<char>().prop_filter("XML has it", |letter| {
                matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
            }),
            1..12
        )
        .prop_map(String::from_iter),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(values in proptest::collection::vec((0..17_usize, value()), 1..17), at in any::<i64>()) {
        let mut location = Geolocation::default();
        for (field, value) in &values {
            location.set(Field::ALL[*field], value);
        }
        prop_assume!(!location.is_blank());
        let text = written(&location, at);
        prop_assert_eq!(read(text.as_bytes()), Ok(Conveyed { location, is_gateway: None }));
    }

    #[test]
    fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&octets);
    }

    #[test]
    fn any_document_is_read_without_harm(
        inside in "(<cl:A3>|</cl:A3>|<dm:device>|</dm:device>|<gp:geopriv>|</gp:geopriv>|&amp;|&#6;|<!--|-->|<x y='1'/>|]]>|text){0,40}"
    ) {
        if let Ok(conveyed) = read(presence(&inside).as_bytes()) {
            prop_assert!(!conveyed.location.is_blank());
        }
    }
}
