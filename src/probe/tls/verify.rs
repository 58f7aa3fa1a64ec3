//! Which certificates count: with `tls_verify` those that a trusted authority signed, else any.

use std::path::Path;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TlsError;
use crate::http::tls::SYSTEM_CAS;
use crate::os::cause::cause_text;
use crate::os::reading::read_regular;

/// Most bytes of a file with certificates; all that Debian trusts take 220 KiB.
pub(super) const FILE_MAX: u64 = 16 << 20;

/// The certificates to trust where certificates are verified.
pub(in crate::probe) fn trusted(
    ca_file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = ca_file.unwrap_or(Path::new(SYSTEM_CAS));
    read(file).map_err(|cause| TlsError::Certificates {
        file: file.to_owned(),
        cause,
    })
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read_regular(file, FILE_MAX).map_err(|e| e.to_string())?;
    let mut certificates = decode(&text).map_err(cause_text)?;
    // One that cannot be used keeps none of the others from it.
    certificates.retain(may_sign);
    if certificates.is_empty() {
        return Err("there is none in it".to_owned());
    }

    Ok(certificates)
}

fn decode(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(text).collect()
}

/// Old authorities may have certificates that rustls cannot read.
fn may_sign(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

/// Takes any certificate and any signature by its key: expired, self-signed, too short, of another name.
#[derive(Debug)]
pub(super) struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ED25519,
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::ECDSA_SHA1_Legacy,
            S::RSA_PKCS1_SHA1,
            S::ED448,
        ]
    }
}
