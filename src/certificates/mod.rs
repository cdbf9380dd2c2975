//! What TLS shows and trusts: PEM files into configurations of TLS that are swapped whole, and the names a certificate
//! carries. Files are read here; no socket and no clock is.
// Certificates come from outside: no index, no sum and no cast that their octets could make go wrong.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used
    )
)]

mod name;
mod pem;
#[cfg(test)]
#[path = "../../tests/pki/mod.rs"]
pub(crate) mod pki;
#[cfg(test)]
mod tests;
mod verify;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use emcc_policies::moment::Civil;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore, ServerConfig};
use thiserror::Error;

pub use name::{is_for, server_name};

use crate::limits::CERTIFICATE_FILE_BYTES_MAX;

/// The PEM files of one side's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// This node's certificate, then those between it and a root.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Roots that neighbours' certificates come from.
    pub trust: PathBuf,
}

/// What is wrong with a file of certificates or keys. It never carries the file's content.
#[derive(Debug, Error)]
#[error("{}{}: {wrong}", file.display(), Line(*line))]
pub struct Fault {
    /// Which file.
    pub file: PathBuf,
    /// Line of the PEM section that is wrong, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong there.
    pub wrong: Wrong,
}

/// The line of a fault as its text has it.
struct Line(usize);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ":{}", self.0) }
    }
}

/// Why a file is of no use.
#[derive(Debug, Error)]
pub enum Wrong {
    /// The system does not give it.
    #[error("it cannot be read ({0})")]
    Unreadable(io::ErrorKind),
    /// Longer than any certificate or key is.
    #[error("it is longer than {} KiB", CERTIFICATE_FILE_BYTES_MAX >> 10)]
    TooLong,
    /// A section begins and does not end.
    #[error("the section that begins here has no END line")]
    Torn,
    /// What is between BEGIN and END is no base64.
    #[error("what is between BEGIN and END is no base64")]
    NotBase64,
    /// No section of a certificate.
    #[error("it holds no certificate: no line says BEGIN CERTIFICATE")]
    NoCertificate,
    /// More certificates than a chain or a list of roots has.
    #[error("it holds more than {0} certificates")]
    TooMany(usize),
    /// The section is no X.509 certificate.
    #[error("this is no X.509 certificate")]
    NotACertificate,
    /// The certificate names nobody.
    #[error("the certificate has no subjectAltName, so no neighbour knows whose it is (RFC 5922)")]
    Nameless,
    /// No section of a private key.
    #[error("it holds no private key: no line says BEGIN PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY")]
    NoKey,
    /// The key asks for a passphrase, and nobody is there to give it.
    #[error("the private key is encrypted, and this node has no passphrase for it")]
    EncryptedKey,
    /// Not a key of RSA (2,048 bits or more), ECDSA (P-256, P-384) or Ed25519.
    #[error("the private key is of a kind that is not served, or broken")]
    UnknownKey,
    /// Key and certificate are not two halves of one pair.
    #[error("the private key does not belong to the certificate in {}", .0.display())]
    OtherHalf(PathBuf),
    /// A root that cannot be one.
    #[error("this certificate cannot be a root")]
    NotARoot,
    /// TLS refuses what the files hold, for a reason that is none of the above.
    #[error("TLS cannot use it ({0})")]
    Refused(rustls::Error),
}

/// Certificate, key and roots, ready for both ends of a connection.
#[derive(Debug)]
pub struct Material {
    /// For connections that neighbours open: they must show a certificate.
    pub(crate) server: Arc<ServerConfig>,
    /// For connections we open.
    pub(crate) client: Arc<ClientConfig>,
    /// When the first certificate of our chain ends, Unix seconds.
    pub expires: Civil,
    /// Whether our certificate may be shown at both ends; one that may not is refused by neighbours.
    pub is_for_both_ends: bool,
}

impl Material {
    /// Reads and checks the files. Whether a certificate has ended is not looked at: see [`Self::expires`].
    ///
    /// # Errors
    /// The first [`Fault`] found, in the order certificate, key, trust.
    pub fn load(files: &Files) -> Result<Self, Fault> {
        let fault = |file: &PathBuf, wrong| Fault { file: file.clone(), line: 0, wrong };
        let provider = Arc::new(ring::default_provider());
        let chain = pem::chain(&files.certificate)?;
        let key = pem::key(&files.key)?;
        let signing = ring::sign::any_supported_type(&key).map_err(|_| fault(&files.key, Wrong::UnknownKey))?;
        let certificates: Vec<CertificateDer<'static>> = chain.certificates;
        let pair = CertifiedKey::new(certificates, signing);
        match pair.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(fault(&files.key, Wrong::OtherHalf(files.certificate.clone())));
            }
            Err(other) => return Err(fault(&files.certificate, Wrong::Refused(other))),
        }
        let roots = Arc::new(pem::roots(&files.trust)?);
        let shown = Arc::new(SingleCertAndKey::from(pair));
        let server = server(&provider, &roots, &shown).map_err(|wrong| fault(&files.trust, wrong))?;
        let client = client(&provider, roots, shown).map_err(|wrong| fault(&files.trust, wrong))?;
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            expires: chain.expires,
            is_for_both_ends: chain.is_for_both_ends,
        })
    }
}

/// Nothing is resumed at either end: every connection proves its certificate anew, and a swap leaves no old ticket valid.
fn server(
    provider: &Arc<rustls::crypto::CryptoProvider>,
    roots: &Arc<RootCertStore>,
    shown: &Arc<SingleCertAndKey>,
) -> Result<ServerConfig, Wrong> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
    let verifier = verifier.map_err(|error| Wrong::Refused(rustls::Error::General(error.to_string())))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(Wrong::Refused)?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::clone(shown) as _);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    provider: &Arc<rustls::crypto::CryptoProvider>,
    roots: Arc<RootCertStore>,
    shown: Arc<SingleCertAndKey>,
) -> Result<ClientConfig, Wrong> {
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(Wrong::Refused)?;
    let verifier = Arc::new(verify::OfSip::new(roots, algorithms));
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_client_cert_resolver(shown);
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The material in use, swapped whole. Connections and handshakes that stand keep the one they began with.
#[derive(Debug)]
pub struct Certificates(ArcSwap<Material>);

impl Certificates {
    /// Begins with `material`.
    #[must_use]
    pub fn new(material: Material) -> Self {
        Self(ArcSwap::from_pointee(material))
    }

    /// From now on new handshakes use `material`.
    pub fn swap(&self, material: Material) {
        self.0.store(Arc::new(material));
    }

    /// What a handshake that begins now uses.
    #[must_use]
    pub fn current(&self) -> Arc<Material> {
        self.0.load_full()
    }
}
