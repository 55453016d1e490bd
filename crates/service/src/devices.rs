//! Use cases about the register of devices: enter, read, search, share, vouch for.

use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    record,
    store::{
        access,
        device::{self as store, DeviceRow},
        organisation::{self as organisations, ProductRow},
        search::{self, Order, Place, Relation, TextFilter, Wanted},
    },
};
use crypto::{UnixTime, random};
use device::{
    DeviceId, DeviceKind, ManagementNumber, OrganisationId, Phase, ProductId, StandingKind,
};
use policy::{Action, Caller, CodeRecord, CodeText, EnrolmentSubject, ReleasedBy, Resource};
use std::sync::Arc;

/// A device to be entered in the register, before its history begins.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// its id; drawn at random where there is none
    pub id: Option<DeviceId>,
    /// its serial number, unique within the product
    pub serial_number: String,
}

/// A device on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// its id
    pub id: DeviceId,
    /// number on its label
    pub management_number: ManagementNumber,
    /// its product line, where it has one
    pub product: Option<ProductId>,
    /// its serial number
    pub serial_number: String,
    /// chip, module, board or device
    pub kind: DeviceKind,
    /// who made it
    pub maker: OrganisationId,
    /// who owns it
    pub owner: OrganisationId,
    /// where in its life it is; `None` before its history begins
    pub phase: Option<Phase>,
    /// good, suspended or revoked
    pub standing: StandingKind,
    /// number of events in its history
    pub events: u64,
    /// commitment to the last event
    pub head: Option<ledger::Commitment>,
    /// since when it is on record
    pub created_at: UnixTime,
}

/// What the public page of a device shows: nobody's data (TR-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicDeviceView {
    /// number on its label
    pub management_number: ManagementNumber,
    /// name of the maker
    pub maker: String,
    /// name of the product
    pub product: Option<String>,
    /// model designation
    pub model: Option<String>,
    /// end of support, where promised
    pub support_end: Option<UnixTime>,
    /// where in its life it is
    pub phase: Option<Phase>,
    /// good, suspended or revoked
    pub standing: StandingKind,
}

/// Which devices are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeviceQuery {
    /// those that the organisation owns, made, or is shared
    pub relation: DeviceRelation,
    /// of one product line
    pub product: Option<(OrganisationId, ProductId)>,
    /// in one phase
    pub phase: Option<Phase>,
    /// of one standing
    pub standing: Option<StandingKind>,
    /// whose serial number begins so
    pub serial_prefix: Option<String>,
}

/// How the organisation stands to the devices it asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceRelation {
    /// it owns them
    #[default]
    Owner,
    /// it made them
    Maker,
    /// they are shared with it
    Shared,
    /// their ownership is offered to it
    Offered,
}

/// A code that was released. The text is shown once.
#[derive(Debug)]
pub struct ReleasedCode {
    /// the device that it is for
    pub device: DeviceId,
    /// the code
    pub code: CodeText,
    /// until when it works
    pub expires_at: UnixTime,
}

/// A code on record, without the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeView {
    /// the device that it is for
    pub device: DeviceId,
    /// since when it works
    pub released_at: UnixTime,
    /// until when it works
    pub expires_at: UnixTime,
    /// when it was used
    pub used_at: Option<UnixTime>,
    /// when it was withdrawn
    pub withdrawn_at: Option<UnixTime>,
}

/// A line of a purchase list.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// the maker
    pub maker: OrganisationId,
    /// its product line
    pub product: ProductId,
    /// the serial number that was bought
    pub serial_number: String,
}

impl Service {
    /// Enters devices of a product line in the register. Their histories begin when the maker
    /// reports them made.
    ///
    /// # Errors
    /// `too-many-devices`, `not-found`, `role`; else one outcome per device: `serial-number`,
    /// `device-exists`.
    pub async fn register_devices(
        &self,
        caller: &Caller,
        maker: &OrganisationId,
        product: &ProductId,
        new: Vec<NewDevice>,
    ) -> Result<Vec<Result<DeviceView, ServiceError>>, ServiceError> {
        let resource = Resource::organisation(maker);
        let _permit = self.authorize(caller, Action::RegisterDevice, &resource)?;
        let limit = self.config.limits.devices_per_call;
        if new.len() > limit {
            return Err(ServiceError::too_many(
                "too-many-devices",
                format!("at most {limit} devices are taken in one call; send the rest in another"),
            ));
        }
        let product = self.product_row(maker, product)?;
        let now = self.now();
        let rows: Vec<Result<DeviceRow, ServiceError>> = new
            .into_iter()
            .map(|new| {
                check_serial(&new.serial_number)?;
                let id = new.id.unwrap_or_else(|| DeviceId::from_bytes(random::bytes()));
                Ok(DeviceRow {
                    id: 0,
                    device_id: *id.as_bytes(),
                    management: ManagementNumber::from_random(random::bytes()).to_string(),
                    product: Some(product.id),
                    serial_number: new.serial_number,
                    kind: product.kind,
                    maker: product.organisation,
                    owner: product.organisation,
                    phase: 0,
                    standing: StandingKind::Good.code(),
                    state: None,
                    events: 0,
                    head: None,
                    last_leaf: None,
                    created_at: now,
                })
            })
            .collect();
        let rows = self
            .commit(move |tx| {
                let mut outcomes = Vec::with_capacity(rows.len());
                for row in rows {
                    outcomes.push(row.and_then(|mut row| {
                        let taken = store::device(tx, &row.device_id)?.is_some()
                            || store::device_by_serial(tx, product.id, &row.serial_number)?
                                .is_some();
                        if taken {
                            return Err(ServiceError::conflict(
                                "device-exists",
                                "a device of this id or serial number is on record already",
                            ));
                        }
                        row.id = store::insert_device(tx, &row)?;
                        Ok(row)
                    }));
                }
                Ok(outcomes)
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.and_then(|row| self.device_view(row))).collect())
    }

    /// A device.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn device(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<DeviceView, ServiceError> {
        let known = self.device_for(caller, Action::ReadDevice, device)?;
        self.device_view(known.row)
    }

    /// A page of an organisation's devices.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        query: &DeviceQuery,
        page: &Page,
    ) -> Result<Paged<DeviceView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let product = match &query.product {
            Some((maker, product)) => Some(self.product_row(maker, product)?.id),
            None => None,
        };
        let wanted = Wanted {
            organisation: row.id,
            relation: match query.relation {
                DeviceRelation::Owner => Relation::Owner,
                DeviceRelation::Maker => Relation::Maker,
                DeviceRelation::Shared => Relation::Shared,
                DeviceRelation::Offered => Relation::Offered,
            },
            product,
            phase: query.phase.map(Phase::code),
            standing: query.standing.map(StandingKind::code),
            text: query.serial_prefix.clone().map(|prefix| TextFilter::Prefix(prefix, Vec::new())),
            now: self.now(),
            ..Wanted::default()
        };
        let (after, limit) = page.rows(self.config.limits.page)?;
        let walk = self.at_desk(row.id, move |service, asked| {
            let mut rows = Vec::new();
            let mut from = Place::Row(after);
            loop {
                asked.still()?;
                let left = limit.saturating_add(1).saturating_sub(rows.len());
                let stopped = service.read(|connection| {
                    let (order, from) = (Order::Newest, Some(&from));
                    let found = search::search(connection, &wanted, order, from, true, left)?;
                    for (id, _) in &found.hits {
                        rows.extend(store::device_by_row(connection, *id)?);
                    }
                    Ok(found.stopped)
                })?;
                // This list has no pages that are not full.
                match stopped {
                    Some(place) if rows.len() <= limit => from = place,
                    _ => return Ok(rows),
                }
            }
        });
        let rows = walk.await?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| self.device_view(row))
    }

    /// What the page behind the printed number shows. Public.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn device_by_management_number(
        &self,
        number: &ManagementNumber,
    ) -> Result<PublicDeviceView, ServiceError> {
        let row =
            self.read(|connection| store::device_by_management(connection, &number.to_string()))?;
        let row = found(row, "device")?;
        let product = match row.product {
            Some(product) => {
                self.read(|connection| organisations::product_by_id(connection, product))?
            }
            None => None,
        };
        let maker = self.organisation_of(row.maker)?.name;
        let view = self.device_view(row)?;
        Ok(PublicDeviceView {
            management_number: *number,
            maker,
            model: product.as_ref().map(|product| product.model.clone()),
            support_end: product.as_ref().and_then(|product| product.support_end),
            product: product.map(|product| product.name),
            phase: view.phase,
            standing: view.standing,
        })
    }

    /// Releases a one-time enrolment code for each device. A newer code replaces an older one.
    ///
    /// # Errors
    /// One outcome per device: `not-found`, `no-product`, `code-refused`.
    pub async fn release_codes(
        &self,
        caller: &Caller,
        devices: Vec<DeviceId>,
        lifetime_s: i64,
    ) -> Result<Vec<Result<ReleasedCode, ServiceError>>, ServiceError> {
        let limit = self.config.limits.devices_per_call;
        if devices.len() > limit {
            return Err(ServiceError::too_many(
                "too-many-devices",
                format!("at most {limit} devices are taken in one call; send the rest in another"),
            ));
        }
        let mut released = Vec::with_capacity(devices.len());
        let mut records = Vec::new();
        for device in devices {
            released.push(self.release_code(caller, device, lifetime_s).map(
                |(code, row, record)| {
                    records.push((row, record));
                    code
                },
            ));
        }
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .detail("what", "codes-released")
            .detail("count", &records.len().to_string());
        self.commit(move |tx| {
            for (row, record) in &records {
                access::set_code(tx, *row, record)?;
            }
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(released)
    }

    pub(crate) fn release_code(
        &self,
        caller: &Caller,
        device: DeviceId,
        lifetime_s: i64,
    ) -> Result<(ReleasedCode, i64, CodeRecord), ServiceError> {
        let known = self.device_for(caller, Action::ReleaseCode, &device)?;
        let owner = self.organisation_id(known.row.owner)?;
        let permit = self.authorize(
            caller,
            Action::ReleaseCode,
            &Resource::device(device, &owner).related(caller.organisation()),
        )?;
        let product = self.product_of(&known.row)?.ok_or_else(|| {
            ServiceError::refused("no-product", "the device belongs to no product line")
        })?;
        let name = match caller {
            Caller::Member { name, .. } | Caller::Person { name, .. } => name.clone(),
            other => other.to_string(),
        };
        let now = self.now();
        let (code, record) = CodeRecord::release(
            permit,
            random::bytes(),
            random::bytes(),
            owner,
            EnrolmentSubject::Device(device),
            product,
            ReleasedBy::Member(name),
            lifetime_s,
            now,
        )
        .map_err(|error| ServiceError::refused("code-refused", error.to_string()))?;
        let code = ReleasedCode { device, code, expires_at: record.expires_at };
        Ok((code, known.row.id, record))
    }

    /// The newest code of a device: when, and whether it was used. Never the code.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn code(&self, caller: &Caller, device: &DeviceId) -> Result<CodeView, ServiceError> {
        let known = self.device_for(caller, Action::ReleaseCode, device)?;
        let record = self.read(|connection| access::code(connection, known.row.id, *device))?;
        let record = found(record, "code")?;
        Ok(CodeView {
            device: *device,
            released_at: record.released_at,
            expires_at: record.expires_at,
            used_at: record.used_at,
            withdrawn_at: record.withdrawn_at,
        })
    }

    /// Withdraws the code of a device.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn withdraw_code(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<(), ServiceError> {
        let known = self.device_for(caller, Action::ReleaseCode, device)?;
        let (device, now) = (*device, self.now());
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .subject(&device.to_string())
            .detail("what", "code-withdrawn");
        self.commit(move |tx| {
            let record = access::code(tx, known.row.id, device)?.filter(|code| code.is_open(now));
            let mut record = found(record, "code")?;
            record.withdrawn_at = Some(now);
            access::set_code(tx, known.row.id, &record)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Imports what the caller's organisation has bought: such devices may join it without a code,
    /// once their history says that it owns them.
    ///
    /// # Errors
    /// One outcome per line: `not-found` for an unknown product line, `serial-number`.
    pub async fn import_purchase_list(
        &self,
        caller: &Caller,
        owner: &OrganisationId,
        list: Vec<Purchase>,
    ) -> Result<Vec<Result<(), ServiceError>>, ServiceError> {
        let resource = Resource::organisation(owner);
        let _permit = self.authorize(caller, Action::ImportPurchaseList, &resource)?;
        let limit = self.config.limits.devices_per_call;
        if list.len() > limit {
            return Err(ServiceError::too_many(
                "too-many-devices",
                format!("at most {limit} lines are taken in one call; send the rest in another"),
            ));
        }
        let row = self.organisation_row(owner.as_str())?;
        let now = self.now();
        let lines: Vec<Result<(i64, String), ServiceError>> = list
            .into_iter()
            .map(|line| {
                check_serial(&line.serial_number)?;
                Ok((self.product_row(&line.maker, &line.product)?.id, line.serial_number))
            })
            .collect();
        let event = self
            .event(caller, audit::Kind::CredentialChange, audit::Outcome::Success)
            .detail("what", "purchase-list-imported")
            .detail("count", &lines.len().to_string());
        self.commit(move |tx| {
            let mut outcomes = Vec::with_capacity(lines.len());
            for line in lines {
                outcomes.push(line.and_then(|(product, serial)| {
                    access::set_purchase(tx, product, &serial, row.id, now)
                }));
            }
            tx.audit(&event)?;
            Ok(outcomes)
        })
        .await
    }

    /// Shares a device with another organisation (AU-3).
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn set_share(
        &self,
        caller: &Caller,
        device: &DeviceId,
        with: &OrganisationId,
        until: Option<UnixTime>,
    ) -> Result<(), ServiceError> {
        let known = self.device_for(caller, Action::ShareDevice, device)?;
        let other = self.organisation_row(with.as_str())?;
        let event = self
            .event(caller, audit::Kind::Sharing, audit::Outcome::Success)
            .subject(&device.to_string())
            .detail("with", with.as_str())
            .detail("what", "shared");
        let (until, owner) = (until.unwrap_or(UnixTime::NEVER), known.row.owner);
        self.commit(move |tx| {
            let row = found(store::device_by_row(tx, known.row.id)?, "device")?;
            // It may have been sold since it was looked at.
            if row.owner != owner {
                return Err(ServiceError::not_found("device"));
            }
            access::set_share(tx, row.id, other.id, until)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Ends a share.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn end_share(
        &self,
        caller: &Caller,
        device: &DeviceId,
        with: &OrganisationId,
    ) -> Result<(), ServiceError> {
        let known = self.device_for(caller, Action::ShareDevice, device)?;
        let other = self.organisation_row(with.as_str())?;
        let event = self
            .event(caller, audit::Kind::Sharing, audit::Outcome::Success)
            .subject(&device.to_string())
            .detail("with", with.as_str())
            .detail("what", "ended");
        self.commit(move |tx| {
            if !access::end_share(tx, known.row.id, other.id)? {
                return Err(ServiceError::not_found("share"));
            }
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// With whom a device is shared, and until when.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn shares(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<(OrganisationId, UnixTime)>, ServiceError> {
        let known = self.device_for(caller, Action::ShareDevice, device)?;
        self.read(|connection| access::shares(connection, known.row.id))?
            .into_iter()
            .map(|(organisation, until)| Ok((self.organisation_id(organisation)?, until)))
            .collect()
    }

    /// The product line of a device's row.
    pub(crate) fn product_of(&self, row: &DeviceRow) -> Result<Option<ProductId>, ServiceError> {
        self.product_row_of(row)?
            .map(|product| ProductId::new(&product.slug))
            .transpose()
            .map_err(|_| ServiceError::fatal("store-damaged", "a product's row is damaged"))
    }

    /// The product line's row of a device's row; from memory as a rule.
    pub(crate) fn product_row_of(
        &self,
        row: &DeviceRow,
    ) -> Result<Option<Arc<ProductRow>>, ServiceError> {
        let Some(product) = row.product else { return Ok(None) };
        self.live.products_by_id.get_or_load(product, || {
            let row = self.read(|connection| organisations::product_by_id(connection, product))?;
            Ok(row.map(Arc::new))
        })
    }

    pub(crate) fn device_view(&self, row: DeviceRow) -> Result<DeviceView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a device's row is damaged");
        Ok(DeviceView {
            id: DeviceId::from_bytes(row.device_id),
            management_number: row.management.parse().map_err(|_| damaged())?,
            product: self.product_of(&row)?,
            kind: DeviceKind::from_code(row.kind.into()).ok_or_else(damaged)?,
            maker: self.organisation_id(row.maker)?,
            owner: self.organisation_id(row.owner)?,
            phase: record::state_of(&row)?.map(|state| state.phase()),
            standing: StandingKind::from_code(row.standing.into()).ok_or_else(damaged)?,
            events: row.events,
            head: row.head.map(|head| ledger::Commitment(crypto::Sha256(head))),
            serial_number: row.serial_number,
            created_at: row.created_at,
        })
    }
}

/// A serial number as certificates carry it: a PrintableString of at most 64 characters.
fn check_serial(serial: &str) -> Result<(), ServiceError> {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b"-./+=?()',: ".contains(&byte);
    if serial.trim() == serial && (1..=64).contains(&serial.len()) && serial.bytes().all(printable)
    {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "serial-number",
        "a serial number has 1 to 64 letters, digits and -./+=?()',: characters",
    ))
}
