//! Both ends of TLS for tests: the library as everybody sets it up, nothing of this program in it.
#![allow(dead_code, clippy::expect_used)] // every test file uses its part

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::pki::{Authority, Pair};

/// The end that connects; it shows `pair`, or nothing.
pub(crate) fn client(authority: &Authority, pair: Option<&Pair>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_root_certificates(roots(authority));
    Arc::new(match pair.map(halves) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("two halves"),
        None => builder.with_no_client_auth(),
    })
}

/// The end that is connected to; it shows `pair` and asks for a certificate.
pub(crate) fn server(authority: &Authority, pair: &Pair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority), Arc::clone(&provider)).build();
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let (chain, key) = halves(pair);
    let builder = builder.with_client_cert_verifier(verifier.expect("roots"));
    Arc::new(builder.with_single_cert(chain, key).expect("two halves"))
}

fn roots(authority: &Authority) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("a root");
    Arc::new(roots)
}

fn halves(pair: &Pair) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM")];
    (chain, PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM"))
}
