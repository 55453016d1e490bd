//! Use cases: the devices that a request is about, where it names many.

use super::{ApprovalId, decide::is_requester};
use crate::{
    Page, Paged, Service, ServiceError,
    fleet::csv,
    live::found,
    store::{approval as store, device as devices},
};
use device::DeviceId;
use policy::{Act, Caller};

/// Devices per piece of a file.
const PIECE: u32 = 500;

/// A device that a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalDevice {
    /// the device
    pub id: DeviceId,
    /// its management number
    pub management_number: String,
    /// its serial number
    pub serial_number: String,
}

/// All devices of a request as CSV (RFC 4180, UTF-8) on their way: device, management number, serial
/// number.
#[derive(Debug)]
pub struct ApprovalDevices {
    service: Service,
    caller: Caller,
    id: ApprovalId,
    bom: bool,
    next: Option<Option<String>>,
}

impl Service {
    /// The devices that a request is about, where it names many: as long as it is open.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn approval_devices(
        &self,
        caller: &Caller,
        id: &ApprovalId,
        page: &Page,
    ) -> Result<Paged<ApprovalDevice>, ServiceError> {
        let row = self.approval_to_read(caller, id)?;
        let (from, limit) = page.numbered(self.config.limits.page)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let items = self.read(|connection| {
            store::attached_devices(connection, row.id, from, limit.saturating_add(1))?
                .into_iter()
                .map(|row| devices::device_by_row(connection, row))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let end = from.saturating_add(limit);
        Paged::cut(items, limit, |_| end.to_string()).try_map(|row| {
            let row = found(row, "device")?;
            Ok(ApprovalDevice {
                id: DeviceId::from_bytes(row.device_id),
                management_number: row.management,
                serial_number: row.serial_number,
            })
        })
    }

    /// All of them as a file, with a byte order mark where `bom` says so: Excel needs it.
    ///
    /// Who asked chose the devices alone: where exports want a second person, this file is for those
    /// who decide.
    ///
    /// # Errors
    /// `not-found`, `role`; `export-guarded` for who asked.
    pub async fn approval_devices_file(
        &self,
        caller: &Caller,
        id: &ApprovalId,
        bom: bool,
    ) -> Result<ApprovalDevices, ServiceError> {
        // Refused before the stream begins.
        let row = self.approval_to_read(caller, id)?;
        let organisation = self.organisation_id(row.organisation)?;
        let guarded = self.wants_second_person(caller, &organisation, &[Act::Export])?;
        if guarded.is_some() && is_requester(caller, &row) {
            return Err(ServiceError::refused(
                "export-guarded",
                "your organisation wants a second person for files of devices: the list of a \
                 request of your own is for those who decide",
            )
            .in_japanese(
                "機器一覧のファイル出力には二人目の承認が必要です。自分の依頼の一覧ファイルは、承認する人だけが取得できます",
            ));
        }
        let (service, caller) = (self.clone(), caller.clone());
        Ok(ApprovalDevices { service, caller, id: *id, bom, next: Some(None) })
    }
}

impl ApprovalDevices {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// As [`Service::approval_devices`]; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ServiceError>> {
        let after = self.next.take()?;
        let mut out = match &after {
            None => csv::begin(self.bom, &["device", "management_number", "serial_number"]),
            Some(_) => String::new(),
        };
        let page = Page { after, limit: PIECE };
        let found = match self.service.approval_devices(&self.caller, &self.id, &page).await {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        for device in &found.items {
            let id = device.id.to_string();
            csv::line(&mut out, [id.as_str(), &device.management_number, &device.serial_number]);
        }
        self.next = found.next.map(Some);
        Some(Ok(out.into_bytes()))
    }
}
