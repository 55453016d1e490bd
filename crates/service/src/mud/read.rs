//! Everybody reads what a maker says that its devices connect to.

use super::MudView;
use crate::{
    Service, ServiceError,
    live::found,
    store::{
        mud::{self as store, MudBytes, MudRow},
        organisation as organisations,
    },
};
use ::behaviour::mud::Mud;
use crypto::{Sha256, UnixTime, sha256};
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};
use std::{net::IpAddr, sync::Arc};

/// Lines that the public page of a device shows.
const LINES_MAX: usize = 40;

/// A product line's file as it stands.
#[derive(Debug)]
pub(crate) struct KeptMud {
    /// as it was read
    pub(crate) mud: Mud,
    /// which version
    pub(crate) version: u64,
    /// since when it stands
    pub(crate) made_at: UnixTime,
    public: Arc<PublicMud>,
    lines: Arc<(Vec<String>, Vec<String>, usize)>,
}

/// What a device's maker says that it connects to, in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicMudLines {
    /// where the file is on the console's address
    pub path: String,
    /// lines in English and in Japanese, and how many there are more
    pub lines: Arc<(Vec<String>, Vec<String>, usize)>,
}

/// What anybody may fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicMud {
    /// the file, as it came
    pub file: Vec<u8>,
    /// its SHA-256
    pub digest: Sha256,
    /// its signature, as it came
    pub signature: Option<Vec<u8>>,
    /// for how many hours a reader may keep it (RFC 8520 section 3.5)
    pub cache_validity_h: u8,
    /// since when it stands
    pub made_at: UnixTime,
}

impl KeptMud {
    pub(super) fn new(bytes: MudBytes, row: &MudRow) -> Result<Self, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a kept MUD file is damaged");
        let digest = sha256(&bytes.file);
        // What is handed out is what was taken.
        if row.digest != Some(digest) {
            return Err(damaged());
        }
        let mud = Mud::parse(&bytes.file).map_err(|_| damaged())?;
        let public = Arc::new(PublicMud {
            digest,
            cache_validity_h: mud.cache_validity_h,
            made_at: row.made_at,
            file: bytes.file,
            signature: bytes.signature,
        });
        let (mut english, mut japanese) = (mud.english(), mud.japanese());
        let more = english.len().saturating_sub(LINES_MAX);
        english.truncate(LINES_MAX);
        japanese.truncate(LINES_MAX);
        let lines = Arc::new((english, japanese, more));
        Ok(Self { mud, version: row.version, made_at: row.made_at, public, lines })
    }
}

/// A version of a file, for its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MudFile {
    /// which
    pub view: MudView,
    /// what it says
    pub mud: Mud,
    /// the file, as it came
    pub file: Vec<u8>,
    /// its signature, as it came
    pub signature: Option<Vec<u8>>,
    /// the certificates that the signature was checked against, in PEM
    pub anchors: Option<String>,
    /// where everybody reads the version in force, and its signature
    pub urls: Option<(String, String)>,
}

impl Service {
    /// A version of a product line's file, or the one in force, for its maker.
    ///
    /// # Errors
    /// `not-found`, also where it was withdrawn or its bytes are not kept any more; `role`.
    pub async fn mud_file(
        &self,
        caller: &Caller,
        (organisation, product): (&OrganisationId, &ProductId),
        version: Option<u64>,
    ) -> Result<MudFile, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?.id;
        let read = self.read(|connection| {
            let known = match version {
                Some(version) => store::version(connection, row, version)?,
                None => store::newest(connection, row)?,
            };
            let Some(known) = known else { return Ok(None) };
            Ok(store::bytes(connection, row, known.version)?.zip(Some(known)))
        })?;
        let (bytes, known) = found(read, "MUD file")?;
        let mud = Mud::parse(&bytes.file)
            .map_err(|_| ServiceError::fatal("store-damaged", "a kept MUD file is damaged"))?;
        let line = (organisation, product);
        Ok(MudFile {
            view: known.into(),
            mud,
            file: bytes.file,
            signature: bytes.signature,
            anchors: bytes.anchors,
            urls: self.mud_url(line, "json").zip(self.mud_url(line, "p7s")),
        })
    }

    /// A product line's file, for anybody. What there is not, and whose line there is not, are one answer.
    ///
    /// # Errors
    /// `too-many-lookups`, with the seconds to wait in the text.
    pub async fn public_mud(
        &self,
        (maker, product): (&str, &str),
        address: IpAddr,
    ) -> Result<Option<Arc<PublicMud>>, ServiceError> {
        let now = self.now();
        self.visits.admit(address, now).map_err(crate::public::too_many)?;
        let found = self.look_for_mud(maker, product)?;
        if found.is_none() {
            self.visits.missed(address, now);
        }
        Ok(found)
    }

    fn look_for_mud(
        &self,
        maker: &str,
        product: &str,
    ) -> Result<Option<Arc<PublicMud>>, ServiceError> {
        let (Ok(maker), Ok(product)) = (OrganisationId::new(maker), ProductId::new(product)) else {
            return Ok(None);
        };
        let row = self.read(|connection| {
            let Some(maker) = organisations::organisation(connection, maker.as_str())? else {
                return Ok(None);
            };
            organisations::product(connection, maker.id, product.as_str())
        })?;
        let Some(row) = row else { return Ok(None) };
        Ok(self.kept_mud(row.id)?.map(|kept| Arc::clone(&kept.public)))
    }

    /// What a device may connect to, and where its maker's file is; `None` where none is kept.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn device_mud_lines(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Option<PublicMudLines>, ServiceError> {
        let row = self.device_for(caller, Action::ReadAlerts, device)?.row;
        row.product.map_or(Ok(None), |product| self.public_mud_lines(product))
    }

    /// What a device of a product line may connect to, and where its file is, for its public page.
    pub(crate) fn public_mud_lines(
        &self,
        product: i64,
    ) -> Result<Option<PublicMudLines>, ServiceError> {
        let Some(kept) = self.kept_mud(product)? else { return Ok(None) };
        let row = self.read(|connection| organisations::product_by_id(connection, product))?;
        let row = found(row, "product line")?;
        let maker = self.organisation_of(row.organisation)?.slug;
        let path = format!("/mud/{maker}/{}.json", row.slug);
        Ok(Some(PublicMudLines { path, lines: Arc::clone(&kept.lines) }))
    }
}
