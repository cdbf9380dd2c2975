//! The files TLS needs: there, whole, and two halves of one pair; and the names neighbours are known by.

use crate::certificates::{Fault, Files, Material, Wrong};
use crate::config::address::Transport;
use crate::config::document::{Document, Tls};
use crate::config::report::{At, Report};
use crate::neighbour::CertificateName;
use crate::neighbour::locate::Place;
use emcc_policies::moment::Civil;

/// A certificate that ends within so many days is warned of.
const ENDS_SOON_DAYS: i64 = 30;
const DAY_S: i64 = 86_400;

/// Whether the files that a configuration names are looked at, and at which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Look {
    /// The configuration is no file, so nothing it names is there.
    Away,
    /// The files are read; without a time, dates of certificates are left alone.
    At(Option<Civil>),
}

pub(super) fn check(document: &Document, look: Look, report: &Report) {
    let peers = document.peers.iter().map(|peer| (&peer.tls_name, peer.addresses.as_slice(), &[][..]));
    let clusters = document.remote_clusters.iter();
    let clusters = clusters.map(|c| (&c.tls_name, c.trunk.as_slice(), c.rsvp_trunk.as_slice()));
    for (name, one, other) in peers.chain(clusters) {
        named(name.as_ref(), one.iter().chain(other), report);
    }
    if let (Some(tls), Look::At(today)) = (&document.sip.tls, look) {
        files(tls, today, report);
    }
}

/// A name is compared on TLS alone.
fn named<'d>(name: Option<&At<CertificateName>>, mut addresses: impl Iterator<Item = &'d At<Place>>, report: &Report) {
    let Some(name) = name else { return };
    // A domain's records say which transport; TLS may be among them.
    if !addresses.any(|at| at.value.transport().is_none_or(|transport| transport == Transport::Tls)) {
        let message = format!("{} is the name of a certificate, and no address of this neighbour is tls", name.value);
        report.warning(&name.place, message, "Write its tls address, or remove the name.");
    }
}

fn files(tls: &Tls, today: Option<Civil>, report: &Report) {
    let (Some(certificate), Some(key), Some(trust)) = (&tls.certificate, &tls.key, &tls.trust) else { return };
    let files = Files { certificate: certificate.value.clone(), key: key.value.clone(), trust: trust.value.clone() };
    let material = match Material::load(&files) {
        Ok(material) => material,
        Err(fault) => {
            let named = [key, trust].into_iter().find(|at| at.value == fault.file).unwrap_or(certificate);
            return report.error(&named.place, fault.to_string(), mended(&fault));
        }
    };
    let shown = certificate.value.display();
    if !material.is_for_both_ends {
        let message = format!("{shown}: the certificate may not be shown both by servers and by clients");
        let fix = "Have it made with extendedKeyUsage = serverAuth, clientAuth; a node is both.";
        report.warning(&certificate.place, message, fix);
    }
    let Some(today) = today else { return };
    let left_s = material.expires.0.saturating_sub(today.0);
    let fix = "Have a new one made and reload; connections that stand are kept.";
    if left_s <= 0 {
        let message = format!("{shown}: a certificate in it ended {} days ago", left_s.saturating_neg() / DAY_S);
        report.error(&certificate.place, message, fix);
    } else if left_s < ENDS_SOON_DAYS * DAY_S {
        let message = format!("{shown}: a certificate in it ends in {} days", left_s / DAY_S);
        report.warning(&certificate.place, message, fix);
    }
}

/// What to do about a fault.
fn mended(fault: &Fault) -> &'static str {
    match fault.wrong {
        Wrong::Unreadable(_) => "Name a file that this user can read.",
        Wrong::TooLong => "Name a PEM file of certificates or of a key alone.",
        Wrong::Torn | Wrong::NotBase64 => "Copy the file again, whole, from where it was made.",
        Wrong::NoCertificate | Wrong::NotACertificate => {
            "Name a PEM file; DER is turned into one by: openssl x509 -inform der."
        }
        Wrong::TooMany(_) => "Keep only the certificates this node needs.",
        Wrong::Nameless => "Have the certificate made with subjectAltName = DNS:the name neighbours know this node by.",
        Wrong::NoKey => "Name the PEM file with the private key of the certificate.",
        Wrong::EncryptedKey => "Take the passphrase off: openssl pkey -in KEY -out NEW-KEY.",
        Wrong::UnknownKey => "Use a key of ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more.",
        Wrong::OtherHalf(_) => "Name the key the certificate was made with, or the certificate made with this key.",
        Wrong::NotARoot => "Name a file with the certificates of authorities, not of nodes.",
        Wrong::Refused(_) => "Have the certificate made anew.",
    }
}
