//! A maker keeps a usage description of a product line here.

use super::KeptMud;
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        Effect,
        mud::{self as store, MudBytes, MudRow, NewMudRow},
        purpose::owners_of,
    },
};
use ::behaviour::mud::{Ace, Mud};
use audit::{Kind, Outcome, SecurityEvent, Severity};
use crypto::{Sha256, UnixTime, sha256};
use device::{OrganisationId, ProductId};
use pki::{
    Certificate, ObjectIdentifier,
    signed_data::{DetachedSigner, verify_detached},
    validate::Anchors,
};
use policy::{Action, Caller, Resource};
use std::collections::HashSet;

/// Versions of a product line's file, and within a day: each is told to owners.
const VERSIONS_MAX: u64 = 10_000;
const VERSIONS_DAY_MAX: u64 = 24;
const DAY_S: i64 = 86_400;
/// Versions whose bytes are kept; of older ones who, when, why, and the digest.
const KEPT: u64 = 32;
/// Owners that are told of a change.
const TOLD_MAX: usize = 1000;
/// Lines of a change that its event shows.
const SHOWN_MAX: usize = 4;
/// Certificates that a signature may be checked against, and their length in PEM.
const ANCHORS_MAX: usize = 8;
const ANCHORS_BYTES_MAX: usize = 64 * 1024;
/// id-ct-mudtype (RFC 8520 section 11): what a signed MUD file may be called.
const MUD_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.41");

/// A file to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMud {
    /// the file
    pub file: Vec<u8>,
    /// its signature: detached CMS SignedData in DER (RFC 8520 section 13.1)
    pub signature: Option<Vec<u8>>,
    /// whom the maker's readers believe: certificates in PEM, against which the signature is checked
    pub anchors: Option<String>,
    /// why, in the words of who puts it in
    pub reason: String,
}

/// A version of what a maker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MudView {
    /// its number
    pub version: u64,
    /// SHA-256 of the file; `None`: the maker withdrew what was there
    pub digest: Option<Sha256>,
    /// length of the file, where its bytes are kept still
    pub length: Option<u64>,
    /// whose signature goes with it, and until when its certificates hold
    pub signer: Option<(String, UnixTime)>,
    /// why
    pub reason: String,
    /// by whom
    pub made_by: String,
    /// when
    pub made_at: UnixTime,
}

impl From<MudRow> for MudView {
    fn from(row: MudRow) -> Self {
        let MudRow { version, digest, length, signer, reason, made_by, made_at } = row;
        Self { version, digest, length, signer, reason, made_by, made_at }
    }
}

fn needed(text: &str) -> Result<String, ServiceError> {
    crate::fleet::reason(Some(text))?.ok_or_else(|| {
        ServiceError::malformed("reason", "say why: owners of the devices are told of the change")
            .in_japanese("理由を書いてください。変更は機器の所有者に通知されます")
    })
}

fn wrong_signature(why: impl Into<String>) -> ServiceError {
    let why = why.into();
    let japanese = format!("署名を受け付けられません: {why}");
    ServiceError::malformed("mud-signature", why).in_japanese(japanese)
}

impl Service {
    /// Where everybody reads a product line's file, or its signature; `None` where there is no console.
    pub(super) fn mud_url(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        ending: &str,
    ) -> Option<String> {
        let console = self.config.console_url.as_deref()?.trim_end_matches('/');
        Some(format!("{console}/mud/{organisation}/{product}.{ending}"))
    }

    /// Keeps a file of a product line: a new version, which everybody may read from then on. The same
    /// again changes nothing. Owners of its devices are told what a change opens and closes.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`; `mud-file`, `mud-signature`, `mud-anchors`, `too-many-mud-versions`.
    pub async fn put_mud(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        new: NewMud,
    ) -> Result<MudView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        let reason = needed(&new.reason)?;
        let row = self.product_row(organisation, product)?;
        let mud = Mud::parse(&new.file).map_err(|error| {
            ServiceError::malformed("mud-file", error.to_string())
                .in_japanese(format!("MUDファイルとして受け付けられません: {error}"))
        })?;
        let now = self.now();
        let (signer, anchors) = self.signer_of(&new, &mud, (organisation, product), now)?.unzip();
        let signer = signer.map(|signer| {
            let named: String = signer.path.leaf().subject().to_string();
            (named.chars().take(500).collect::<String>(), signer.path.not_after())
        });
        let digest = sha256(&new.file);
        let bytes = MudBytes { file: new.file, signature: new.signature, anchors };
        let kept = NewMudRow {
            kept: Some((digest, bytes)),
            signer,
            reason,
            made_by: caller.to_string(),
            made_at: now,
        };
        let line = (row.id, organisation, product);
        self.add_mud(caller, line, kept, Some(&mud)).await
    }

    /// Withdraws a product line's file: nobody reads it any more, and nothing is held against it.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`, `too-many-mud-versions`.
    pub async fn withdraw_mud(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        reason: &str,
    ) -> Result<MudView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        let reason = needed(reason)?;
        let row = self.product_row(organisation, product)?;
        found(self.read(|connection| store::newest(connection, row.id))?, "MUD file")?;
        let (made_by, made_at) = (caller.to_string(), self.now());
        let kept = NewMudRow { kept: None, signer: None, reason, made_by, made_at };
        self.add_mud(caller, (row.id, organisation, product), kept, None).await
    }

    /// Versions of a product line's file, the newest first, for its maker.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn mud_versions(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        page: &Page,
    ) -> Result<Paged<MudView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::versions(connection, row.id, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.version.to_string()).try_map(|row| Ok(row.into()))
    }

    /// Whose signature it is; `None` where there is none.
    fn signer_of(
        &self,
        new: &NewMud,
        mud: &Mud,
        line: (&OrganisationId, &ProductId),
        now: UnixTime,
    ) -> Result<Option<(DetachedSigner, String)>, ServiceError> {
        let ours = self.mud_url(line, "p7s");
        let named = new.anchors.as_deref().filter(|text| !text.trim().is_empty());
        let Some(signature) = &new.signature else {
            if mud.signature.is_some() && mud.signature == ours {
                return Err(wrong_signature(
                    "the file's mud-signature names a signature here, and none came with it; hand it in, or leave mud-signature out",
                ));
            }
            if named.is_some() {
                return Err(ServiceError::malformed(
                    "mud-anchors",
                    "certificates to check a signature against came without a signature; hand it in, or leave them out",
                )
                .in_japanese("CA証明書だけがあり署名がありません。署名も渡すか、証明書を省いてください"));
            }
            return Ok(None);
        };
        if mud.signature.is_none() {
            let told = ours.unwrap_or_else(|| "https://…".to_owned());
            return Err(wrong_signature(format!(
                "the file does not say where its signature is (RFC 8520 section 3.4); add \"mud-signature\": \"{told}\" and sign again"
            )));
        }
        let Some(anchors) = named else {
            return Err(ServiceError::malformed(
                "mud-anchors",
                "a signature is checked against certificates that you name; hand in the CA's, in PEM",
            )
            .in_japanese("署名の検証に使うCA証明書（PEM）を指定してください"));
        };
        let wrong = |why: String| {
            let japanese = format!("CA証明書を読み取れません: {why}");
            ServiceError::malformed("mud-anchors", why).in_japanese(japanese)
        };
        if anchors.len() > ANCHORS_BYTES_MAX {
            return Err(wrong("the certificates have 65,536 bytes at most".to_owned()));
        }
        let anchors = Certificate::from_pem_chain(anchors, ANCHORS_MAX)
            .map_err(|error| wrong(format!("{error}; name 1 to 8 certificates in PEM")))?;
        // Kept is what was read: whatever else stood beside the certificates is nobody's to serve.
        let pem: String = anchors.iter().map(Certificate::to_pem).collect();
        let anchors: Anchors = anchors.into_iter().collect();
        verify_detached(&new.file, signature, &anchors, &[MUD_TYPE], now)
            .map(|signer| Some((signer.into_inner(), pem)))
            .map_err(|error| wrong_signature(error.to_string()))
    }

    async fn add_mud(
        &self,
        caller: &Caller,
        (product, maker, line): (i64, &OrganisationId, &ProductId),
        new: NewMudRow,
        mud: Option<&Mud>,
    ) -> Result<MudView, ServiceError> {
        // Compared outside of the writer's turn: files may be long.
        let (known, before) = self.read(|connection| {
            let known = store::newest(connection, product)?;
            let before = match &known {
                Some(known) => store::bytes(connection, product, known.version)?,
                None => None,
            };
            Ok((known, before))
        })?;
        let same = match (&new.kept, &known) {
            (Some((_, bytes)), Some(_)) => before
                .as_ref()
                .is_some_and(|it| (&it.file, &it.signature) == (&bytes.file, &bytes.signature)),
            (None, known) => known.as_ref().is_none_or(|known| known.digest.is_none()),
            (Some(_), None) => false,
        };
        if let Some(known) = known.as_ref().filter(|_| same) {
            return Ok(known.clone().into());
        }
        let before = before.and_then(|it| Mud::parse(&it.file).ok());
        // Words leave out what is said of both address families, and what comes first decides.
        let changes = rules(before.as_ref()) != rules(mud);
        let before = before.as_ref().map(Mud::english).unwrap_or_default();
        let lines = mud.map(Mud::english).unwrap_or_default();
        let put = new.kept.is_some();
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(maker.as_str())
            .severity(Severity::Medium)
            .subject(line.as_str())
            .detail("what", "mud")
            .detail("change", if put { "put" } else { "withdrawn" })
            .detail("reason", &new.reason);
        let event = change_of(event, &before, &lines);
        // For owners: what their devices may connect to from now on.
        let told = self
            .event(&Caller::Platform { task: "mud" }, Kind::ConfigurationChange, Outcome::Success)
            .severity(Severity::Medium)
            .detail("what", "mud")
            .detail("product", &format!("{maker}/{line}"))
            .detail(
                "change",
                match put {
                    true => "the maker says anew what its devices connect to",
                    false => "the maker no longer says what its devices connect to",
                },
            );
        // Another signature of the same says nothing new to them.
        let told = (changes || !put).then(|| match before == lines {
            true if put => told.detail("new", "the same, by other address families"),
            _ => change_of(told, &before, &lines),
        });
        let seen = known.map_or(0, |known| known.version);
        let made = self
            .commit(move |tx| {
                let known = store::newest(tx, product)?.map_or(0, |known| known.version);
                if known != seen {
                    return Err(ServiceError::conflict(
                        "mud-changed",
                        "somebody put another version at the same moment; look at it and repeat",
                    )
                    .in_japanese("同時に別の版が登録されました。確認してやり直してください"));
                }
                // A wrong file can be withdrawn at any time.
                if put {
                    check_count(tx, product, known, new.made_at)?;
                }
                let version = store::insert(tx, product, &new, KEPT)?;
                tx.audit(&event.detail("version", &version.to_string()))?;
                tx.effect(Effect::Mud(product));
                if let Some(told) = told {
                    for owner in owners_of(tx, product, TOLD_MAX)? {
                        tx.audit(&told.clone().organisation(&owner))?;
                    }
                }
                found(store::version(tx, product, version)?, "MUD file")
            })
            .await?;
        Ok(made.into())
    }

    /// A product line's file as it stands, with its bytes; `None` where its maker keeps none here.
    pub(crate) fn kept_mud(
        &self,
        product: i64,
    ) -> Result<Option<std::sync::Arc<KeptMud>>, ServiceError> {
        self.live.muds.get_or_load(product, || {
            let read = self.read(|connection| {
                let Some(row) = store::newest(connection, product)? else { return Ok(None) };
                Ok(store::bytes(connection, product, row.version)?.zip(Some(row)))
            })?;
            let Some((bytes, row)) = read else { return Ok(None) };
            KeptMud::new(bytes, &row).map(|kept| Some(std::sync::Arc::new(kept)))
        })
    }
}

fn check_count(
    tx: &rusqlite::Connection,
    product: i64,
    known: u64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    if known >= VERSIONS_MAX {
        let message = format!("the product line has had {VERSIONS_MAX} versions of its file");
        return Err(ServiceError::conflict("too-many-mud-versions", message)
            .in_japanese("この製品ラインのMUDファイルは版数の上限に達しています"));
    }
    let day = UnixTime(at.0.saturating_sub(DAY_S));
    if store::versions_since(tx, product, day)? >= VERSIONS_DAY_MAX {
        let message = format!(
            "the product line has had {VERSIONS_DAY_MAX} versions of its file within a day; put the next tomorrow"
        );
        return Err(ServiceError::conflict("too-many-mud-versions", message)
            .in_japanese("MUDファイルは1日に24版までです。明日登録してください"));
    }
    Ok(())
}

/// What may pass, without the names of entries.
fn rules(mud: Option<&Mud>) -> Option<[Vec<Ace>; 2]> {
    let bare = |entries: &[Ace]| {
        entries.iter().map(|ace| Ace { name: String::new(), ..ace.clone() }).collect()
    };
    mud.map(|mud| [bare(&mud.from_device), bare(&mud.to_device)])
}

/// What a change opens and closes, line by line.
fn change_of(event: SecurityEvent, before: &[String], lines: &[String]) -> SecurityEvent {
    let only = |these: &[String], others: &[String]| {
        let others: HashSet<&String> = others.iter().collect();
        let mut only = these.iter().filter(|line| !others.contains(line));
        let some: Vec<&str> = only.by_ref().take(SHOWN_MAX).map(String::as_str).collect();
        (some.join("; "), some.len().saturating_add(only.count()))
    };
    let changed = [("new", only(lines, before)), ("gone", only(before, lines))];
    changed.into_iter().filter(|(_, (_, count))| *count > 0).fold(
        event,
        |event, (name, (some, count))| {
            event.detail(&format!("{name}_count"), &count.to_string()).detail(name, &some)
        },
    )
}
