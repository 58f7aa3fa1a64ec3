//! The bearer tokens (RFC 6750) for spool changes from afar.
//!
//! Rule: a token is compared in a time that says nothing of how much of it was right, and never shows in a log.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::os::cause::cause_text;
use crate::os::reading::{FileError, open_regular};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// Fewest bytes of a token; shorter ones could be guessed.
const MIN: usize = 16;

/// Most bytes of a token's file.
const MAX: usize = 4096;

/// The tokens of all files.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Whether a token is needed at all.
    demanded: bool,
    known: Vec<Token>,
}

struct Token {
    /// The file's name, which tells in the log who made a change.
    name: String,
    text: Vec<u8>,
}

/// What became of a request's token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    /// No token is needed.
    Free,
    /// It carries the token of this file.
    Holds(&'a str),
    /// It carries none.
    Missing,
    /// It carries another one.
    Wrong,
}

impl Tokens {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self, TokenError> {
        let known = files.iter().map(|file| token(file));
        Ok(Self {
            demanded: !files.is_empty(),
            known: known.collect::<Result<_, _>>()?,
        })
    }

    /// Reads the files again. A token whose file is gone or spoilt is revoked; with none left, every change is refused.
    #[must_use]
    pub(crate) fn reload(files: &[PathBuf]) -> (Self, Vec<TokenError>) {
        let (mut known, mut revoked) = (Vec::new(), Vec::new());
        for file in files {
            match token(file) {
                Ok(token) => known.push(token),
                Err(e) => revoked.push(e),
            }
        }

        // By the files that are named, and not by the tokens: with all of them gone, none must not mean "free".
        let demanded = !files.is_empty();
        (Self { demanded, known }, revoked)
    }

    /// Looks for a token among a request's headers.
    #[must_use]
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> Bearer<'_> {
        if !self.demanded {
            return Bearer::Free;
        }

        let Some(value) = headers.get(AUTHORIZATION) else {
            return Bearer::Missing;
        };

        match bearer_token(value).and_then(|given| self.find(given)) {
            Some(token) => Bearer::Holds(&token.name),
            None => Bearer::Wrong,
        }
    }

    fn find(&self, given: &[u8]) -> Option<&Token> {
        let mut found = None;
        // All are looked at, so that the time does not tell which one was nearly right either.
        for token in &self.known {
            if same(&token.text, given) {
                found = Some(token);
            }
        }

        found
    }
}

/// The token of `Authorization: Bearer …`, whose scheme has no case (RFC 9110 section 11.1).
fn bearer_token(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, given) = value.as_bytes().split_first_chunk::<7>()?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    is_bearer.then(|| given.trim_ascii())
}

fn token(path: &Path) -> Result<Token, TokenError> {
    match read(path) {
        Ok(token) => Ok(token),
        Err(fault) => Err(TokenError {
            path: path.to_owned(),
            fault,
        }),
    }
}

fn read(path: &Path) -> Result<Token, TokenFault> {
    let file = open_regular(path).map_err(TokenFault::Open)?;
    // Asked of the open file: its name may lead to another one by now.
    let mode = file.metadata().map_err(TokenFault::Read)?.mode();
    if mode & 0o007 != 0 {
        warn_of_readers(path);
    }

    let text = content(file).map_err(TokenFault::Read)?;
    let text = checked(text.trim_ascii())?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    Ok(Token { name, text })
}

/// A warning and no error, as a daemon that does not start takes the whole host out of rotation.
fn warn_of_readers(path: &Path) {
    log::warn!(
        "remote_spool_tokens: everyone on this host may read {}; chmod o= it",
        path.display()
    );
}

fn content(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more than may be tells a text that is too long.
    file.take(MAX as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn checked(text: &[u8]) -> Result<Vec<u8>, TokenFault> {
    // What has spaces or line breaks is several words, and no header could carry it.
    let is_one_word = text.iter().all(u8::is_ascii_graphic);
    match text.len() {
        length if length > MAX || !is_one_word => Err(TokenFault::NoToken),
        length if length < MIN => Err(TokenFault::Short(length)),
        _ => Ok(text.to_vec()),
    }
}

/// Why a file of `remote_spool_tokens` cannot be used.
#[derive(Debug)]
pub struct TokenError {
    path: PathBuf,
    fault: TokenFault,
}

#[derive(Debug)]
enum TokenFault {
    Open(FileError),
    Read(io::Error),
    NoToken,
    /// The token has this many characters.
    Short(usize),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remote_spool_tokens: {}: ", self.path.display())?;
        match &self.fault {
            TokenFault::Open(e) => {
                write!(f, "{e}; it must hold a token and be readable by hacheck")
            }
            TokenFault::Read(e) => f.write_str(&cause_text(e)),
            // The token itself is in neither: this goes to the log.
            TokenFault::NoToken => f.write_str(
                "it must hold one token of visible characters; make one with openssl rand -hex 32",
            ),
            TokenFault::Short(length) => write!(
                f,
                "the token has {length} characters, {MIN} are the least; make one with openssl rand -hex 32"
            ),
        }
    }
}

/// Compares all of a secret, whatever was given.
fn same(secret: &[u8], given: &[u8]) -> bool {
    let mut differs = u8::from(secret.len() != given.len());
    for (i, byte) in secret.iter().enumerate() {
        // What is given may be shorter; the loop takes as long in any case.
        let other = given.get(i).copied().unwrap_or(0);
        // Or the compiler might end the loop at the first difference.
        differs = black_box(differs | (byte ^ other));
    }

    black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, text: &str| Token {
            name: name.into(),
            text: text.into(),
        };
        Tokens {
            demanded: true,
            known: vec![
                token("old", "0123456789abcdef"),
                token("new", "fedcba9876543210"),
            ],
        }
    }

    fn bearer(value: &'static str) -> String {
        let headers = [(AUTHORIZATION, value.parse().unwrap())]
            .into_iter()
            .collect();
        format!("{:?}", tokens().bearer(&headers))
    }

    #[test]
    fn each_of_several_tokens_is_good() {
        assert_eq!(bearer("Bearer 0123456789abcdef"), r#"Holds("old")"#);
        assert_eq!(bearer("bearer  fedcba9876543210 "), r#"Holds("new")"#);
        assert_eq!(Tokens::default().bearer(&HeaderMap::new()), Bearer::Free);
    }

    #[test]
    fn a_token_whose_file_is_gone_is_revoked_and_with_none_left_all_is_refused() {
        let (gone, revoked) = Tokens::reload(&[PathBuf::from("/nonexistent/token")]);
        let headers = [(AUTHORIZATION, "Bearer 0123456789abcdef".parse().unwrap())]
            .into_iter()
            .collect();
        assert_eq!(revoked.len(), 1);
        assert_eq!(gone.bearer(&headers), Bearer::Wrong);
        assert_eq!(gone.bearer(&HeaderMap::new()), Bearer::Missing);
        assert_eq!(
            Tokens::reload(&[]).0.bearer(&HeaderMap::new()),
            Bearer::Free
        );
    }

    #[test]
    fn nothing_but_the_whole_token_is_good() {
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "Bearer 0123456789abcdef, Bearer fedcba9876543210",
        ] {
            assert_eq!(bearer(bad), "Wrong", "{bad}");
        }
        assert_eq!(tokens().bearer(&HeaderMap::new()), Bearer::Missing);
    }
}
