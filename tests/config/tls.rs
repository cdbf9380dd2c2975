//! What is said of TLS: of every key and file it needs, of names, of who may have keys, and of secure sessions.

use std::path::Path;

use emcc_policies::moment::Civil;
use emcc_trunk::config::{Probe, Problem, Severity, check_on};

use crate::pki::{self, Authority};
use crate::{CLEAN, each_gives_exactly_its_problem, error, folder, warning};

const LISTEN: &str = "listen = [\"udp:127.0.1.1:5060\", \"tcp:127.0.1.1:5060\"]";
/// Three lines of the file below, so that each key has a place of its own.
const FILES: &str = "[sip.tls]\ncertificate = \"node.pem\"\nkey = \"node.key\"\ntrust = \"node.roots.pem\"\n\n[admin]";
const DAY_S: i64 = 86_400;

/// The clean file with a TLS listener; its files are found from its own folder.
fn text() -> String {
    let listen = LISTEN.replace(']', ", \"tls:127.0.1.1:5061\"]");
    CLEAN.replacen(LISTEN, &listen, 1).replacen("[admin]", FILES, 1)
}

/// What is said of the file after `spoil` changed what is in its folder.
fn said(text: &str, today: Civil, spoil: impl Fn(&Path, &Authority)) -> Vec<Problem> {
    let (folder, authority) = (folder(), Authority::new("root"));
    pki::write(
        &folder,
        "node",
        &authority.sign_with(&["hq.example.com"], |params| {
            params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        }),
        &authority.pem,
    );
    spoil(&folder, &authority);
    let file = folder.join("node.toml");
    std::fs::write(&file, text).unwrap();
    let problems = check_on(&file, Probe::Offline, today).problems;
    let _ = std::fs::remove_dir_all(folder);
    problems
}

/// 2030-01-01, when the certificate ends.
const END: Civil = Civil(1_893_456_000);

fn days_before_the_end(days: i64) -> Civil {
    Civil(END.0 - days * DAY_S)
}

type Spoil = fn(&Path, &Authority);

#[test]
fn every_file_of_tls_that_is_wrong_is_named_at_its_key_with_what_to_do() {
    let rows: [(&str, &str, &str, &str, Spoil); 15] = [
        ("certificate", "node.pem", "cannot be read (entity not found)", "this user can read", |folder, _| {
            std::fs::remove_file(folder.join("node.pem")).unwrap();
        }),
        ("key", "node.key", "cannot be read (entity not found)", "this user can read", |folder, _| {
            std::fs::remove_file(folder.join("node.key")).unwrap();
        }),
        ("trust", "node.roots.pem", "cannot be read (entity not found)", "this user can read", |folder, _| {
            std::fs::remove_file(folder.join("node.roots.pem")).unwrap();
        }),
        ("certificate", "node.pem", "cannot be read (is a directory)", "this user can read", |folder, _| {
            std::fs::remove_file(folder.join("node.pem")).unwrap();
            std::fs::create_dir(folder.join("node.pem")).unwrap();
        }),
        ("key", "node.key", "cannot be read (is a directory)", "this user can read", |folder, _| {
            std::fs::remove_file(folder.join("node.key")).unwrap();
            std::fs::create_dir(folder.join("node.key")).unwrap();
        }),
        (
            "key",
            "node.key",
            "does not belong to the certificate in",
            "the key the certificate was made with",
            |folder, by| {
                std::fs::write(folder.join("node.key"), by.sign(&["hq.example.com"]).key).unwrap();
            },
        ),
        ("key", "node.key", "no private key", "the private key of the certificate", |folder, by| {
            std::fs::write(folder.join("node.key"), &by.pem).unwrap();
        }),
        ("key", "node.key:1", "encrypted", "openssl pkey", |folder, _| {
            let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
            std::fs::write(folder.join("node.key"), text).unwrap();
        }),
        ("key", "node.key", "kind that is not served", "ECDSA P-256", |folder, _| {
            let text = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
            std::fs::write(folder.join("node.key"), text).unwrap();
        }),
        ("certificate", "node.pem", "no certificate", "DER is turned into one", |folder, _| {
            std::fs::write(folder.join("node.pem"), [0x30, 0x82, 1, 2]).unwrap();
        }),
        ("certificate", "node.pem:1", "no END line", "Copy the file again", |folder, by| {
            let cut = by.sign(&["hq.example.com"]).certificate.replace("-----END CERTIFICATE-----", "");
            std::fs::write(folder.join("node.pem"), cut).unwrap();
        }),
        ("certificate", "node.pem:1", "no subjectAltName", "subjectAltName = DNS:", |folder, by| {
            pki::write(folder, "node", &by.sign(&[]), &by.pem);
        }),
        ("certificate", "node.pem", "ended 5 days ago", "reload", |_, _| ()),
        ("trust", "node.roots.pem", "no certificate", "PEM file", |folder, _| {
            std::fs::write(folder.join("node.roots.pem"), "").unwrap();
        }),
        ("trust", "node.roots.pem:2", "no X.509 certificate", "PEM file", |folder, _| {
            let text = "# roots\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            std::fs::write(folder.join("node.roots.pem"), text).unwrap();
        }),
    ];
    for (key, file, says, fix, spoil) in rows {
        let today = days_before_the_end(if says.contains("ended") { -5 } else { 300 });
        let text = text();
        let problems = said(&text, today, spoil);
        let [problem] = &problems[..] else { panic!("{key}, {says}: {problems:#?}") };
        let before = text.split(&format!("\n{key} = \"node")).next().unwrap();
        let place = (before.matches('\n').count() as u32 + 2, key.len() as u32 + 4);
        assert_eq!((problem.line, problem.column), place, "{key}, {says}: {problem}");
        assert_eq!((problem.severity, problem.key.as_str()), (Severity::Error, format!("sip.tls.{key}").as_str()));
        assert!(problem.message.contains(says) && problem.message.contains(&format!("/{file}: ")), "{problem}");
        assert!(problem.fix.contains(fix), "{says}: {}", problem.fix);
    }
}

#[test]
fn files_that_are_right_say_nothing_until_a_month_before_they_end() {
    assert_eq!(said(&text(), days_before_the_end(31), |_, _| ()), []);
    let problems = said(&text(), days_before_the_end(29), |_, _| ());
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.severity, problem.key.as_str()), (Severity::Warning, "sip.tls.certificate"));
    assert!(problem.message.ends_with("ends in 29 days"), "{problem}");
}

#[test]
fn a_certificate_for_one_end_alone_is_warned_of() {
    let problems = said(&text(), Civil(0), |folder, by| {
        let one_way = by.sign_with(&["hq.example.com"], |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        });
        pki::write(folder, "node", &one_way, &by.pem);
    });
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.severity, problem.key.as_str()), (Severity::Warning, "sip.tls.certificate"));
    assert!(problem.fix.contains("serverAuth, clientAuth"), "{}", problem.fix);
}

#[test]
fn keys_of_tls_that_are_missing_unknown_or_of_another_kind_are_named_where_they_stand() {
    let tls = |keys: &str| format!("[sip.tls]\n{keys}\n\n[admin]");
    let all = "certificate = \"a\"\nkey = \"b\"\ntrust = \"c\"";
    let without = |line: &str| tls(&all.replace(line, "").replace("\n\n", "\n")).replacen("[sip", "§[sip", 1);
    for (put, key, says) in [
        (without("certificate = \"a\"\n"), "sip.tls.certificate", "has no certificate"),
        (without("key = \"b\"\n"), "sip.tls.key", "has no key"),
        (without("\ntrust = \"c\""), "sip.tls.trust", "has no trust"),
        (tls(&all.replace("\"b\"", "§7")), "sip.tls.key", "an integer, not a string"),
        (tls(&all.replace("\"a\"", "§\"\"")), "sip.tls.certificate", "cannot be read (is a directory)"),
    ] {
        let put: &'static str = put.leak();
        each_gives_exactly_its_problem(&[error("[admin]", put, key, says)]);
    }
    let problems = said(&text().replacen("\n\n[admin]", "\nciphers = \"all\"\n\n[admin]", 1), Civil(0), |_, _| ());
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.severity, problem.key.as_str()), (Severity::Error, "sip.tls.ciphers"));
    assert!(problem.fix.ends_with("knows certificate, key, trust."), "{}", problem.fix);
}

#[test]
fn tls_addresses_names_and_who_may_have_keys_are_checked() {
    let gateway = "addresses = [\"udp:127.0.1.20:5060\"]";
    each_gives_exactly_its_problem(&[
        error("[sip]", "[sip]\ntls = §5", "sip.tls", "not a table"),
        error(
            "trunk = [\"tcp:127.0.2.1:5060\"]",
            "trunk = [§\"tls:127.0.2.1:5061\"]",
            "remote_cluster[0].trunk[0]",
            "no [sip] tls",
        ),
        error(
            gateway,
            "addresses = [\"udp:127.0.1.20:5060\"]\ntls_name = §\"*.example.com\"",
            "peer[1].tls_name",
            "is no name",
        ),
        error(
            gateway,
            "addresses = [\"udp:127.0.1.20:5060\"]\ntls_name = §\"300.1.1.1\"",
            "peer[1].tls_name",
            "is no name",
        ),
        error(
            gateway,
            "addresses = [\"udp:127.0.1.20:5060\"]\nsrtp_keys = §\"never\"",
            "peer[1].srtp_keys",
            "is no value",
        ),
        error("services = [", "tls_name = §\"a..b\"\nservices = [", "remote_cluster[0].tls_name", "is no name"),
        warning(
            "services = [",
            "tls_name = §\"br.example.com\"\nservices = [",
            "remote_cluster[0].tls_name",
            "no address of this neighbour is tls",
        ),
        error(
            "device = \"SEP02\"",
            "device = \"SEP02\"\nsecurity_mode = §\"mixed\"",
            "emcc_session[0].security_mode",
            "is no value",
        ),
        error(
            "css = \"CSS-Phone\"",
            "security_mode = §\"encrypted\"\ncss = \"CSS-Phone\"",
            "device[0].security_mode",
            "is no value",
        ),
    ]);
    let text = text().replacen(", \"tls:127.0.1.1:5061\"]", "]", 1);
    let text = text.replacen(gateway, "addresses = [\"tls:127.0.1.20:5061\"]", 1);
    let problems = said(&text, Civil(0), |_, _| ());
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((problem.severity, problem.key.as_str()), (Severity::Error, "peer[1].addresses[0]"));
    assert!(problem.message.contains("this node listens on no tls address"), "{problem}");
}

#[test]
fn s_7_secure_sessions_over_a_trunk_without_tls_are_warned_of() {
    let trunk = "trunk = [§\"tcp:127.0.2.1:5060\"]";
    let abroad = "device = \"SEP02\"\nsecurity_mode = \"secure\"";
    let phone = "security_mode = \"secure\"\ncss = \"CSS-Phone\"\ndevice_pool";
    each_gives_exactly_its_problem(&[
        warning("device = \"SEP02\"", abroad, "remote_cluster[0].trunk[0]", "the session on SEP02 is secure")
            .mark(trunk),
        warning(
            "css = \"CSS-Phone\"\ndevice_pool",
            phone,
            "remote_cluster[0].trunk[0]",
            "a guest's session on SEP01 is secure",
        )
        .mark(trunk),
    ]);
    let of = |text: &str| -> Vec<String> {
        let problems = said(text, Civil(0), |_, _| ());
        problems.iter().filter(|problem| problem.message.contains("S-7")).map(ToString::to_string).collect()
    };
    let secure = text().replacen("device = \"SEP02\"", abroad, 1);
    assert_eq!(of(&secure).len(), 1);
    for (what, from, to) in [
        ("over TLS", "\"tcp:127.0.2.1:5060\"", "\"tls:127.0.2.1:5061\""),
        ("over TLS too", "\"tcp:127.0.2.1:5060\"", "\"tcp:127.0.2.1:5060\", \"tls:127.0.2.1:5061\""),
        ("its records may lead to TLS", "\"tcp:127.0.2.1:5060\"", "\"br.example.com\""),
        ("6.4: no session", "version = \"12.0\"", "version = \"12.0\"\nsecurity_mode = \"non-secure\""),
        ("7.1: not supported", "id = \"BR\"", "id = \"BR\"\nversion = \"8.6\""),
    ] {
        assert!(secure.contains(from), "{from}");
        assert_eq!(of(&secure.replacen(from, to, 1)), [""; 0], "{what}");
    }
}
