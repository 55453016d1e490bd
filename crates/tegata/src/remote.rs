//! The server that most commands talk to.

use crate::cli::{Language, ServerArgs};
use anyhow::Context as _;
use api::{
    Client, Identity, Settings,
    client::Call,
    wire::{Outcome, Page},
};
use crypto::SoftwareKey;
use pki::Certificate;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::VecDeque, path::Path, sync::Arc};

/// A client of one server, in the name of one credential.
#[derive(Clone)]
pub struct Remote {
    client: Client,
}

impl Remote {
    /// Connects as the arguments say.
    pub fn open(args: &ServerArgs, language: Language) -> anyhow::Result<Self> {
        let roots = read_roots(&args.roots)?;
        let identity = read_identity(&args.credential)?;
        let settings = Settings { language: language.into(), ..Settings::default() };
        Ok(Self::new(Client::new(&args.server, &roots, Some(&identity), settings)?))
    }

    /// As [`Self::open`], for answers that are large and take their time.
    pub fn for_files(args: &ServerArgs, language: Language) -> anyhow::Result<Self> {
        let roots = read_roots(&args.roots)?;
        let identity = read_identity(&args.credential)?;
        let settings = Settings {
            language: language.into(),
            answer_time: std::time::Duration::from_secs(3600),
            answer_bytes_max: 2 * 1024 * 1024 * 1024,
            ..Settings::default()
        };
        Ok(Self::new(Client::new(&args.server, &roots, Some(&identity), settings)?))
    }

    /// Uses a client that is there.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `GET` of a document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.client.send(Call::get(path)).await?.json()?)
    }

    /// `GET` of bytes.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.client.call(Call::get(path)).await?.body.to_vec())
    }

    /// `POST` of a document, answered by another.
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> anyhow::Result<T> {
        let call = Call::new(http::Method::POST, path).json(body)?;
        Ok(self.client.send(call).await?.json()?)
    }

    /// `POST` without a body.
    pub async fn post_empty<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.client.send(Call::new(http::Method::POST, path)).await?.json()?)
    }

    /// `PUT` of a document; the answer's body does not matter.
    pub async fn put<B: Serialize + ?Sized>(&self, path: &str, body: &B) -> anyhow::Result<()> {
        self.client.call(Call::new(http::Method::PUT, path).json(body)?).await?;
        Ok(())
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.client.call(Call::new(http::Method::DELETE, path)).await?;
        Ok(())
    }

    /// All pages of a list.
    pub async fn all<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        self.some(path, usize::MAX).await
    }

    /// The first items of a list, as many as are wanted.
    pub async fn some<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
    ) -> anyhow::Result<Vec<T>> {
        let (mut items, mut after) = (Vec::new(), None::<String>);
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page: Page<T> = match &after {
                None => self.get(path).await?,
                Some(after) => {
                    let after = api::client::percent_encode(after);
                    self.get(&format!("{path}{mark}after={after}")).await?
                }
            };
            items.extend(page.items);
            match page.next {
                Some(next) if items.len() < most => after = Some(next),
                _ => break,
            }
        }
        items.truncate(most);
        Ok(items)
    }
}

/// The outcome of one item that was sent alone.
pub fn only<T>(outcomes: Vec<Outcome<T>>) -> anyhow::Result<T> {
    let mut outcomes: VecDeque<_> = outcomes.into();
    match outcomes.pop_front() {
        Some(Outcome { done: Some(done), .. }) => Ok(done),
        Some(Outcome { refused: Some(problem), .. }) => {
            Err(api::ClientError::Refused(Box::new(problem)).into())
        }
        _ => anyhow::bail!("the server answered without an outcome"),
    }
}

/// Reads trusted roots from PEM.
pub fn read_roots(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the trusted roots {}; give --roots FILE", path.display())
    })?;
    Ok(Certificate::from_pem_chain(&text, 64)?)
}

/// Reads a credential: certificate chain and private key in PEM.
pub fn read_identity(path: &Path) -> anyhow::Result<Identity> {
    let text = crypto::Secret::new(std::fs::read(path).with_context(|| {
        format!("cannot read the credential {}; give --credential FILE", path.display())
    })?);
    let text = std::str::from_utf8(text.expose()).context("the credential is not PEM")?;
    let chain = Certificate::from_pem_chain(text, 8)?;
    let key = private_key_block(text)
        .with_context(|| format!("{} holds no private key (BEGIN PRIVATE KEY)", path.display()))?;
    Ok(Identity { chain, key: Arc::new(SoftwareKey::from_pem(key)?) })
}

/// The private key among the blocks of a PEM file.
fn private_key_block(text: &str) -> Option<&str> {
    const END: &str = "-----END PRIVATE KEY-----";
    let start = text.find("-----BEGIN PRIVATE KEY-----")?;
    let end = text.get(start..)?.find(END)?;
    text.get(start..start + end + END.len())
}

impl From<Language> for device::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Ja => Self::Ja,
        }
    }
}
