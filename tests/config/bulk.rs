//! Bulk data from CSV files: the same plan as the same tables in TOML, and every mistake at its field.

use super::*;
use emcc_trunk::config::Plan;

const NODE: &str = "[cluster]\nid = \"HQ\"\nversion = \"12.0\"\n[sip]\nlisten = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]\n\
    [admin]\nlisten = \"127.0.1.1:9411\"\n\
    [intercluster_service_profile]\nemcc = true\npstn_access = true\nrsvp_agent = true\n\
    [feature]\ngeolocation_filter = \"city\"\n[emcc_trunk]\ncss = \"CSS-Trunk\"\ndevice_pool = \"DP-HQ\"\n\
    [emcc_template]\ndevice_pool = \"DP-HQ\"\n[emergency]\nlast_resort = [\"gw\"]\nnumbers = [\"112\"]\n\
    [[peer]]\nname = \"cc\"\nkind = \"call-control\"\naddresses = [\"udp:127.0.1.10:5060\"]\n\
    [[peer]]\nname = \"gw\"\nkind = \"gateway\"\naddresses = [\"udp:127.0.1.20:5060\"]\n\
    calling_transform_css = \"CSS-Out\"\ncalled_transform_css = \"CSS-Out\"\n\
    [[remote_cluster]]\nid = \"BR\"\ntrunk = [\"tcp:127.0.2.1:5060\"]\n\
    services = [\"emcc\", \"pstn-access\", \"rsvp-agent\"]\nlink_audio_kbps = 2000\nlink_video_kbps = 4000\n\
    [[geolocation]]\nname = \"GL-HQ\"\ncountry = \"US\"\nA3 = \"RTP\"\n\
    [[geolocation]]\nname = \"GL-London\"\ncountry = \"GB\"\nA3 = \"London\"\n\
    [[geolocation_filter]]\nname = \"city\"\nfields = [\"country\", \"A3\"]\n\
    [[css]]\nname = \"CSS-Out\"\npartitions = [\"PT-Out\"]\n\
    [[css]]\nname = \"CSS-Trunk\"\npartitions = [\"PT-Emergency\"]\n\
    [[css]]\nname = \"CSS-Phone\"\npartitions = [\"PT-Internal\", \"PT-Emergency\", \"PT-Local\"]\n\
    [[route_list]]\nname = \"RL\"\nmembers = [\"Standard Local Route Group\"]\n\
    [[route_group]]\nname = \"RG\"\npeers = [\"gw\"]\n";

const CSV: &str = "[csv]\ndevices = \"devices.csv\"\nusers = \"users.csv\"\nsessions = \"sessions.csv\"\n\
    patterns = \"patterns.csv\"\ntransformation_patterns = \"transformation_patterns.csv\"\ndevice_pools = \"device_pools.csv\"\n";

/// The files of `CSV`.
const FILES: [(&str, &str); 6] = [
    (
        "devices.csv",
        "name,css,device_pool,directory_numbers,description\nSEP01,CSS-Phone,DP-HQ,5002; 5003,\"a desk, by the door\"\n\n\
         SEP03,CSS-Phone,DP-HQ,,\n",
    ),
    (
        "users.csv",
        "id,directory_number,line_css,emcc_enabled\r\nalice,5001,CSS-Phone,true\r\n,,,\r\nbob,5002,,false\r\n",
    ),
    ("sessions.csv", "user,device,visiting_cluster,country,A3\nalice,SEP02,BR,GB,London\n"),
    (
        "patterns.csv",
        "kind,pattern,partition,route_list,peer,css,originator_css,emergency,discard_digits,called_mask,block\n\
         route,9.911,PT-Emergency,RL,,,,true,PreDot,,\n\
         route,112,PT-Emergency,RL,,,,true,,,\n\
         route,9.1!,PT-Local,RL,,,,,,,\n\
         translation,8XXX,PT-Internal,,,,true,,,5XXX,\n\
         directory-number,5XXX,PT-Internal,,cc,,,,,,\n\
         route,9.1900!,PT-Local,,,,,,,,true\n",
    ),
    (
        "transformation_patterns.csv",
        "kind,pattern,partition,mask,discard_digits,prefix_digits\n\
         calling,5XXX,PT-Out,202555XXXX,,\n\
         called,9.!,PT-Out,,PreDot,00\n",
    ),
    (
        "device_pools.csv",
        "name,geolocation,local_route_groups\nDP-HQ,GL-HQ,Standard Local Route Group = RG\nDP-London,GL-London,\n",
    ),
];

/// The same in TOML.
const TABLES: &str = "[[device]]\nname = \"SEP01\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-HQ\"\n\
    directory_numbers = [\"5002\", \"5003\"]\n\
    [[device]]\nname = \"SEP03\"\ncss = \"CSS-Phone\"\ndevice_pool = \"DP-HQ\"\n\
    [[user]]\nid = \"alice\"\ndirectory_number = \"5001\"\nline_css = \"CSS-Phone\"\nemcc_enabled = true\n\
    [[user]]\nid = \"bob\"\ndirectory_number = \"5002\"\nemcc_enabled = false\n\
    [[emcc_session]]\nuser = \"alice\"\ndevice = \"SEP02\"\nvisiting_cluster = \"BR\"\n\
    geolocation = { country = \"GB\", A3 = \"London\" }\n\
    [[device_pool]]\nname = \"DP-HQ\"\ngeolocation = \"GL-HQ\"\n\
    local_route_groups = { \"Standard Local Route Group\" = \"RG\" }\n\
    [[device_pool]]\nname = \"DP-London\"\ngeolocation = \"GL-London\"\n\
    [[route_pattern]]\npattern = \"9.911\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true\n\
    discard_digits = \"PreDot\"\n\
    [[route_pattern]]\npattern = \"112\"\npartition = \"PT-Emergency\"\nroute_list = \"RL\"\nemergency = true\n\
    [[route_pattern]]\npattern = \"9.1!\"\npartition = \"PT-Local\"\nroute_list = \"RL\"\n\
    [[route_pattern]]\npattern = \"9.1900!\"\npartition = \"PT-Local\"\nblock = true\n\
    [[translation_pattern]]\npattern = \"8XXX\"\npartition = \"PT-Internal\"\noriginator_css = true\n\
    called_mask = \"5XXX\"\n\
    [[transformation_pattern]]\nkind = \"calling\"\npattern = \"5XXX\"\npartition = \"PT-Out\"\nmask = \"202555XXXX\"\n\
    [[transformation_pattern]]\nkind = \"called\"\npattern = \"9.!\"\npartition = \"PT-Out\"\ndiscard_digits = \"PreDot\"\n\
    prefix_digits = \"00\"\n\
    [[directory_number]]\npattern = \"5XXX\"\npartition = \"PT-Internal\"\npeer = \"cc\"\n";

/// Writes the node and its files, one of them changed, and gives back where they are.
fn written(changed: Option<(&str, &str)>) -> PathBuf {
    let folder = folder();
    std::fs::write(folder.join("node.toml"), format!("{NODE}{CSV}")).unwrap();
    for (name, text) in FILES {
        let text = changed.filter(|(file, _)| *file == name).map_or(text, |(_, text)| text);
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn plan_at(folder: &Path) -> Plan {
    load(&folder.join("node.toml")).unwrap_or_else(|problems| panic!("{problems:#?}")).plan
}

#[test]
fn rows_make_the_plan_that_the_same_tables_make() {
    let of_rows = written(None);
    let of_tables = folder();
    std::fs::write(of_tables.join("node.toml"), format!("{NODE}{TABLES}")).unwrap();
    let (rows, tables) = (plan_at(&of_rows), plan_at(&of_tables));
    assert_eq!(rows.devices, tables.devices);
    assert_eq!(rows.users, tables.users);
    assert_eq!(rows.sessions, tables.sessions);
    assert_eq!(rows.device_pools, tables.device_pools);
    let transformations = |plan: &Plan| {
        let both = plan.routes.transformations.as_ref().expect("there are some");
        let told = |plan: &emcc_policies::search_space::DialPlan| {
            let told =
                plan.rows().map(|(_, row)| format!("{} {:?} {:?}", row.pattern.text(), row.partition, row.transform));
            told.collect::<Vec<_>>()
        };
        (told(&both.calling), told(&both.called))
    };
    assert_eq!(transformations(&rows), transformations(&tables));
    assert_eq!((transformations(&rows).0.len(), transformations(&rows).1.len()), (1, 1));
    let patterns = |plan: &Plan| {
        let told = |row: &emcc_policies::search_space::Row| {
            format!("{} {:?} {:?} {} {:?}", row.pattern.text(), row.partition, row.transform, row.emergency, row.target)
        };
        let mut found: Vec<String> = plan.dial_plan.rows().map(|(_, row)| told(row)).collect();
        found.sort();
        found
    };
    assert_eq!(patterns(&rows), patterns(&tables));
    assert_eq!(rows.devices.len() + rows.users.len() + rows.sessions.len() + rows.dial_plan.rows().count(), 11);
    for folder in [of_rows, of_tables] {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// A mistake in a file: `find` in it is replaced by `put`, in which `§` marks where the problem must be.
struct Slip {
    file: &'static str,
    find: &'static str,
    put: &'static str,
    key: &'static str,
    says: &'static str,
}

const fn slip(
    file: &'static str,
    find: &'static str,
    put: &'static str,
    key: &'static str,
    says: &'static str,
) -> Slip {
    Slip { file, find, put, key, says }
}

const SLIPS: &[Slip] = &[
    // The header.
    slip("devices.csv", "name,css", "§nme,css", "nme", "unknown column \"nme\""),
    slip("devices.csv", "name,css", "name,§name", "name", "the column name is there twice"),
    slip(
        "devices.csv",
        "name,css,device_pool",
        "§name,css,location",
        "device_pool",
        "the column device_pool is missing",
    ),
    slip("users.csv", "id,", "§user,", "user", "unknown column \"user\""),
    slip("users.csv", "line_css", "§csss", "csss", "unknown column \"csss\""),
    slip("sessions.csv", "country,A3", "country,§A33", "A33", "unknown column \"A33\""),
    slip("sessions.csv", "country,A3", "country,A3,§description", "description", "unknown column"),
    slip("patterns.csv", "kind,pattern", "§pattern", "kind", "the column kind is missing"),
    slip("patterns.csv", "peer,css", "peer,§peers", "peers", "unknown column \"peers\""),
    slip("device_pools.csv", "name,geolocation", "name, §geolocaton", "geolocaton", "unknown column"),
    // The number of fields.
    slip(
        "devices.csv",
        "\"a desk, by the door\"",
        "a desk, §by the door",
        "device[0]",
        "the row has 6 fields, the header 5",
    ),
    slip("users.csv", "alice,5001,CSS-Phone,true", "alice,5001,CSS-Phone,true,§1", "user[0]", "the row has 5 fields"),
    slip("users.csv", "bob,5002,,false", "bob,5002§", "user[1]", "the row has 2 fields, the header 4"),
    slip("devices.csv", "SEP03,CSS-Phone,DP-HQ,,", "SEP03,CSS-Phone,DP-HQ§", "device[1]", "the row has 3 fields"),
    // Quotes out of place.
    slip(
        "users.csv",
        "alice,5001,",
        "alice,\"500\"§1,",
        "user[0].directory_number",
        "text stands behind the quote that closes the field",
    ),
    slip(
        "users.csv",
        "alice,5001,",
        "alice,50§\"01,",
        "user[0].directory_number",
        "a quote stands within a field that none opens",
    ),
    // Fields that are empty and may not be.
    slip(
        "devices.csv",
        "SEP03,CSS-Phone,DP-HQ,,",
        "§SEP03,CSS-Phone,,,",
        "device[1].device_pool",
        "device has no device_pool",
    ),
    slip("devices.csv", "SEP03,CSS-Phone,DP-HQ,,", "§,CSS-Phone,DP-HQ,,", "device[1].name", "device has no name"),
    slip("users.csv", "bob,5002,,false", "§,5002,,false", "user[1].id", "user has no id"),
    slip("sessions.csv", "alice,SEP02,BR", "§,SEP02,BR", "emcc_session[0].user", "emcc_session has no user"),
    slip("sessions.csv", "alice,SEP02,BR", "§alice,,BR", "emcc_session[0].device", "emcc_session has no device"),
    slip(
        "sessions.csv",
        "alice,SEP02,BR",
        "§alice,SEP02,",
        "emcc_session[0].visiting_cluster",
        "has no visiting_cluster",
    ),
    slip(
        "patterns.csv",
        "route,9.1!,PT-Local,RL,",
        "§route,9.1!,PT-Local,,",
        "route_pattern[2].route_list",
        "has no route_list",
    ),
    slip("patterns.csv", "route,9.1!,PT", "§,9.1!,PT", "route_pattern[2].kind", "does not say what kind"),
    slip("patterns.csv", "route,112,PT", "§route,,PT", "route_pattern[1].pattern", "route_pattern has no pattern"),
    slip("patterns.csv", "8XXX,PT-Internal,,,,true", "8XXX,PT-Internal,,,,", "", "translation_pattern has no css"),
    slip("patterns.csv", "5XXX,PT-Internal,,cc", "5XXX,PT-Internal,,", "", "directory_number has no peer"),
    slip(
        "transformation_patterns.csv",
        "called,9.!",
        "§,9.!",
        "transformation_pattern[1].kind",
        "transformation_pattern has no kind",
    ),
    slip(
        "transformation_patterns.csv",
        "called,9.!",
        "§caller,9.!",
        "transformation_pattern[1].kind",
        "\"caller\" is no value",
    ),
    slip(
        "transformation_patterns.csv",
        "PT-Out,202555XXXX",
        "PT-Out,§202555!",
        "transformation_pattern[0].mask",
        "is no mask",
    ),
    slip("transformation_patterns.csv", "mask,discard", "§called_mask,discard", "called_mask", "unknown column"),
    slip("device_pools.csv", "DP-London,GL-London,", "§,GL-London,", "device_pool[1].name", "device_pool has no name"),
    // Values.
    slip("devices.csv", "SEP01,", "§SEP 01,", "device[0].name", "cannot stand in a SIP header"),
    slip("devices.csv", "5002; 5003", "§5002; 500x", "device[0].directory_numbers[1]", "\"500x\" is no number"),
    slip(
        "users.csv",
        "alice,5001,CSS-Phone,true",
        "alice,5001,CSS-Phone,§yes",
        "user[0].emcc_enabled",
        "neither true nor false",
    ),
    slip("users.csv", "alice,5001", "alice,§50 01", "user[0].directory_number", "\"50 01\" is no number"),
    slip("users.csv", "bob,5002", "§b ob,5002", "user[1].id", "is no user id"),
    slip("sessions.csv", "GB,London", "§Britain,London", "emcc_session[0].geolocation.country", "\"Britain\""),
    slip("sessions.csv", "SEP02,BR", "SEP02,§B R", "emcc_session[0].visiting_cluster", "cannot stand in a SIP header"),
    slip("patterns.csv", "translation,8XXX", "§transaltion,8XXX", "route_pattern[3].kind", "is no kind of pattern"),
    slip("patterns.csv", "9.1!,PT-Local", "§9.1@,PT-Local", "route_pattern[2].pattern", "numbering plan"),
    slip("patterns.csv", "9.1!,PT-Local", "§9.1[,PT-Local", "route_pattern[2].pattern", "\"9.1[\""),
    slip("patterns.csv", "true,PreDot", "true,§Predot", "route_pattern[0].discard_digits", "Predot"),
    slip("patterns.csv", "true,PreDot", "§maybe,PreDot", "route_pattern[0].emergency", "neither true nor false"),
    slip("patterns.csv", "true,,,5XXX", "true,,,§5Y", "translation_pattern[3].called_mask", "is no mask"),
    slip(
        "patterns.csv",
        "9.1!,PT-Local,RL,,",
        "9.1!,PT-Local,RL,§cc,",
        "route_pattern[2].peer",
        "unknown key \"peer\"",
    ),
    slip(
        "patterns.csv",
        "5XXX,PT-Internal,,cc,,,",
        "5XXX,PT-Internal,,cc,,,§true",
        "directory_number[4].emergency",
        "unknown key",
    ),
    slip(
        "patterns.csv",
        "PT-Local,,,,,,,,true",
        "PT-Local,§RL,,,,,,,true",
        "route_pattern[5].route_list",
        "exclude each other",
    ),
    slip(
        "device_pools.csv",
        "Standard Local Route Group = RG",
        "§RG",
        "device_pool[0].local_route_groups",
        "no list of local route groups",
    ),
    slip(
        "device_pools.csv",
        "Standard Local Route Group = RG",
        "§Standard Local Route Group = RG; Standard Local Route Group = RG",
        "device_pool[0].local_route_groups",
        "a list with one name twice",
    ),
    // Names.
    slip("devices.csv", "SEP03,CSS-Phone", "SEP03,§CSS-Phon", "device[1].css", "CSS-Phon"),
    slip("devices.csv", "SEP03,", "§SEP01,", "device[1].name", "SEP01"),
    slip("users.csv", "alice,5001,CSS-Phone", "alice,5001,§CSS-Fone", "user[0].line_css", "CSS-Fone"),
    slip("users.csv", "bob,", "§alice,", "user[1].id", "alice"),
    slip("sessions.csv", "SEP02,BR", "SEP02,§XX", "emcc_session[0].visiting_cluster", "XX"),
    slip("sessions.csv", "alice,SEP02", "§carol,SEP02", "emcc_session[0].user", "carol"),
    slip("patterns.csv", "9.1!,PT-Local,RL", "9.1!,PT-Local,§RX", "route_pattern[2].route_list", "RX"),
    slip("patterns.csv", "route,112,PT-Emergency", "route,§9.911,PT-Emergency", "route_pattern[1].pattern", "9.911"),
    slip("device_pools.csv", "DP-London,GL-London", "DP-London,§GL-Londn", "device_pool[1].geolocation", "GL-Londn"),
    slip("device_pools.csv", "= RG", "= RX", "", "RX"),
];

#[test]
fn each_slip_in_a_file_gives_exactly_its_problem_at_its_field() {
    let mut wrong = Vec::new();
    for Slip { file, find, put, key, says } in SLIPS {
        let (_, text) = FILES.iter().find(|(name, _)| name == file).unwrap();
        assert!(text.contains(find), "{find} is not in {file}");
        let text = text.replacen(find, put, 1);
        let at = text.find('§').unwrap_or(0);
        let line = text[..at].matches('\n').count() + 1;
        let column = text[..at].chars().rev().take_while(|c| *c != '\n').count() + 1;
        let folder = written(Some((file, &text.replacen('§', "", 1))));
        let mut problems = check(&folder.join("node.toml"), Probe::Offline).problems;
        let _ = std::fs::remove_dir_all(folder);
        problems.retain(|problem| problem.severity == Severity::Error);
        let is_at =
            |p: &Problem| key.is_empty() || (p.line as usize, p.column as usize, &*p.key) == (line, column, *key);
        let is_right = match &problems[..] {
            [only] => {
                is_at(only)
                    && only.message.contains(says)
                    && only.file.ends_with(file)
                    && only.fix.ends_with(['.', '?'])
            }
            _ => false,
        };
        if !is_right {
            let seen: Vec<_> = problems.iter().map(|p| format!("{p} [{}]", p.key)).collect();
            wrong
                .push(format!("{file}: {put}\n  wanted {line}:{column} {key} {says}\n  got {}", seen.join("\n      ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn slips_in_several_files_are_told_in_one_pass_and_nothing_is_applied() {
    let folder = written(Some(("users.csv", "id,emcc_enabled\nal ice,true\nbob,perhaps\n")));
    std::fs::write(folder.join("devices.csv"), "name,device_pool\nSEP 1,DP-HQ\n").unwrap();
    std::fs::write(folder.join("sessions.csv"), [0xff, 0xfe]).unwrap();
    let problems = load(&folder.join("node.toml")).expect_err("nothing is applied");
    let errors: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).map(|p| &*p.key).collect();
    // A file of no text is told at its octet, so it stands where its file does.
    assert_eq!(errors, ["device[0].name", "", "user[0].id", "user[1].emcc_enabled"], "{problems:#?}");
    let _ = std::fs::remove_dir_all(folder);
}

/// Row and column of every error of a file, and what it says.
fn errors_of(file: &str, text: &[u8]) -> Vec<(u32, u32, String)> {
    let folder = written(None);
    std::fs::write(folder.join(file), text).unwrap();
    let problems = check(&folder.join("node.toml"), Probe::Offline).problems;
    let _ = std::fs::remove_dir_all(folder);
    let errors: Vec<_> = problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
    assert!(errors.iter().all(|problem| problem.file.ends_with(file)), "{errors:#?}");
    errors.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect()
}

#[test]
fn octets_that_are_no_text_are_told_where_they_stand_and_other_rows_as_ever() {
    let text = b"name,device_pool,css\nSEP01,DP-HQ,CSS-Phone\nSEP-M\xfcller,DP-HQ,CSS-Phone\nSEP 3,DP-HQ,CSS-Phone\n";
    let told = errors_of("devices.csv", text);
    assert_eq!(told[0], (3, 6, "the octet 0xFC is not UTF-8 text".to_owned()));
    assert!(matches!(&told[1..], [(4, 1, message)] if message.contains("\"SEP 3\" cannot stand")), "{told:#?}");
    // In the header, nothing else is known.
    let told = errors_of("users.csv", b"id,\xe9tage\nal ice,1\n");
    assert_eq!(told, [(1, 4, "the octet 0xE9 is not UTF-8 text".to_owned())]);
}

#[test]
fn a_quote_that_is_never_closed_is_told_where_it_opens_and_other_rows_as_ever() {
    let quote = "a quote opened here is never closed".to_owned();
    let text = "name,css,device_pool,description\nSEP01,CSS-Phone,DP-HQ,\"a desk\nSEP 3,CSS-Phone,DP-HQ,\"x, y\"\n";
    let told = errors_of("devices.csv", text.as_bytes());
    assert_eq!(told[0], (2, 23, quote.clone()));
    assert!(matches!(&told[1..], [(3, 1, message)] if message.contains("\"SEP 3\" cannot stand")), "{told:#?}");
    assert_eq!(errors_of("users.csv", b"id,\"emcc_enabled\nalice,true\n"), [(1, 4, quote.clone())]);
    assert_eq!(errors_of("users.csv", b"id,directory_number\nalice,\"50"), [(2, 7, quote)]);
}

#[test]
fn another_separator_than_a_comma_is_told_once_in_the_header() {
    for (separator, words) in [(";", "semicolons"), ("\t", "tabs")] {
        let wanted = [(1, 1, format!("{words} stand between the fields, where a comma has to"))];
        for (file, text) in FILES {
            assert_eq!(errors_of(file, text.replace(',', separator).as_bytes()), wanted, "{file}");
        }
        let quoted = "\"Name\",\"device_pool\"\r\n\"SEP01\",\"DP-HQ\"\r\n".replace(',', separator);
        assert_eq!(errors_of("devices.csv", quoted.as_bytes()), wanted);
    }
    // A name with one of them in it is a name.
    let told = errors_of("devices.csv", b"name,device_pool,css;description\nSEP01,DP-HQ,\n");
    assert_eq!(told, [(1, 18, "unknown column \"css;description\"".to_owned())]);
}

/// As spreadsheets save "Unicode text".
#[test]
fn a_file_of_utf_16_is_told_once_with_what_to_save_it_as() {
    let of = |text: &str, octets: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let mark = std::iter::once(0xfeff);
        mark.chain(text.encode_utf16()).flat_map(octets).collect()
    };
    let wanted = [(1, 1, "the file is UTF-16 text, not UTF-8".to_owned())];
    for (file, text) in FILES {
        assert_eq!(errors_of(file, &of(text, u16::to_le_bytes)), wanted, "{file}");
        assert_eq!(errors_of(file, &of(text, u16::to_be_bytes)), wanted, "{file}");
    }
}

#[test]
fn a_file_whose_lines_end_in_carriage_returns_alone_is_told_once_with_what_to_save_it_as() {
    for (file, text) in FILES {
        let told = errors_of(file, text.replace("\r\n", "\n").replace('\n', "\r").as_bytes());
        let wanted = (1, 1, "the lines of the file end in a carriage return alone".to_owned());
        assert_eq!(told, [wanted], "{file}");
    }
    // Whatever quotes there are in it.
    let told = errors_of("users.csv", b"id,\"directory_number\"\ralice,\"50\rbob,5002\r");
    assert!(matches!(&told[..], [(1, 1, message)] if message.contains("carriage return")), "{told:#?}");
    for (file, text) in FILES {
        assert_eq!(errors_of(file, text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes()), [], "{file}");
    }
    // One within a quoted field is a part of it, and no text may have it.
    let told = errors_of("devices.csv", b"name,device_pool,description\nSEP01,DP-HQ,\"a\rb\"\n");
    assert!(matches!(&told[..], [(2, 13, message)] if message.contains("control character")), "{told:#?}");
}

/// What is told of a configuration in which `find` stands in place of `put` in one file.
fn told_of(file: &str, find: &str, put: &str) -> Vec<Problem> {
    let (_, text) = FILES.iter().find(|(name, _)| *name == file).unwrap();
    assert!(text.contains(find), "{find} is not in {file}");
    let folder = written(Some((file, &text.replacen(find, put, 1))));
    let problems = check(&folder.join("node.toml"), Probe::Offline).problems;
    let _ = std::fs::remove_dir_all(folder);
    problems
}

#[test]
fn nothing_is_told_beside_a_misspelt_column_that_would_not_be_with_it() {
    let clean = told_of("devices.csv", "name", "name");
    assert_eq!(clean, []);
    for (file, find, put) in [
        ("devices.csv", "name,css", "name,csss"),
        ("devices.csv", "directory_numbers", "numbers"),
        ("users.csv", "line_css", "line_cs"),
        ("users.csv", "directory_number", "directory_numbr"),
        ("patterns.csv", "originator_css", "originatr_css"),
        ("patterns.csv", "emergency", "emergncy"),
        ("patterns.csv", "partition", "partion"),
        ("patterns.csv", "route,9.911", "rout,9.911"),
        ("device_pools.csv", "local_route_groups", "route_groups"),
        ("device_pools.csv", "geolocation", "geolocaton"),
        ("sessions.csv", "visiting_cluster", "visiting"),
    ] {
        let problems = told_of(file, find, put);
        assert!(matches!(&problems[..], [one] if one.severity == Severity::Error), "{file} {put}: {problems:#?}");
    }
}

#[test]
fn a_flag_that_is_none_is_told_alone() {
    let text = "kind,pattern,partition,block\nroute,9.1!,PT-Local,yes\n";
    let told = errors_of("patterns.csv", text.as_bytes());
    let of_flag: Vec<_> = told.iter().filter(|(line, ..)| *line == 2).collect();
    assert!(matches!(&of_flag[..], [(2, 21, message)] if message.contains("neither true nor false")), "{told:#?}");
}

#[test]
fn a_file_that_is_not_there_or_empty_is_named() {
    for (file, text, says) in [("users.csv", "", "has no header row"), ("users.csv", "\n\n", "has no header row")] {
        let folder = written(Some((file, text)));
        let problems = load(&folder.join("node.toml")).unwrap_err();
        assert!(problems.iter().any(|p| p.message.contains(says) && p.file.ends_with(file)), "{problems:#?}");
        std::fs::remove_file(folder.join(file)).unwrap();
        let problems = load(&folder.join("node.toml")).unwrap_err();
        assert!(problems.iter().any(|p| p.key == "csv.users" && p.message.contains("cannot be read")), "{problems:#?}");
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// What could not be read may have what is missing elsewhere; all else is told in the same run.
#[test]
fn a_file_that_is_not_there_hides_no_mistake_that_it_could_not_mend() {
    for (gone, wrong, says) in [
        ("users.csv", ("", ""), &[][..]),
        ("users.csv", ("peers = [\"gw\"]", "peers = [\"gx\"]"), &["there is no peer \"gx\""]),
        ("devices.csv", ("peers = [\"gw\"]", "peers = [\"gw\", \"cc\"]"), &["\"cc\" is call control, not a gateway"]),
        ("device_pools.csv", ("last_resort = [\"gw\"]", "last_resort = [\"gx\"]"), &["there is no peer \"gx\""]),
        ("device_pools.csv", ("css = \"CSS-Trunk\"", "css = \"CSS-Trank\""), &["there is no css \"CSS-Trank\""]),
        (
            "patterns.csv",
            ("geolocation_filter = \"city\"", "geolocation_filter = \"town\""),
            &["there is no geolocation_filter"],
        ),
    ] {
        let folder = written(None);
        let text = format!("{NODE}{CSV}").replacen(wrong.0, wrong.1, 1);
        std::fs::write(folder.join("node.toml"), text).unwrap();
        std::fs::remove_file(folder.join(gone)).unwrap();
        let problems = check(&folder.join("node.toml"), Probe::Offline).problems;
        let _ = std::fs::remove_dir_all(folder);
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let errors: Vec<&str> =
            errors.map(|problem| &*problem.message).filter(|text| !text.contains("cannot be read")).collect();
        assert_eq!(errors.len(), says.len(), "{gone}: {problems:#?}");
        assert!(errors.iter().zip(says).all(|(error, says)| error.starts_with(says)), "{gone}: {problems:#?}");
    }
}
