//! Whom a service's probes log in as, as it is written.

use crate::settings::{Reader, Secret, any_text, read_part, secret, settings, show_part, text};

settings! {
    /// An account of a service.
    pub struct ServiceLogin {
        /// The user.
        username: Option<String> = None, any_text().or_unset();
        /// That user's password, exactly as written; or `password_file`. Never shown.
        password: Option<Secret> = None, secret().or_unset();
        /// The database that PostgreSQL probes name.
        database: Option<String> = None, text().or_unset();
    }
}

impl ServiceLogin {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let (login, _) = read_part(&Self::table(), reader)?;
        Some(login)
    }

    pub(super) fn show(&self) -> String {
        show_part(&Self::table(), self)
    }
}
