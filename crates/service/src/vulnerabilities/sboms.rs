//! Use case: bills of materials of a product's software, one or several for each version.

use super::record_line;
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        Tx,
        sbom::{self as store, SbomRow, SoftwareRow},
    },
};
use advisory::Sbom;
use crypto::{Sha256, UnixTime};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Longest version, in characters.
pub(crate) const VERSION_MAX: usize = 100;
/// Longest name of an SBOM, in characters.
const NAME_MAX: usize = 60;
/// Names of SBOMs that came with a release begin so.
const OF_RELEASE: &str = "release/";
/// Most SBOMs of one version.
const SBOMS_MAX: usize = 64;

/// A bill of materials to be attached.
#[derive(Debug, Clone)]
pub struct NewSbom {
    /// whose product it is
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// the version of its software
    pub version: String,
    /// what part of the software it is about, such as `rootfs`; of one name the newest counts
    pub name: String,
    /// the document
    pub bytes: Vec<u8>,
}

/// A bill of materials on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbomView {
    /// what part of the software it is about
    pub name: String,
    /// SHA-256 of the document
    pub digest: Sha256,
    /// form and version
    pub form: String,
    /// components
    pub components: u64,
    /// components that no advisory can name: neither package URL nor CPE name
    pub nameless: u64,
    /// components without a version
    pub versionless: u64,
    /// what of it was not understood
    pub remarks: u64,
    /// components that are put in so far
    pub indexed: u64,
    /// who attached it
    pub added_by: String,
    /// when
    pub added_at: UnixTime,
}

/// A version of a product's software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareView {
    /// whose product it is
    pub organisation: OrganisationId,
    /// the product line
    pub product: ProductId,
    /// the version
    pub version: String,
    /// since when it is known
    pub added_at: UnixTime,
    /// its bills of materials
    pub sboms: Vec<SbomView>,
    /// components that wait to be judged
    pub waiting: u64,
}

impl Service {
    /// Attaches a bill of materials to a version of a product's software. Its components are judged
    /// in the background; the one of the same name before it does not count any more.
    ///
    /// # Errors
    /// `not-found`, `role`, `version`, `sbom-name`, `sbom`, `too-many-sboms`, `quota`.
    pub async fn attach_sbom(
        &self,
        caller: &Caller,
        new: NewSbom,
    ) -> Result<SoftwareView, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::ManageSboms, &resource)?;
        record_line("version", &new.version, VERSION_MAX)?;
        record_line("sbom-name", &new.name, NAME_MAX)?;
        if new.name.starts_with(OF_RELEASE) {
            return Err(ServiceError::malformed(
                "sbom-name",
                "names that begin with release/ are those of releases; attach it to the release",
            ));
        }
        let product = self.product_row(&new.organisation, &new.product)?;
        self.room_for_documents(product.organisation, new.bytes.len())?;
        let by = caller.to_string();
        let now = self.now();
        let NewSbom { organisation, product: product_id, version, name, bytes } = new;
        let read = self.pool.begin(move || Draft::read(&name, bytes)).outcome().await??;
        let event = self
            .event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&format!("{product_id} {version}"))
            .detail("what", "sbom-attached")
            .detail("sha256", &read.row.digest.to_string())
            .detail("components", &read.row.components.to_string());
        let row = self
            .commit(move |tx| {
                let software = store::ensure_software(tx, product.id, &version, now)?;
                if attach(tx, software, read, &by, now)? {
                    tx.audit(&event)?;
                }
                store::software_by_id(tx, software)
            })
            .await?;
        self.software_view(&found(row, "version")?)
    }

    /// Whether the caller may attach a bill of materials, asked before one is sent.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub fn may_attach_sbom(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<(), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageSboms, &resource)?;
        self.product_row(organisation, product).map(|_| ())
    }

    /// Versions of a product's software with their bills of materials, the oldest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn software(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        page: &Page,
    ) -> Result<Paged<SoftwareView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadVulnerabilities, &resource)?;
        let product = self.product_row(organisation, product)?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|c| store::software_of_product(c, product.id, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.software_view(&row))
    }

    fn software_view(&self, row: &SoftwareRow) -> Result<SoftwareView, ServiceError> {
        let (organisation, product) = self.product_names(row.product)?;
        self.read(|connection| {
            let sboms = store::sboms(connection, row.id)?;
            Ok(SoftwareView {
                organisation,
                product,
                version: row.version.clone(),
                added_at: row.added_at,
                sboms: sboms.into_iter().map(view).collect(),
                waiting: store::waiting(connection, None, Some(row.id))?,
            })
        })
    }

    /// Whose a product line is, and what it is called.
    pub(crate) fn product_names(
        &self,
        product: i64,
    ) -> Result<(OrganisationId, ProductId), ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a product's row is damaged");
        let row = self.live.products_by_id.get_or_load(product, || {
            let row = self.read(|c| crate::store::organisation::product_by_id(c, product))?;
            Ok(row.map(std::sync::Arc::new))
        })?;
        let row = row.ok_or_else(damaged)?;
        let slug = ProductId::new(&row.slug).map_err(|_| damaged())?;
        Ok((self.organisation_id(row.organisation)?, slug))
    }
}

fn view(row: SbomRow) -> SbomView {
    SbomView {
        name: row.name,
        digest: row.digest,
        form: row.form,
        components: row.components,
        nameless: row.nameless,
        versionless: row.versionless,
        remarks: row.remarks,
        indexed: row.indexed,
        added_by: row.added_by,
        added_at: row.added_at,
    }
}

/// A bill of materials that was read.
pub(crate) struct Draft {
    row: SbomRow,
    bytes: Vec<u8>,
}

impl Draft {
    /// Reads the SBOM of a release.
    ///
    /// # Errors
    /// `sbom`.
    pub(crate) fn of_release(name: &str, bytes: Vec<u8>) -> Result<Self, ServiceError> {
        Self::read(&format!("{OF_RELEASE}{name}"), bytes)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// `sbom`.
    pub(crate) fn read(name: &str, bytes: Vec<u8>) -> Result<Self, ServiceError> {
        let sbom = Sbom::parse(&bytes).map_err(|error| {
            ServiceError::malformed("sbom", format!("{error}; {}", error.hint()))
        })?;
        let count = |wanted: fn(&advisory::Component) -> bool| {
            let count = sbom.components.iter().filter(|component| wanted(component)).count();
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        let row = SbomRow {
            id: 0,
            software: 0,
            name: name.to_owned(),
            digest: crypto::sha256(&bytes),
            form: sbom.format.to_string(),
            components: count(|_| true),
            nameless: count(|component| !component.is_identified()),
            versionless: count(|component| {
                component.is_identified() && component.version_text().is_none()
            }),
            remarks: u64::try_from(sbom.remarks.count()).unwrap_or(u64::MAX),
            indexed: 0,
            added_by: String::new(),
            added_at: UnixTime::default(),
        };
        Ok(Self { row, bytes })
    }
}

/// Attaches a bill of materials in a transaction; false where the same one counts already.
pub(crate) fn attach(
    tx: &mut Tx<'_>,
    software: i64,
    draft: Draft,
    by: &str,
    now: UnixTime,
) -> Result<bool, ServiceError> {
    let present = store::sboms(tx, software)?;
    if let Some(old) = present.iter().find(|old| old.name == draft.row.name) {
        if old.digest == draft.row.digest {
            return Ok(false);
        }
        // What was found in it stands until the new one is judged: nothing looks mended meanwhile.
        store::replace_sbom(tx, old.id)?;
    } else if present.len() >= SBOMS_MAX {
        return Err(ServiceError::too_many(
            "too-many-sboms",
            format!(
                "a version has at most {SBOMS_MAX} bills of materials; replace one by its name"
            ),
        ));
    }
    let row = SbomRow { software, added_by: by.to_owned(), added_at: now, ..draft.row };
    store::insert_sbom(tx, &row, &draft.bytes)?;
    Ok(true)
}

/// Attaches a release's bill of materials to its version (product, version).
pub(crate) fn attach_to(
    tx: &mut Tx<'_>,
    (product, version): (i64, &str),
    draft: Draft,
    by: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let software = store::ensure_software(tx, product, version, now)?;
    attach(tx, software, draft, by, now).map(|_| ())
}

/// Takes a release's bill of materials off its version, or all of them: the release is discarded.
pub(crate) fn detach_from(
    tx: &Tx<'_>,
    (product, version): (i64, &str),
    name: Option<&str>,
) -> Result<(), ServiceError> {
    let Some(software) = store::software(tx, product, version)? else { return Ok(()) };
    let name = name.map(|name| format!("{OF_RELEASE}{name}"));
    for row in store::sboms(tx, software.id)? {
        let meant = match &name {
            Some(name) => row.name == *name,
            None => row.name.starts_with(OF_RELEASE),
        };
        if meant {
            store::replace_sbom(tx, row.id)?;
        }
    }
    Ok(())
}
