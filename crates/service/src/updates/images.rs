//! Image repositories as clients read them: who may, and which files there are.

use crate::{
    Service, ServiceError,
    live::found,
    store::{device as devices, release as releases, repository as store},
};
use crypto::Sha256;
use device::OrganisationId;
use policy::{Action, Caller, Resource};

impl Service {
    /// A metadata file, for whoever may read it.
    ///
    /// # Errors
    /// `unauthenticated`, `not-found`.
    pub async fn repository_metadata(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<Vec<u8>, ServiceError> {
        let row = self.reader_of_images(caller, organisation)?;
        found(self.read(|connection| store::file(connection, row, name))?, "metadata file")
    }

    /// A target file by its address in a repository with consistent snapshots: its path with
    /// `SHA-256.` before its name. Only files of published releases are served.
    ///
    /// # Errors
    /// `unauthenticated`, `not-found`.
    pub async fn repository_target(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        address: &str,
    ) -> Result<super::BlobReader, ServiceError> {
        let row = self.reader_of_images(caller, organisation)?;
        let missing = || ServiceError::not_found("file");
        let (folder, name) = address.rsplit_once('/').ok_or_else(missing)?;
        let (sha256, name) = name.split_once('.').ok_or_else(missing)?;
        let lower = !sha256.bytes().any(|byte| byte.is_ascii_uppercase());
        let sha256 = Sha256::from_hex(sha256).filter(|_| lower).ok_or_else(missing)?;
        let path = format!("{folder}/{name}");
        let known =
            self.read(|connection| releases::published_artifact(connection, row, &path, &sha256))?;
        found(known, "file")?;
        if self.is_suspended(row)? {
            // What it was told to install or to go back to, by whoever runs its campaign; no more.
            let device = self.updating_device(caller)?;
            let now = self.now();
            let standing = self.read(|connection| self.standing(connection, &device, now))?;
            let told = standing.is_some_and(|(assignment, _)| {
                assignment.artifacts.iter().any(|file| file.sha256 == sha256)
            });
            if !told {
                return Err(missing());
            }
        }
        self.blob_of(organisation, &sha256)
    }

    fn is_suspended(&self, organisation: i64) -> Result<bool, ServiceError> {
        let row = self.organisation_row(self.organisation_id(organisation)?.as_str())?;
        Ok(row.suspended_at.is_some())
    }

    /// Whether the caller may read metadata and images of an organisation: everybody where the
    /// organisation says so; else its members, and devices that it made or owns. Where it is suspended,
    /// those devices alone.
    fn reader_of_images(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<i64, ServiceError> {
        let row = self.live_organisation(organisation)?;
        let suspended = row.map_or(Ok(false), |row| self.is_suspended(row))?;
        if suspended && !matches!(caller, Caller::Device { .. }) {
            let resource = Resource::organisation(organisation);
            let _permit = self.authorize(caller, Action::ReadImages, &resource)?;
            return Err(ServiceError::not_found("image repository"));
        }
        let open = match row.filter(|_| !suspended) {
            Some(row) => self.read(|connection| store::repository(connection, row))?,
            None => None,
        };
        if let Some(kept) = open.as_ref().filter(|kept| kept.open) {
            return Ok(kept.organisation);
        }
        let action = Action::ReadImages;
        match caller {
            Caller::Device { device, .. } => {
                let known =
                    self.read(|connection| devices::device(connection, device.as_bytes()))?;
                let mine = known.filter(|known| {
                    row.is_some_and(|row| known.maker == row || known.owner == row)
                });
                match mine {
                    Some(known) => {
                        let owner = self.organisation_id(known.owner)?;
                        let resource = Resource::device(*device, &owner);
                        let _permit = self.authorize(caller, action, &resource)?;
                    }
                    None => {
                        let _permit = self.authorize(caller, action, &Resource::unknown())?;
                    }
                }
            }
            _ => {
                let resource = match row {
                    Some(_) => Resource::organisation(organisation),
                    None => Resource::unknown(),
                };
                let _permit = self.authorize(caller, action, &resource)?;
            }
        }
        row.ok_or_else(|| ServiceError::not_found("image repository"))
    }

    /// The row of an organisation, where there is one.
    fn live_organisation(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Option<i64>, ServiceError> {
        match self.organisation_row(organisation.as_str()) {
            Ok(row) => Ok(Some(row.id)),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
