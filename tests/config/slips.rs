//! Single mistakes of people who write configurations by hand: a word misspelt, a bracket left out, a unit in a number,
//! a name that was renamed elsewhere. Each gives exactly one problem, where it stands.

use super::*;

#[test]
fn slips_of_the_pen_are_named_where_they_stand() {
    each_gives_exactly_its_problem(&[
        error("[admin]\nlisten", "[admin]\n§lisetn", "admin.lisetn", "unknown key"),
        error("[emcc_template]\n", "[§emcc_templat]\n", "emcc_templat", "unknown table"),
        error("", "[[§route_grp]]\nname = \"RG2\"", "route_grp", "unknown table"),
        error("emcc = true\n", "emcc = true\n§emc = true\n", "intercluster_service_profile.emc", "unknown key"),
        error("[[route_list]]\n", "[[route_list]]\n§member = 1\n", "route_list[0].member", "unknown key"),
        error("emcc_enabled = true", "emcc_enabled = §1", "user[0].emcc_enabled", "not true or false"),
        error(
            "rsvp_agent = true",
            "rsvp_agent = §\"true\"",
            "intercluster_service_profile.rsvp_agent",
            "not true or false",
        ),
        error(
            "link_audio_kbps = 2000",
            "link_audio_kbps = §\"2 Mbit/s\"",
            "remote_cluster[0].link_audio_kbps",
            "not a whole number",
        ),
        error(
            "link_audio_kbps = 2000",
            "link_audio_kbps = §2000.5",
            "remote_cluster[0].link_audio_kbps",
            "not a whole number",
        ),
        error("link_audio_kbps = 2000", "link_audio_kbps = §-1", "remote_cluster[0].link_audio_kbps", "outside"),
        error(
            "link_video_kbps = 4000",
            "link_video_kbps = §true",
            "remote_cluster[0].link_video_kbps",
            "not a whole number",
        ),
        error(
            "members = [\"Standard Local Route Group\"]",
            "members = §\"Standard Local Route Group\"",
            "route_list[0].members",
            "not an array",
        ),
        error(
            "members = [\"Standard Local Route Group\"]",
            "members = [§7]",
            "route_list[0].members[0]",
            "an integer, not a string",
        ),
        // What it would need without the flag is not said beside.
        error(
            "",
            "[[route_pattern]]\npattern = \"9.0!\"\npartition = \"PT-Local\"\nblock = §\"yes\"",
            "route_pattern[3].block",
            "not true or false",
        ),
        error(
            "originator_css = true",
            "originator_css = §\"yes\"",
            "translation_pattern[0].originator_css",
            "not true or false",
        ),
        error("", "[[codec]]\nname = §\"\"\ncheck_kbps = 8", "codec[0].name", "is no name of a codec"),
        error(
            "",
            "[[codec]]\nname = \"x\"\ncheck_kbps = 8\n[[codec]]\nname = §\"X\"\ncheck_kbps = 9",
            "codec[1].name",
            "two codecs are named \"X\"",
        ),
        error(
            "geolocation_filter = \"city\"",
            "geolocation_filter = \"city\"\nremote_cluster_update_servers = [§\"1.2.3.400\"]",
            "feature.remote_cluster_update_servers[0]",
            "no host name ends in a number",
        ),
        error(
            "geolocation_filter = \"city\"",
            "geolocation_filter = \"city\"\nlogin_tftp_servers = [§\"-bad-\"]",
            "feature.login_tftp_servers[0]",
            "neither a host name nor an IP address",
        ),
        error("peers = [\"gw\"]", "peers = [§\"\"]", "route_group[0].peers[0]", "a name is empty"),
        error("", "[[route_group]]\nname = §\" RG\"\npeers = [\"gw\"]", "route_group[1].name", "a space at its end"),
    ]);
}

/// What the fix of the one error says where `put` is added to the clean file.
fn fix_of(put: &str) -> String {
    let mut problems = problems_of(&format!("{put}\n{CLEAN}"));
    problems.retain(|problem| problem.severity == Severity::Error);
    let [problem] = &problems[..] else { panic!("{put}: {problems:#?}") };
    assert!(problem.message.starts_with("unknown"), "{put}: {problem}");
    problem.fix.clone()
}

#[test]
fn a_misspelt_table_is_told_the_closest_that_may_stand_there() {
    for (put, wanted) in [
        ("[[devise]]\nname = \"SEP09\"", "Did you mean [[device]]?"),
        ("[devise]\nname = \"SEP09\"", "Did you mean [[device]]?"),
        ("[[cs]]\nname = \"C9\"", "Did you mean [[css]]?"),
        ("[[csss]]\nname = \"C9\"", "Did you mean [[css]]?"),
        ("[csw]\ndevices = \"d.csv\"", "Did you mean [csv]?"),
        ("[[rout_patern]]\npattern = \"1\"", "Did you mean [[route_pattern]]?"),
        ("[[periods]]\nfrom = \"1\"", "Remove it; the file has no such table."),
        // What may stand there once is there.
        ("[feture]\nopus_codec = true", "Remove it; the file has no such table."),
        ("includ = []", "Did you mean include?"),
    ] {
        assert_eq!(fix_of(put), wanted, "{put}");
    }
}

#[test]
fn a_trunk_more_than_there_may_be_is_told_by_the_rule_r8() {
    let rsvp = "[emcc_rsvp_trunk]\ncss = \"CSS-Trunk\"\n";
    for (put, key, fix) in [
        ("[emcc_trunk_2]\ncss = \"CSS-Trunk\"".to_owned(), "emcc_trunk_2", "Did you mean [emcc_rsvp_trunk]?"),
        (format!("{rsvp}[emcc_pstn_trunk]\ncss = \"CSS-Trunk\""), "emcc_pstn_trunk", "Remove it; the two are"),
        (format!("{rsvp}[[emcc_trunc]]\ncss = \"CSS-Trunk\""), "emcc_trunc", "Remove it; the two are"),
        (format!("{rsvp}[trunk]\ncss = \"CSS-Trunk\""), "trunk", "Remove it; the two are"),
        ("[emcc_trunk]\ncss = \"CSS-Trunk\"".to_owned(), "", "Keep one; the other trunk"),
        (format!("{rsvp}{rsvp}"), "", "Keep one; the other trunk"),
    ] {
        let mut problems = problems_of(&format!("{CLEAN}\n{put}"));
        problems.retain(|problem| problem.severity == Severity::Error);
        let [problem] = &problems[..] else { panic!("{put}: {problems:#?}") };
        assert!(problem.message.contains("at most two EMCC trunks") && problem.message.contains("R-8"), "{problem}");
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.fix.starts_with(fix), "{problem}");
    }
    let main = format!("include = [\"more.toml\"]\n{CLEAN}");
    let told = check_files(&[("node.toml", main.as_str()), ("more.toml", "[emcc_trunk]\ncss = \"CSS-Trunk\"\n")]);
    let wanted = "a second [emcc_trunk]: a cluster has at most two EMCC trunks, one of each name (R-8)";
    assert!(told.iter().any(|problem| problem.0 == "more.toml" && problem.4 == wanted), "{told:#?}");
}

#[test]
fn a_code_of_no_country_is_a_doubt_g1() {
    let says = |code: &str| {
        let problems = problems_of(&CLEAN.replacen("country = \"US\"", &format!("country = {code:?}"), 1));
        problems.into_iter().map(|p| (p.severity, p.line, p.column, p.key, p.message, p.fix)).collect::<Vec<_>>()
    };
    for code in ["GB", "gb", "GR", "XK", "UK", "uk", "EL", "XX", "AA", "ZZ"] {
        let wanted = match code {
            "GB" | "gb" | "GR" => None,
            "UK" | "uk" => Some("Did you mean \"GB\"?"),
            "EL" => Some("Did you mean \"GR\"?"),
            _ => Some(
                "Write the country's code, as in \"GB\"; one for private use only where the other clusters use it.",
            ),
        };
        let wanted = wanted.map(|fix| {
            let message = format!("{code:?} is the code of no country (ISO 3166)");
            (Severity::Warning, 49, 11, "geolocation[0].country".to_owned(), message, fix.to_owned())
        });
        assert_eq!(says(code), Vec::from_iter(wanted), "{code}");
    }
}

#[test]
fn values_that_are_none_are_named_where_they_stand() {
    each_gives_exactly_its_problem(&[
        error("[sip]\n", "[sip]\nphones = [§\"10.0.0\"]\n", "sip.phones[0]", "10.0.0"),
        error("[sip]\n", "[sip]\nphones = [§\"10.0.0.1/33\"]\n", "sip.phones[0]", "10.0.0.1/33"),
        error("[sip]\n", "[sip]\nworkers = §0\n", "sip.workers", "outside"),
        error("[sip]\n", "[sip]\nworkers = §257\n", "sip.workers", "outside"),
        error("[sip]\n", "[sip]\nno_response_s = §33\n", "sip.no_response_s", "outside"),
        error("[sip]\n", "[sip]\nring_s = §0\n", "sip.ring_s", "outside"),
        error("[sip]\n", "[sip]\nadvertise = §\"nowhere\"\n", "sip.advertise", "nowhere"),
        error("[sip]\n", "[sip]\ndns = [§\"ns.example.com\"]\n", "sip.dns[0]", "ns.example.com"),
        error("\"udp:127.0.1.1:5060\", ", "§\"sctp:127.0.1.1:5060\", ", "sip.listen[0]", "sctp"),
        error("\"udp:127.0.1.1:5060\", ", "§\"udp:127.0.1.1:70000\", ", "sip.listen[0]", "70000"),
        error("\"tcp:127.0.2.1:5060\"", "§\"tcp:127.0.2.1:sip\"", "remote_cluster[0].trunk[0]", "sip"),
        error("\"tcp:127.0.2.1:5060\"", "§\"tcp:127.0.2.256:5060\"", "remote_cluster[0].trunk[0]", "127.0.2.256"),
        error("trunk = [\"tcp:127.0.2.1:5060\"]", "trunk = §[]", "remote_cluster[0].trunk", "is empty"),
        error(
            "",
            "[[remote_cluster]]\nid = §\"B R\"\ntrunk = [\"tcp:127.0.3.1:5060\"]",
            "remote_cluster[1].id",
            "SIP header",
        ),
        error("id = \"BR\"\n", "id = \"BR\"\nversion = §\"nine\"\n", "remote_cluster[0].version", "is no version"),
        error(
            "id = \"BR\"\n",
            "id = \"BR\"\nsecurity_mode = §\"secure\"\n",
            "remote_cluster[0].security_mode",
            "is no value",
        ),
        error(
            "id = \"BR\"\n",
            "id = \"BR\"\nrsvp_policy = §\"optional\"\n",
            "remote_cluster[0].rsvp_policy",
            "is no value",
        ),
        error(
            "id = \"BR\"\n",
            "id = \"BR\"\nregion_max_audio_kbps = §5\n",
            "remote_cluster[0].region_max_audio_kbps",
            "outside",
        ),
        error(
            "id = \"BR\"\n",
            "id = \"BR\"\nregion_max_video_kbps = §8129\n",
            "remote_cluster[0].region_max_video_kbps",
            "outside",
        ),
        error(
            "id = \"BR\"\n",
            "id = \"BR\"\nregion_link_loss = §\"lossless\"\n",
            "remote_cluster[0].region_link_loss",
            "is no value",
        ),
        error(
            "kind = \"gateway\"",
            "kind = \"gateway\"\ndevice_header = §\"Via\"",
            "peer[1].device_header",
            "Via means something else",
        ),
        error("[feature]\n", "[feature]\npstn_access_css = §\"device\"\n", "feature.pstn_access_css", "is no value"),
        error("[feature]\n", "[feature]\nregion_link_loss = §\"high\"\n", "feature.region_link_loss", "is no value"),
        error(
            "[feature]\n",
            "[feature]\nvariable_rate_codecs = §\"include\"\n",
            "feature.variable_rate_codecs",
            "is no value",
        ),
        error("numbers = [\"112\"]", "numbers = [\"112\", §\"11X\"]", "emergency.numbers[1]", "is no number"),
        error(
            "numbers = [\"112\"]",
            "numbers = [\"112\"]\naccess_codes = [§\"9.\"]",
            "emergency.access_codes[0]",
            "is no number",
        ),
        error("pattern = \"9.1!\"", "pattern = §\"9.1.!\"", "route_pattern[2].pattern", "9.1.!"),
        error("pattern = \"9.1!\"", "pattern = §\"9.1[3-2]\"", "route_pattern[2].pattern", "9.1[3-2]"),
        error("pattern = \"9.1!\"", "pattern = §\"?1\"", "route_pattern[2].pattern", "?1"),
        error("pattern = \"9.1!\"", "pattern = §\"\"", "route_pattern[2].pattern", ""),
        error("pattern = \"9.1!\"", "pattern = §\"9.@\"", "route_pattern[2].pattern", "numbering plan"),
        error("pattern = \"9.1!\"", "pattern = §91", "route_pattern[2].pattern", "an integer, not a string"),
        error("pattern = \"8XXX\"", "pattern = §\"8ZZZ\"", "translation_pattern[0].pattern", "8ZZZ"),
        error("pattern = \"5XXX\"", "pattern = §\"5XXX[^\"", "directory_number[0].pattern", "5XXX[^"),
        error("discard_digits = \"PreDot\"", "discard_digits = §\"PreAt\"", "route_pattern[0].discard_digits", "PreAt"),
        error(
            "discard_digits = \"PreDot\"",
            "prefix_digits = §\"1-2\"",
            "route_pattern[0].prefix_digits",
            "is no number",
        ),
        error("called_mask = \"5XXX\"", "calling_mask = §\"\"", "translation_pattern[0].calling_mask", "is no mask"),
        error("country = \"US\"", "country = §840", "geolocation[0].country", "an integer, not a string"),
        error("country = \"US\"", "§Country = \"US\"", "geolocation[0].Country", "unknown key"),
        error(
            "name = \"SEP01\"",
            "name = \"SEP01\"\nsecurity_mode = §\"mixed\"",
            "device[0].security_mode",
            "is no value",
        ),
        error("", "[[user]]\nid = §\"al ice\"", "user[1].id", "is no user id"),
        error("", "[[codec]]\nname = \"x\"\ncheck_kbps = §0", "codec[0].check_kbps", "outside"),
        error("", "[[codec]]\nname = §\"x y\"\ncheck_kbps = 8", "codec[0].name", "x y"),
        error("", "§[[codec]]\nname = \"x\"", "codec[0].check_kbps", "codec has no check_kbps"),
        error("", "[rsvp]\nretry_s = §-1", "rsvp.retry_s", "outside"),
        error("", "[rsvp]\nmid_call = §\"hang-up\"", "rsvp.mid_call", "is no value"),
        error("", "[csv]\nusers = §\"not-there.csv\"", "csv.users", "cannot be read"),
        error("", "[csv]\n§phones = \"x.csv\"", "csv.phones", "unknown key"),
    ]);
}

#[test]
fn names_that_were_renamed_elsewhere_are_named_where_they_stand() {
    each_gives_exactly_its_problem(&[
        error(
            "css = \"CSS-Trunk\"\ndevice_pool",
            "css = §\"CSS-Trnk\"\ndevice_pool",
            "emcc_trunk.css",
            "there is no css",
        ),
        error(
            "[emcc_template]\ndevice_pool = \"DP-HQ\"",
            "[emcc_template]\ndevice_pool = §\"DP-HX\"",
            "emcc_template.device_pool",
            "there is no device_pool",
        ),
        error(
            "css = \"CSS-Phone\"\ndevice_pool",
            "css = §\"CSS-Phon\"\ndevice_pool",
            "device[0].css",
            "there is no css",
        ),
        error(
            "geolocation = \"GL-HQ\"",
            "geolocation = §\"GL-HX\"",
            "device_pool[0].geolocation",
            "there is no geolocation",
        ),
        error(
            "geolocation = \"GL-HQ\"",
            "geolocation = \"GL-HQ\"\nadjunct_css = §\"CSS-X\"",
            "device_pool[0].adjunct_css",
            "there is no css",
        ),
        error(
            "\"Standard Local Route Group\" = \"RG\"",
            "\"Standard Local Route Group\" = §\"RX\"",
            "device_pool[0].local_route_groups.\"Standard Local Route Group\"",
            "there is no route_group",
        ),
        error("originator_css = true", "css = §\"CSS-X\"", "translation_pattern[0].css", "there is no css"),
        error("peers = [\"gw\"]", "peers = [\"gw\", §\"gw9\"]", "route_group[0].peers[1]", "there is no peer"),
        error("peer = \"cc\"", "peer = §\"c\"", "directory_number[0].peer", "there is no peer"),
        error(
            "name = \"DP-HQ\"",
            "name = \"DP-HQ\"\nlocation = §\"HQ\"",
            "device_pool[0].location",
            "location bandwidth is not for them",
        ),
        error(
            "",
            "[[device]]\nname = \"SEP04\"\ndevice_pool = \"DP-HQ\"\nlocation = §\"HQ\"\n\
             [[emcc_session]]\nuser = \"carol\"\ndevice = \"SEP04\"\nhome_cluster = \"BR\"",
            "device[1].location",
            "location bandwidth is not for it",
        ),
        error("", "[[css]]\nname = §\"CSS-Phone\"\npartitions = []", "css[2].name", "two"),
        error("", "[[route_list]]\nname = §\"RL\"\nmembers = [\"RG\"]", "route_list[1].name", "two"),
        error("", "[[route_group]]\nname = §\"RG\"\npeers = [\"gw\"]", "route_group[1].name", "two"),
        error("", "[[device_pool]]\nname = §\"DP-HQ\"", "device_pool[1].name", "two"),
        error("", "[[geolocation]]\nname = §\"GL-HQ\"\ncountry = \"US\"", "geolocation[1].name", "two"),
        error("", "[[user]]\nid = §\"alice\"", "user[1].id", "two"),
        error("", "[[remote_cluster]]\nid = §\"BR\"\ntrunk = [\"tcp:127.0.3.1:5060\"]", "remote_cluster[1].id", "two"),
        error(
            "",
            "[[route_pattern]]\npattern = §\"9911\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true",
            "route_pattern[3].pattern",
            "9911",
        ),
    ]);
}

/// The clean file with the octet 0xFC, as an editor of another encoding writes a u with an umlaut, in place of each `¤`.
fn in_latin(find: &str, put: &str) -> Vec<u8> {
    assert!(find.is_empty() || CLEAN.contains(find), "{find} is not in clean.toml");
    let text = if find.is_empty() { format!("{CLEAN}\n{put}\n") } else { CLEAN.replacen(find, put, 1) };
    let parts: Vec<&[u8]> = text.split('¤').map(str::as_bytes).collect();
    parts.join(&[0xFC][..])
}

#[test]
fn an_octet_that_is_no_text_is_told_once_where_it_stands() {
    for (find, put) in [
        ("id = \"HQ\"", "id = \"HQ\" # Z¤rich, M¤nchen"),
        ("name = \"RG\"", "name = \"Z¤rich\""),
        ("pattern = \"112\"", "pattern = \"1¤12\""),
        ("peers = [\"gw\"]", "peers = [\"g¤w\"]"),
        ("last_resort = [\"gw\"]", "last_resort = [\"g¤w\"]"),
        ("[emcc_template]", "[emcc_templ¤te]"),
        ("partition = \"PT-Local\"", "p¤rtition = \"PT-Local\""),
        ("link_audio_kbps = 2000", "link_audio_kbps = 2000¤"),
        ("\"Standard Local Route Group\" = \"RG\"", "\"Standard L¤cal Route Group\" = \"RG\""),
        ("", "[route_list.transform.\"Z¤rich\"]\nprefix_digits = \"9\""),
        ("name = \"SEP01\"", "\"n¤me\" = \"x\"\nname = \"SEP01\""),
        ("", "[[geolocation]]\nname = \"GL¤\"\n[[geolocation]]\nname = \"GL¤\""),
    ] {
        let text = in_latin(find, put);
        let before = &text[..text.iter().position(|octet| *octet == 0xFC).unwrap()];
        let line = before.iter().filter(|octet| **octet == b'\n').count() as u32 + 1;
        let column = before.iter().rev().take_while(|octet| **octet != b'\n').count() as u32 + 1;
        let problems = check_files(&[("node.toml", text)]);
        let [problem] = &problems[..] else { panic!("{put}: {problems:#?}") };
        assert_eq!((&*problem.0, problem.1, problem.2), ("node.toml", line, column), "{put}: {problems:#?}");
        assert_eq!(problem.4, "the octet 0xFC is not UTF-8 text", "{put}");
    }
}

/// Another encoding altogether: nothing of the file can be read.
#[test]
fn a_file_of_another_encoding_is_told_once_at_its_beginning() {
    let utf16: Vec<u8> = format!("\u{feff}{CLEAN}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let told = check_files(&[("node.toml", utf16)]);
    let octet = "the octet 0xFF is not UTF-8 text".to_owned();
    assert_eq!(told, [("node.toml".to_owned(), 1, 1, String::new(), octet)]);
}

#[test]
fn an_octet_that_is_no_text_hides_no_mistake_of_its_file_or_another() {
    let main = in_latin("id = \"HQ\"", "id = \"HQ\" # Z¤rich\nversoin = \"12.0\"");
    let main = [b"include = [\"more.toml\"]\nsipp = 1\n", main.as_slice()].concat();
    let more =
        b"[[route_group]]\nname = 7\npeers = [\"gw\", \"cc\"]\n[[route_group]]\nname = \"RG3\"\npeers = [\"cc\"]\n";
    let more_in_latin = [b"# Z\xfcrich\n", more.as_slice()].concat();
    for (main, more, octet, lines) in [
        (main.as_slice(), more.as_slice(), ("node.toml", 4), 0),
        (
            b"include = [\"more.toml\"]\nsipp = 1\n[cluster]\nversoin = 7\n[sip]\nlisten = []".as_slice(),
            more_in_latin.as_slice(),
            ("more.toml", 1),
            1,
        ),
    ] {
        let told = check_files(&[("node.toml", main), ("more.toml", more)]);
        let has = |file: &str, line: u32, says: &str| {
            told.iter().any(|problem| problem.0 == file && problem.1 == line && problem.4.contains(says))
        };
        assert!(has(octet.0, octet.1, "is not UTF-8 text"), "{told:#?}");
        assert!(
            has("node.toml", 2, "unknown key \"sipp\"") && told.iter().any(|problem| problem.3 == "cluster.versoin"),
            "{told:#?}"
        );
        assert!(has("more.toml", lines + 2, "not a string"), "{told:#?}");
    }
}

/// The clean file without a last resort, so that more is to be told of emergencies.
fn without_last_resort() -> String {
    CLEAN.replacen("last_resort = [\"gw\"]\n", "", 1)
}

#[test]
fn nothing_is_told_beside_a_misspelt_name_that_would_not_be_with_it() {
    for text in [CLEAN.to_owned(), without_last_resort()] {
        assert_eq!(problems_of(&text), []);
        for (find, put) in [
            ("[[device]]\nname = \"SEP01\"\ncss = \"CSS-Phone\"", "[[device]]\nname = \"SEP01\"\ncss = \"CSS-Phon\""),
            ("line_css = \"CSS-Phone\"", "line_css = \"CSS-Phon\""),
            ("[emcc_trunk]\ncss = \"CSS-Trunk\"", "[emcc_trunk]\ncss = \"CSS-Trnk\""),
            ("directory_number = \"5001\"", "directory_number = \"5001\"\nemcc_css = \"CSS-Phon\""),
            (
                "directory_numbers = [\"5002\"]\n\n",
                "directory_numbers = [\"5002\"]\n\n[[user]]\nid = \"bob\"\ndirectory_number = \"5002\"\nline_css = \"CSS-Phon\"\n\n",
            ),
            ("originator_css = true", "css = \"CSS-Fone\""),
            (
                "pattern = \"8XXX\"\npartition = \"PT-Internal\"\noriginator_css = true\ncalled_mask = \"5XXX\"",
                "pattern = \"8.112\"\npartition = \"PT-Internal\"\ndiscard_digits = \"PreDot\"\nemergency = true\ncss = \"CSS-Fone\"",
            ),
            ("geolocation = \"GL-HQ\"\n", "geolocation = \"GL-HQ\"\nadjunct_css = \"CSS-Adjunct\"\n"),
            ("css = \"CSS-Phone\"\ndevice_pool = \"DP-HQ\"", "css = \"CSS-Phone\"\ndevice_pool = \"DP-H\""),
            ("geolocation = \"GL-HQ\"\n", "geolocation = \"GL-H\"\n"),
            ("geolocation_filter = \"city\"", "geolocation_filter = \"cty\""),
            ("\"Standard Local Route Group\" = \"RG\"", "\"Standard Local Route Group\" = \"RGG\""),
            ("members = [\"Standard Local Route Group\"]", "members = [\"Standard Local Route Grp\"]"),
            ("peers = [\"gw\"]", "peers = [\"gww\"]"),
            ("peers = [\"gw\"]", "peers = [\"cc\"]"),
            ("route_list = \"RL\"", "route_list = \"RLL\""),
            ("peer = \"cc\"", "peer = \"ccc\""),
            ("visiting_cluster = \"BR\"", "visiting_cluster = \"BRR\""),
        ] {
            assert!(text.contains(find), "{find} is not in clean.toml");
            let problems = problems_of(&text.replacen(find, put, 1));
            assert!(matches!(&problems[..], [one] if one.severity == Severity::Error), "{put}: {problems:#?}");
        }
    }
    // A partition without patterns is none the more.
    let problems = problems_of(&CLEAN.replacen("\"PT-Internal\", ", "\"PT-Internl\", ", 1));
    assert!(matches!(&problems[..], [one] if one.message.starts_with("no pattern is in")), "{problems:#?}");
}

/// What is wrong with one device says nothing of another.
#[test]
fn a_misspelt_name_hides_no_warning_of_others() {
    let other = "[[css]]\nname = \"CSS-Bare\"\npartitions = [\"PT-Local\"]\n\
        [[device]]\nname = \"SEP09\"\ncss = \"CSS-Bare\"\ndevice_pool = \"DP-HQ\"\n";
    let misspelt = "name = \"SEP01\"\ncss = \"CSS-Phon\"";
    let text = CLEAN.replacen("name = \"SEP01\"\ncss = \"CSS-Phone\"", misspelt, 1) + other;
    let told: Vec<String> = problems_of(&text).into_iter().map(|problem| problem.message).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().any(|text| text == "there is no css \"CSS-Phon\""), "{told:#?}");
    assert!(told.iter().any(|text| text.starts_with("the search space CSS-Bare does not reach")), "{told:#?}");
}

#[test]
fn a_name_with_spaces_and_no_quotes_is_told_where_it_stands_and_nothing_behind_it() {
    let members = "members = [\"Standard Local Route Group\"]";
    let pool = "local_route_groups = { \"Standard Local Route Group\" = \"RG\" }";
    let others =
        "\n[[route_list]]\nname = \"RL2\"\nmembers = [\"RG\"]\n[route_list.transform.RG]\nprefix_digits = \"0\"";
    let quoted = "Write the name in double quotes: \"Standard Local Route Group\".";
    for (find, put, fix) in [
        (members, "{members}\n[route_list.transform.§Standard Local Route Group]\nprefix_digits = \"0\"", quoted),
        (
            members,
            "{members}\n[ route_list . transform . §Standard Local Route Group ] # why\nprefix_digits = \"0\"",
            quoted,
        ),
        (pool, "local_route_groups = { §Standard Local Route Group = \"RG\" }", quoted),
        (pool, "[device_pool.local_route_groups]\n§Standard Local Route Group = \"RG\"", quoted),
        (
            "discard_digits = \"PreDot\"",
            "§discard digits = \"PreDot\"",
            "Write a key without spaces, as in discard_digits; a name",
        ),
    ] {
        let put = put.replace("{members}", members) + if find == members { others } else { "" };
        let (text, line, column) = broken(find, &put, None);
        let problems = problems_of(&text);
        let is_told = matches!(&problems[..], [one] if (one.line, one.column) == (line, column)
            && one.severity == Severity::Error
            && one.message.contains("has spaces and no quotes")
            && one.fix.starts_with(fix));
        let seen: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(is_told, "{put}\n  wanted {line}:{column}\n  {}", seen.join("\n  "));
    }
    // What else is wrong in the file is told beside it.
    let put = "local_route_groups = { Standard Local Route Group = \"RG\" }\n§name = \"DP\"";
    let (text, line, _) = broken(pool, put, None);
    let told: Vec<_> = problems_of(&text).into_iter().map(|problem| problem.line).collect();
    assert_eq!(told, [line - 1, line]);
}

#[test]
fn what_stands_twice_in_one_list_is_told_at_the_second() {
    each_gives_exactly_its_problem(&[
        warning(
            "last_resort = [\"gw\"]",
            "last_resort = [\"gw\", §\"gw\"]",
            "emergency.last_resort[1]",
            "\"gw\" is already a gateway of the last resort",
        ),
        warning(
            "numbers = [\"112\"]\n",
            "numbers = [\"112\", \"9911\", §\"112\"]\n",
            "emergency.numbers[2]",
            "\"112\" is already an emergency number",
        ),
        warning(
            "numbers = [\"112\"]\n",
            "numbers = [\"112\"]\naccess_codes = [\"7\", §\"7\"]\n",
            "emergency.access_codes[1]",
            "\"7\" is already an access code",
        ),
        warning(
            "fields = [\"country\", \"A3\"]",
            "fields = [\"country\", \"A3\", §\"A3\"]",
            "geolocation_filter[0].fields[2]",
            "\"A3\" is already a field of this filter",
        ),
        warning(
            "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]",
            "partitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\", §\"PT-Internal\"]",
            "css[1].partitions[3]",
            "\"PT-Internal\" is already a partition of this search space",
        ),
        warning(
            "members = [\"Standard Local Route Group\"]",
            "members = [\"Standard Local Route Group\", \"RG\", §\"Standard Local Route Group\"]",
            "route_list[0].members[2]",
            "\"Standard Local Route Group\" is already a member of this route list",
        ),
        warning(
            "peers = [\"gw\"]",
            "peers = [\"gw\", §\"gw\"]",
            "route_group[0].peers[1]",
            "\"gw\" is already a peer of this route group",
        ),
        warning(
            "directory_numbers = [\"5002\"]",
            "directory_numbers = [\"5002\", \"5003\", §\"5002\", \"5002\"]",
            "device[0].directory_numbers[2]",
            "\"5002\" is already a directory number of \"SEP01\"",
        ),
    ]);
    // Of devices together, as a script writes them.
    let text = CLEAN.replacen("[\"5002\"]", "[\"5002\", \"5002\"]", 1)
        + "\n[[device]]\nname = \"SEP09\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-HQ\"\n\
           directory_numbers = [\"5003\", \"5003\", \"5003\"]\n";
    let problems = problems_of(&text);
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert!(problem.message.ends_with(" of \"SEP01\" (and 1 more device has a number twice)"), "{problem}");
    let devices = problem.devices.as_ref().unwrap();
    assert_eq!((devices.names.join(" "), devices.not_listed), ("SEP01 SEP09".to_owned(), 0));
}

#[test]
fn a_plus_behind_other_digits_of_a_prefix_is_a_doubt_d20() {
    let says = "has a + behind other digits";
    each_gives_exactly_its_problem(&[
        warning("discard_digits = \"PreDot\"", "prefix_digits = §\"00+49\"", "route_pattern[0].prefix_digits", says)
            .also("[\"112\"]", "[\"112\", \"9911\"]"),
        warning(
            "called_mask = \"5XXX\"",
            "called_mask = \"5XXX\"\ncalling_prefix = §\"++1\"",
            "translation_pattern[0].calling_prefix",
            says,
        ),
        warning(
            "",
            "[route_list.transform.\"Standard Local Route Group\"]\ncalling_prefix = §\"49+\"",
            "route_list[0].transform.\"Standard Local Route Group\".calling_prefix",
            says,
        ),
    ]);
    for prefix in ["+49", "0049", "*31#+49"] {
        let text = CLEAN.replacen(
            "called_mask = \"5XXX\"",
            &format!("called_mask = \"5XXX\"\ncalling_prefix = {prefix:?}"),
            1,
        );
        assert_eq!(problems_of(&text), [], "{prefix}");
    }
}
