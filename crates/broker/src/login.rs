//! How somebody proves to a broker who they are: one text, as it lies in a file.

use crate::nkey;
use crypto::{Secret, SoftwareKey};

/// Longest text, in bytes.
pub const LOGIN_BYTES_MAX: usize = 16 * 1024;

/// Which broker it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// NATS
    Nats,
    /// AMQP 0-9-1
    Amqp,
}

/// What a text must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// it is too long, or no text
    #[error("the secret of a broker is a text of {LOGIN_BYTES_MAX} bytes at most")]
    Text,
    /// a certificate without its key, or the other way round
    #[error(
        "a client certificate and its private key, both in PEM, belong together; the key has no password"
    )]
    Identity,
    /// more than one line beside them
    #[error("beside a client certificate there is one line at most")]
    Lines,
    /// nothing that a broker of AMQP takes
    #[error("RabbitMQ takes USER:PASSWORD or a client certificate")]
    Amqp,
    /// credentials of NATS of which a part is missing or damaged
    #[error("the credentials of NATS have a user's JWT and the seed of its key, SU…")]
    Credentials,
}

/// A client certificate with those above it, and its key, in PEM.
#[derive(Debug)]
pub struct Identity(pub Secret);

/// How somebody proves who they are.
#[derive(Debug, Default)]
pub struct Login {
    /// shown in the handshake of TLS
    pub identity: Option<Identity>,
    pub(crate) user: Option<(String, Secret)>,
    pub(crate) token: Option<Secret>,
    pub(crate) jwt: Option<String>,
    pub(crate) key: Option<SoftwareKey>,
}

impl Login {
    /// Reads what was given: PEM of a client certificate and its key, and beside it one line at most of
    /// `USER:PASSWORD`, or for NATS a token or the seed of a key (`SU…`); or a file of credentials of
    /// NATS.
    ///
    /// # Errors
    /// What is wrong with it; never what it says.
    pub fn parse(text: &Secret, speaks: Speaks) -> Result<Self, LoginError> {
        let text = Some(text.expose()).filter(|text| text.len() <= LOGIN_BYTES_MAX);
        let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or(LoginError::Text)?;
        let mut login = Self::default();
        let (mut pem, mut certificates, mut keys) = (String::new(), 0_u32, 0_u32);
        let (mut seed, mut said) = (None, Vec::new());
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        while let Some(line) = lines.next() {
            let label = line.strip_prefix("-----BEGIN ").and_then(|it| it.strip_suffix("-----"));
            let Some(label) = label else {
                said.push(line);
                continue;
            };
            let mut body = Vec::new();
            loop {
                let line = lines.next().ok_or(LoginError::Text)?;
                // `nsc` writes one hyphen more.
                if line.trim_start_matches('-').starts_with("END ") && line.starts_with("-----") {
                    break;
                }
                body.push(line);
            }
            match label {
                "NATS USER JWT" => login.jwt = Some(body.concat()),
                "USER NKEY SEED" => seed = Some(body.concat()),
                _ => {
                    let block = [
                        &["-----BEGIN ", label, "-----\n"].concat(),
                        &body.join("\n"),
                        "\n-----END ",
                        label,
                        "-----\n",
                    ]
                    .concat();
                    pem.push_str(&block);
                    match label {
                        "CERTIFICATE" => certificates += 1,
                        "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => keys += 1,
                        _ => return Err(LoginError::Identity),
                    }
                }
            }
        }
        match (certificates, keys) {
            (0, 0) => {}
            (1..=8, 1) => login.identity = Some(Identity(Secret::new(pem.into_bytes()))),
            _ => return Err(LoginError::Identity),
        }
        if login.jwt.is_some() || seed.is_some() {
            // What stands around them is advice.
            login.key = seed.as_deref().and_then(nkey::from_seed);
            let jwt =
                login.jwt.as_deref().is_some_and(|it| it.bytes().all(is_jwt) && !it.is_empty());
            if !jwt || login.key.is_none() {
                return Err(LoginError::Credentials);
            }
        } else if let Some(line) = said.first() {
            if said.len() > 1 {
                return Err(LoginError::Lines);
            }
            match (nkey::from_seed(line), line.split_once(':')) {
                (Some(key), _) => login.key = Some(key),
                (None, Some((user, password))) => {
                    let password = Secret::new(password.as_bytes().to_vec());
                    login.user = Some((user.to_owned(), password));
                }
                (None, None) => login.token = Some(Secret::new(line.as_bytes().to_vec())),
            }
        }
        let of_amqp = login.user.is_some() || login.identity.is_some();
        if speaks == Speaks::Amqp && (!of_amqp || login.token.is_some() || login.key.is_some()) {
            return Err(LoginError::Amqp);
        }
        Ok(login)
    }
}

fn is_jwt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    fn read(text: &str, speaks: Speaks) -> Result<Login, LoginError> {
        Login::parse(&Secret::new(text.as_bytes().to_vec()), speaks)
    }

    #[test]
    fn what_people_have_is_read() {
        let login = read("ann:p:w\n", Speaks::Amqp).unwrap();
        let (user, password) = login.user.unwrap();
        assert_eq!((&*user, password.expose()), ("ann", &b"p:w"[..]));
        assert!(read("s3cr3t", Speaks::Nats).unwrap().token.is_some());
        assert!(read(SEED, Speaks::Nats).unwrap().key.is_some());
        let both = read(&format!("{CERTIFICATE}{KEY}ann:x"), Speaks::Nats).unwrap();
        assert_eq!(both.identity.unwrap().0.expose(), format!("{CERTIFICATE}{KEY}").as_bytes());
        assert!(both.user.is_some());
        let credentials = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.AA\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\
             NKEYs are sensitive and should be treated as secrets.\n\n\
             -----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n\n\
             *************************************************************\n"
        );
        let login = read(&credentials, Speaks::Nats).unwrap();
        assert_eq!(login.jwt.as_deref(), Some("eyJ0.eyJq.AA"));
        assert!(login.key.is_some() && login.token.is_none());
        assert_eq!(read(&credentials, Speaks::Amqp).unwrap_err(), LoginError::Amqp);
        assert!(read("", Speaks::Nats).unwrap().user.is_none());
    }

    #[test]
    fn what_nobody_can_use_is_refused() {
        for (text, speaks, error) in [
            ("", Speaks::Amqp, LoginError::Amqp),
            ("token", Speaks::Amqp, LoginError::Amqp),
            (SEED, Speaks::Amqp, LoginError::Amqp),
            (CERTIFICATE, Speaks::Nats, LoginError::Identity),
            (KEY, Speaks::Nats, LoginError::Identity),
            ("a:b\nc:d", Speaks::Nats, LoginError::Lines),
            ("-----BEGIN CERTIFICATE-----\nAAAA", Speaks::Nats, LoginError::Text),
            ("-----BEGIN X-----\n-----END X-----", Speaks::Nats, LoginError::Identity),
            (
                "-----BEGIN NATS USER JWT-----\na.b.c\n-----END NATS USER JWT-----",
                Speaks::Nats,
                LoginError::Credentials,
            ),
        ] {
            assert_eq!(read(text, speaks).unwrap_err(), error, "{text:?}");
        }
        let long = "a".repeat(LOGIN_BYTES_MAX + 1);
        assert_eq!(read(&long, Speaks::Nats).unwrap_err(), LoginError::Text);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "(-----BEGIN [A-Z ]{0,5}-----|[a-z:\n]{0,6}|-----END X-----){0,8}") {
            drop(read(&text, Speaks::Nats));
            drop(read(&text, Speaks::Amqp));
        }
    }
}
