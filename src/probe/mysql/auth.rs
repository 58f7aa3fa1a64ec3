//! Proving that one knows the password, in the ways of `mysql_common`.

use mysql_common::crypto;
use mysql_common::packets::AuthPlugin;

use super::session::{Error, Greeting};
use super::wire::{Reader, Wire};
use crate::probe::stream::Stream;

/// Most packets until a login is decided.
const PACKETS_MAX: usize = 8;

/// Longest RSA key that is computed with, as PEM: 8192 bits and some.
const KEY_MAX: usize = 2048;

/// Most doublings of PARSEC's 1024 iterations that are computed: a million.
const PARSEC_MAX: u8 = 10;

/// A login under way.
pub(super) struct Login<'a> {
    plugin: AuthPlugin<'static>,
    nonce: Vec<u8>,
    tls: bool,
    password: &'a str,
    switched: bool,
}

impl<'a> Login<'a> {
    /// Begins as the server proposes, if that is one of the two that servers propose.
    pub(super) fn new(greeting: &Greeting, tls: bool, password: &'a str) -> Self {
        let plugin = match &*greeting.plugin {
            "caching_sha2_password" => AuthPlugin::CachingSha2Password,
            _ => AuthPlugin::MysqlNativePassword,
        };
        Self {
            plugin,
            nonce: greeting.nonce.clone(),
            tls,
            password,
            switched: false,
        }
    }

    pub(super) fn plugin_name(&self) -> Vec<u8> {
        self.plugin.as_bytes().to_vec()
    }

    /// The first answer to the nonce; empty without a password.
    pub(super) fn proof(&self) -> Vec<u8> {
        self.plugin
            .gen_data(Some(self.password), &self.nonce)
            .map(|data| data.to_vec())
            .unwrap_or_default()
    }

    /// Goes on until the server decides. Gives its OK packet.
    pub(super) async fn finish<S: Stream>(&mut self, wire: &mut Wire<S>) -> Result<Vec<u8>, Error> {
        for _ in 0..PACKETS_MAX {
            let packet = wire.receive().await?;
            match packet[0] {
                0 => return Ok(packet),
                0xfe if !self.switched => self.switch(wire, &packet[1..]).await?,
                1 => self.more(wire, &packet[1..]).await?,
                // MariaDB's PARSEC came without the byte in front at first.
                b'P' => self.more(wire, &packet).await?,
                _ => break,
            }
        }
        Err(broken("the server's login packets do not fit together"))
    }

    /// The account has another plugin than the server proposed.
    async fn switch<S: Stream>(&mut self, wire: &mut Wire<S>, request: &[u8]) -> Result<(), Error> {
        self.switched = true;
        let mut reader = Reader(request);
        let name = reader.until_zero();
        self.plugin = AuthPlugin::from_bytes(name).into_owned();
        self.nonce = reader.0.strip_suffix(&[0]).unwrap_or(reader.0).to_vec();
        let proof = match &self.plugin {
            AuthPlugin::MysqlClearPassword => {
                return Err(broken(
                    "the server wants the password in clear text; give the account another plugin",
                ));
            }
            AuthPlugin::MysqlOldPassword => {
                return Err(broken(
                    "the account has a password of before MySQL 4.1; set its password anew",
                ));
            }
            AuthPlugin::Other(name) if name.is_empty() => {
                return Err(broken(
                    "the account has a password of before MySQL 4.1; set its password anew",
                ));
            }
            AuthPlugin::Other(name) => {
                let name = String::from_utf8_lossy(name).escape_debug().to_string();
                return Err(Error::Broken(format!(
                    "the account's authentication plugin '{name}' is not supported"
                )));
            }
            // It sends its salt first.
            AuthPlugin::MariadbParsec { .. } => Vec::new(),
            _ => self.proof(),
        };
        wire.send(&proof).await
    }

    async fn more<S: Stream>(&mut self, wire: &mut Wire<S>, data: &[u8]) -> Result<(), Error> {
        match (&mut self.plugin, data) {
            // The server has the password's hash in its cache; OK follows.
            (AuthPlugin::CachingSha2Password, [3]) => Ok(()),
            (AuthPlugin::CachingSha2Password, [4]) if self.tls => {
                wire.send(&[self.password.as_bytes(), &[0]].concat()).await
            }
            (AuthPlugin::CachingSha2Password, [4]) => {
                wire.send(&[2]).await?;
                let packet = wire.receive().await?;
                let secret = self.encrypt(packet.get(1..).unwrap_or_default()).await?;
                wire.send(&secret).await
            }
            (AuthPlugin::MariadbParsec { .. }, [b'P', factor, ..]) if *factor <= PARSEC_MAX => {
                self.plugin
                    .read_add_data(data)
                    .ok_or_else(|| broken("malformed PARSEC salt"))?;
                let (plugin, nonce) = (self.plugin.clone(), self.nonce.clone());
                let password = self.password.to_owned();
                let proof = compute(move || {
                    plugin
                        .gen_data(Some(&password), &nonce)
                        .map(|data| data.to_vec())
                })
                .await?;
                wire.send(&proof.unwrap_or_default()).await
            }
            _ => Err(broken("the server's login packets do not fit together")),
        }
    }

    /// The password for the server's RSA key, where there is no TLS.
    async fn encrypt(&self, key: &[u8]) -> Result<Vec<u8>, Error> {
        if key.len() > KEY_MAX || self.nonce.is_empty() {
            return Err(broken("the server's RSA key is too long"));
        }
        let padded = self.password.bytes().chain([0]);
        let masked: Vec<u8> = padded
            .zip(self.nonce.iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        let key = key.to_vec();
        compute(move || crypto::encrypt(&masked, &key)).await
    }
}

/// Computes where nobody waits, and where a panic ends there: `mysql_common` panics on a malformed RSA key.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| broken("the server's key cannot be made sense of"))
}

fn broken(cause: &str) -> Error {
    Error::Broken(cause.into())
}
