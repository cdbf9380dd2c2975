//! PEM files section by section, so that what is wrong has a line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use emcc_policies::moment::Civil;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Fault, Wrong};
use crate::limits::{CERTIFICATE_FILE_BYTES_MAX, CERTIFICATES_IN_CHAIN_MAX, ROOTS_MAX};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Our own certificates, the one that names us first.
pub(super) struct Chain {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// When the first of them ends.
    pub(super) expires: Civil,
    /// Whether the first may be shown by who is connected to and by who connects.
    pub(super) is_for_both_ends: bool,
}

/// One section of a file: from its BEGIN line to the end of its END line.
struct Section<'a> {
    line: usize,
    label: &'a str,
    text: &'a str,
}

/// The chain of a certificate file.
pub(super) fn chain(path: &Path) -> Result<Chain, Fault> {
    let text = text_of(path)?;
    let mut chain = Chain { certificates: Vec::new(), expires: Civil(i64::MAX), is_for_both_ends: true };
    for (line, der) in certificates(path, &text, CERTIFICATES_IN_CHAIN_MAX)? {
        let at = |wrong| Fault { file: path.to_owned(), line, wrong };
        let (_, read) = X509Certificate::from_der(&der).map_err(|_| at(Wrong::NotACertificate))?;
        chain.expires = chain.expires.min(Civil(read.validity().not_after.timestamp()));
        if chain.certificates.is_empty() {
            if super::name::count(&read) == 0 {
                return Err(at(Wrong::Nameless));
            }
            let usage = read.extended_key_usage().map_err(|_| at(Wrong::NotACertificate))?;
            chain.is_for_both_ends =
                usage.is_none_or(|usage| usage.value.any || usage.value.server_auth && usage.value.client_auth);
        }
        chain.certificates.push(der);
    }
    Ok(chain)
}

/// The roots of a trust file.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, Fault> {
    let text = text_of(path)?;
    let mut roots = RootCertStore::empty();
    for (line, der) in certificates(path, &text, ROOTS_MAX)? {
        let at = |wrong| Fault { file: path.to_owned(), line, wrong };
        X509Certificate::from_der(&der).map_err(|_| at(Wrong::NotACertificate))?;
        roots.add(der).map_err(|_| at(Wrong::NotARoot))?;
    }
    Ok(roots)
}

/// The first private key of a key file: PKCS #8, SEC1 or PKCS #1, not encrypted.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let text = text_of(path)?;
    for section in sections(path, &text)? {
        let at = |wrong| Fault { file: path.to_owned(), line: section.line, wrong };
        match section.label {
            "ENCRYPTED PRIVATE KEY" => return Err(at(Wrong::EncryptedKey)),
            // The old form: headers in front of what is base64 of a ciphertext.
            label if label.ends_with("PRIVATE KEY") && section.text.contains("Proc-Type: 4,ENCRYPTED") => {
                return Err(at(Wrong::EncryptedKey));
            }
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                return PrivateKeyDer::from_pem_slice(section.text.as_bytes()).map_err(|_| at(Wrong::NotBase64));
            }
            _ => {}
        }
    }
    Err(Fault { file: path.to_owned(), line: 0, wrong: Wrong::NoKey })
}

/// Every certificate of a file with the line it begins at; at least one.
fn certificates(path: &Path, text: &str, most: usize) -> Result<Vec<(usize, CertificateDer<'static>)>, Fault> {
    let at = |line, wrong| Fault { file: path.to_owned(), line, wrong };
    let mut found = Vec::new();
    for section in sections(path, text)? {
        if section.label != "CERTIFICATE" {
            continue;
        }
        if found.len() == most {
            return Err(at(section.line, Wrong::TooMany(most)));
        }
        let der = CertificateDer::from_pem_slice(section.text.as_bytes());
        found.push((section.line, der.map_err(|_| at(section.line, Wrong::NotBase64))?));
    }
    if found.is_empty() { Err(at(0, Wrong::NoCertificate)) } else { Ok(found) }
}

fn sections<'a>(path: &Path, text: &'a str) -> Result<Vec<Section<'a>>, Fault> {
    let mut found = Vec::new();
    let mut begun: Option<(usize, usize, &str)> = None;
    let mut offset = 0_usize;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (start, bare) = (offset, line.trim_end());
        offset = start.saturating_add(line.len());
        let label = |mark| bare.strip_prefix(mark).and_then(|rest| rest.strip_suffix(DASHES));
        if let Some(label) = label(BEGIN) {
            if let Some((line, ..)) = begun {
                return Err(Fault { file: path.to_owned(), line, wrong: Wrong::Torn });
            }
            begun = Some((number.saturating_add(1), start, label));
        } else if let (Some(end), Some((line, from, label))) = (label(END), begun)
            && end == label
        {
            found.push(Section { line, label, text: text.get(from..offset).unwrap_or_default() });
            begun = None;
        }
    }
    match begun {
        Some((line, ..)) => Err(Fault { file: path.to_owned(), line, wrong: Wrong::Torn }),
        None => Ok(found),
    }
}

/// The file as text; whatever is no text is no PEM section either.
fn text_of(path: &Path) -> Result<String, Fault> {
    let fault = |wrong| Fault { file: path.to_owned(), line: 0, wrong };
    let file = File::open(path).map_err(|error| fault(Wrong::Unreadable(error.kind())))?;
    let mut bytes = Vec::new();
    let read = file.take(CERTIFICATE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| fault(Wrong::Unreadable(error.kind())))?;
    if bytes.len() as u64 > CERTIFICATE_FILE_BYTES_MAX {
        return Err(fault(Wrong::TooLong));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
