//! Use case: a search as a CSV file, streamed: a million devices need no more memory than a page.

use super::{
    asker::Asker,
    csv,
    search::{DeviceLine, DeviceSearch},
};
use crate::{Page, Service, ServiceError, approvals::Intent};
use crypto::UnixTime;
use device::OrganisationId;
use device::{Outcome, Phase, ReasonCode};
use policy::{Action, Caller, Resource};

/// Devices per piece of the stream.
const PIECE: u32 = 500;

/// First line of the file.
const HEAD: [&str; 16] = [
    "device",
    "management_number",
    "product",
    "serial_number",
    "kind",
    "maker",
    "owner",
    "phase",
    "standing",
    "verdict",
    "reasons",
    "judged_at",
    "verdict_expires",
    "offered_to",
    "alarm",
    "registered_at",
];

/// A CSV file on its way. Rights are looked up again with every piece: the stream ends with an
/// error where they end.
#[derive(Debug)]
pub struct DeviceExport {
    service: Service,
    asker: Asker,
    organisation: OrganisationId,
    wanted: DeviceSearch,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Begin { bom: bool },
    After(Option<String>),
    End,
}

impl Service {
    /// All devices that a search finds, as CSV (RFC 4180, UTF-8), with a byte order mark where
    /// `bom` says so: Excel needs it.
    ///
    /// # Errors
    /// As [`Self::search_devices`]; `needs-second-person`, `reauthenticate`.
    pub async fn export_devices(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        wanted: &DeviceSearch,
        bom: bool,
    ) -> Result<DeviceExport, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ListDevices, &resource)?;
        // A search that is refused is refused before the stream begins.
        let who = self.organisation_row(organisation.as_str())?.id;
        let tried = (organisation.clone(), wanted.clone());
        self.at_desk(who, move |service, _| service.wanted(&tried.0, &tried.1).map(|_| ())).await?;
        let intent = Intent::Export { filter: wanted.in_words() };
        let slip = self.second_person(caller, organisation, policy::Act::Export, &intent).await?;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::Authorisation, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "devices-exported");
        self.commit(move |tx| {
            slip.consume(tx, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(DeviceExport {
            service: self.clone(),
            asker: Asker::new(caller, now),
            organisation: organisation.clone(),
            wanted: wanted.clone(),
            place: Place::Begin { bom },
        })
    }
}

impl DeviceExport {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// As [`Service::search_devices`]; nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ServiceError>> {
        let (mut out, after) = match std::mem::replace(&mut self.place, Place::End) {
            Place::Begin { bom } => (csv::begin(bom, &HEAD), None),
            Place::After(after) => (String::new(), after),
            Place::End => return None,
        };
        let page = Page { after, limit: PIECE };
        let found = async {
            let caller = self.service.asker_still(&self.asker).await?;
            self.service.search_devices(&caller, &self.organisation, &self.wanted, &page).await
        };
        match found.await {
            Ok(list) => {
                for line in &list.items {
                    row(&mut out, line);
                }
                if let Some(next) = list.next {
                    self.place = Place::After(Some(next));
                }
                Some(Ok(out.into_bytes()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn row(out: &mut String, line: &DeviceLine) {
    let device = &line.device;
    let time = |at: Option<UnixTime>| at.map(|at| at.to_string()).unwrap_or_default();
    let verdict = line.verdict.as_ref();
    let reasons: Vec<&str> = verdict
        .iter()
        .flat_map(|verdict| &verdict.reasons)
        .map(|code: &ReasonCode| code.name())
        .collect();
    let fields = [
        device.id.to_string(),
        device.management_number.to_string(),
        device.product.as_ref().map(ToString::to_string).unwrap_or_default(),
        device.serial_number.clone(),
        device.kind.name().to_owned(),
        device.maker.to_string(),
        device.owner.to_string(),
        device.phase.map(Phase::name).unwrap_or_default().to_owned(),
        device.standing.name().to_owned(),
        verdict.map(|verdict| Outcome::name(verdict.outcome)).unwrap_or_default().to_owned(),
        reasons.join(" "),
        time(verdict.map(|verdict| verdict.at)),
        time(verdict.map(|verdict| verdict.expires)),
        line.offered_to.as_ref().map(ToString::to_string).unwrap_or_default(),
        if line.alarm { "yes" } else { "" }.to_owned(),
        device.created_at.to_string(),
    ];
    csv::line(out, fields.iter().map(String::as_str));
}
