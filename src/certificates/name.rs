//! Whose certificate it is (RFC 5922).

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, ServerName};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::neighbour::CertificateName;

/// Whether the certificate is that of `wanted`: one of its subjectAltNames is that name, letters compared without case.
/// A wildcard stands for nobody (RFC 5922 section 7.2), and the common name is not looked at.
#[must_use]
pub fn is_for(certificate: &CertificateDer<'_>, wanted: &CertificateName) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    names(&certificate).any(|name| match (name, wanted) {
        (Name::Host(host), CertificateName::Host(wanted)) => host.eq_ignore_ascii_case(wanted),
        (Name::Ip(ip), CertificateName::Ip(wanted)) => ip == *wanted,
        _ => false,
    })
}

/// What TLS calls the other end when we connect: the name it is asked for, if it is one of a host.
///
/// # Errors
/// The name is none that TLS can ask for; the reader of the configuration refuses such names.
pub fn server_name(name: &CertificateName) -> Option<ServerName<'static>> {
    match name {
        CertificateName::Host(host) => ServerName::try_from(host.to_string()).ok(),
        CertificateName::Ip(ip) => Some(ServerName::IpAddress((*ip).into())),
    }
}

/// How many names a certificate has that a neighbour could know it by.
pub(super) fn count(certificate: &X509Certificate<'_>) -> usize {
    names(certificate).count()
}

enum Name<'c> {
    Host(&'c str),
    Ip(IpAddr),
}

/// The identities of RFC 5922 section 7.1, and addresses, since neighbours may be known by theirs alone.
fn names<'c>(certificate: &'c X509Certificate<'_>) -> impl Iterator<Item = Name<'c>> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    names.iter().filter_map(|name| match name {
        GeneralName::DNSName(host) => Some(Name::Host(host)),
        GeneralName::URI(uri) => sip_domain(uri).map(Name::Host),
        GeneralName::IPAddress(octets) => {
            let four = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(Name::Ip)
        }
        _ => None,
    })
}

/// The domain of a `sip` URI without a user; a URI with one is that user's, not the domain's.
fn sip_domain(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let host = rest.split([':', ';', '?']).next()?;
    (scheme.eq_ignore_ascii_case("sip") && !rest.contains('@') && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: &[SanType], common: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names.to_vec();
        params.distinguished_name.push(rcgen::DnType::CommonName, common);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().unwrap())
    }

    #[test]
    fn rfc_5922_a_certificate_is_for_the_names_it_lists_and_for_nobody_else() {
        let ip = SanType::IpAddress("192.0.2.1".parse().unwrap());
        for (names, wanted, want) in [
            (vec![dns("br.example.com")], "br.example.com", true),
            (vec![dns("BR.example.com")], "br.EXAMPLE.com", true),
            (vec![dns("a.example.com"), dns("br.example.com")], "br.example.com", true),
            (vec![dns("br.example.com")], "example.com", false),
            (vec![dns("*.example.com")], "br.example.com", false),
            (vec![dns("br.example.com.evil.example")], "br.example.com", false),
            (vec![uri("sip:br.example.com")], "br.example.com", true),
            (vec![uri("sip:br.example.com:5061;lr")], "br.example.com", true),
            (vec![uri("sip:alice@br.example.com")], "br.example.com", false),
            (vec![uri("sips:br.example.com")], "br.example.com", false),
            (vec![uri("https://br.example.com")], "br.example.com", false),
            (vec![ip.clone()], "192.0.2.1", true),
            (vec![ip.clone()], "192.0.2.2", false),
            (vec![dns("192.0.2.1")], "192.0.2.1", false),
            (vec![], "br.example.com", false),
        ] {
            let wanted_name = CertificateName::parse(wanted).unwrap();
            assert_eq!(is_for(&certificate(&names, wanted), &wanted_name), want, "{names:?} for {wanted}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_for_nobody() {
        let name = CertificateName::parse("br.example.com").unwrap();
        assert!(!is_for(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]), &name));
        assert!(!is_for(&CertificateDer::from(Vec::new()), &name));
    }
}
