//! Files read, and what is said of those that are wrong.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pki::{Authority, Pair, write};
use super::*;
use crate::limits::CERTIFICATES_IN_CHAIN_MAX;

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("emcc-certificates-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn files(&self, pair: &Pair, roots: &str) -> Files {
        let [certificate, key, trust] = write(&self.0, "node", pair, roots);
        Files { certificate, key, trust }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_that_are_right_tell_when_they_end_and_what_they_are_for() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let material = Material::load(&folder.files(&authority.sign(&["hq.example.com"]), &authority.pem)).unwrap();
    assert!(material.is_for_both_ends);
    let ended = Material::load(&folder.files(&authority.sign_ended(&["hq.example.com"]), &authority.pem)).unwrap();
    assert_eq!(ended.expires, Civil(978_307_200), "2001-01-01: loaded all the same, since other calls go on");
    let one_way = authority.sign_with(&["hq"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert!(!Material::load(&folder.files(&one_way, &authority.pem)).unwrap().is_for_both_ends);
}

#[test]
fn a_chain_lasts_as_long_as_what_ends_first_in_it() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let (mut pair, ended) = (authority.sign(&["hq"]), authority.sign_ended(&["between"]));
    pair.certificate += &ended.certificate;
    let material = Material::load(&folder.files(&pair, &authority.pem)).unwrap();
    assert_eq!(material.expires, Civil(978_307_200));
}

#[test]
fn every_fault_names_its_file_its_line_and_its_reason() {
    let authority = Authority::new("root");
    let good = || authority.sign(&["hq"]);
    let torn = good().certificate.replace("-----END CERTIFICATE-----", "");
    let second_torn = format!("{}{torn}", good().certificate);
    let lines = good().certificate.lines().count();
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let no_der = "# a comment\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let empty_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let nameless = authority.sign(&[]);
    let many = authority.pem.repeat(CERTIFICATES_IN_CHAIN_MAX + 1);
    let long = "x".repeat(CERTIFICATE_FILE_BYTES_MAX as usize + 1);
    for (which, text, line, says) in [
        ("certificate", "", 0, "no certificate"),
        ("certificate", "hello", 0, "no certificate"),
        ("certificate", &torn, 1, "no END line"),
        ("certificate", &second_torn, lines + 1, "no END line"),
        ("certificate", no_base64, 1, "no base64"),
        ("certificate", no_der, 2, "no X.509 certificate"),
        ("certificate", &nameless.certificate, 1, "no subjectAltName"),
        (
            "certificate",
            &many,
            many.lines().count() / (CERTIFICATES_IN_CHAIN_MAX + 1) * CERTIFICATES_IN_CHAIN_MAX + 1,
            "more than 8",
        ),
        ("certificate", &long, 0, "longer than 1024 KiB"),
        ("key", &good().certificate, 0, "no private key"),
        ("key", encrypted, 1, "encrypted"),
        ("key", old, 1, "encrypted"),
        ("key", empty_key, 0, "kind that is not served, or broken"),
        ("key", &good().key, 0, "does not belong to the certificate in"),
        ("trust", "", 0, "no certificate"),
        ("trust", no_der, 2, "no X.509 certificate"),
    ] {
        let folder = Folder::new();
        let files = folder.files(&good(), &authority.pem);
        let file = match which {
            "certificate" => &files.certificate,
            "key" => &files.key,
            _ => &files.trust,
        };
        std::fs::write(file, text).unwrap();
        let fault = Material::load(&files).expect_err(says);
        assert_eq!((&fault.file, fault.line), (file, line), "{fault}");
        assert!(fault.to_string().contains(says), "{fault} / {says}");
        let at = if line == 0 { String::new() } else { format!(":{line}") };
        assert!(fault.to_string().starts_with(&format!("{}{at}: ", file.display())), "{fault}");
    }
}

#[test]
fn a_key_that_does_not_fit_names_the_other_half() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let files = folder.files(&authority.sign(&["hq"]), &authority.pem);
    std::fs::write(&files.key, authority.sign(&["hq"]).key).unwrap();
    let text = Material::load(&files).unwrap_err().to_string();
    assert!(text.starts_with(&files.key.display().to_string()), "{text}");
    assert!(text.ends_with(&files.certificate.display().to_string()), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let files = folder.files(&authority.sign(&["hq"]), &authority.pem);
    std::fs::remove_file(&files.trust).unwrap();
    let fault = Material::load(&files).unwrap_err();
    assert_eq!(fault.file, files.trust);
    assert!(fault.to_string().contains("cannot be read (entity not found)"), "{fault}");
}

#[test]
fn no_fault_shows_what_is_in_a_key_file() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let pair = authority.sign(&["hq"]);
    let secret: String = pair.key.lines().nth(1).unwrap().chars().take(16).collect();
    let files = folder.files(&pair, &authority.pem);
    for text in
        [pair.key.replace("-----END PRIVATE KEY-----", ""), pair.key.replace('M', "!"), authority.sign(&["x"]).key]
    {
        std::fs::write(&files.key, &text).unwrap();
        let fault = Material::load(&files).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains(&secret), "{fault:?}");
    }
    std::fs::write(&files.key, &pair.key).unwrap();
    assert!(!format!("{:?}", Material::load(&files).unwrap()).contains(&secret));
}
