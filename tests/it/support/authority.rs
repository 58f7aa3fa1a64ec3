//! An authority that signs certificates, and clients in TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::TempDir;
use super::server::run_to_end;

/// An authority with its files in a folder of its own.
pub struct Authority {
    folder: TempDir,
}

/// A certificate and its key.
pub struct Signed {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self {
            folder: TempDir::new(),
        };
        let ca = authority.files("ca");
        openssl(&ca, "/CN=authority", &["-addext", "keyUsage=keyCertSign"]);
        authority
    }

    /// Its own certificate.
    pub fn cert(&self) -> PathBuf {
        self.files("ca").cert
    }

    /// Signs a certificate with these subject alternative names.
    pub fn sign(&self, name: &str, alternatives: &str) -> Signed {
        let (ca, signed) = (self.files("ca"), self.files(name));
        let names = format!("subjectAltName={alternatives}");
        let mut options = vec!["-addext", &names, "-addext"];
        options.push("basicConstraints=critical,CA:FALSE");
        let authority = [ca.cert.to_str().unwrap(), ca.key.to_str().unwrap()];
        options.extend(["-CA", authority[0], "-CAkey", authority[1]]);
        openssl(&signed, &format!("/CN={name}"), &options);
        signed
    }

    /// A certificate of this host.
    pub fn sign_host(&self, name: &str) -> Signed {
        self.sign(name, "DNS:localhost,IP:127.0.0.1")
    }

    fn files(&self, name: &str) -> Signed {
        Signed {
            cert: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        }
    }
}

fn openssl(to: &Signed, subject: &str, options: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "2", "-subj", subject]);
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(options).arg("-keyout").arg(&to.key);
    run_to_end(command.arg("-out").arg(&to.cert));
}

/// What a client needs that trusts an authority.
pub fn client_config(ca: &Path, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn this_host() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A connection in TLS.
pub async fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    connector.connect(this_host(), stream).await.unwrap()
}

/// How such a client begins.
pub fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut client = ClientConnection::new(Arc::clone(config), this_host()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}
