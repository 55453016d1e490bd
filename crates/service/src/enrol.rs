//! Use cases about device certificates: first enrolment, renewal, keys made here, chips in
//! batches (EN-1, EN-2, EN-4).

use crate::{
    Recorded, Service, ServiceError,
    ca::{CaEntry, CaKind},
    csr::{key_in_use, verified_csr},
    diagnoses::{PROTOTYPE, PROTOTYPE_S},
    issue::{Issue, Order},
    live::found,
    record,
    store::{
        Effect, Guard, Tx, access,
        certificate::{self as certificates, CertificateRow, Held, Status},
        device::{self as devices, DeviceRow},
    },
};
use crypto::{KeyAlgorithm, Secret, Sha256, SoftwareKey, UnixTime, Verified};
use device::{
    Credential, CredentialProfile, DeviceId, EventKind, OrganisationId, Phase, ProductId,
    StandingKind, State,
};
use enrolment::{
    est::ChannelBinding,
    renewal::RenewalWindow,
    rules::{self, Applicant, Renewed, Voucher},
};
use pki::{Certificate, Csr, CsrBuilder, HardwareModuleName, Profile, Subject};
use policy::{Action, Caller, DeviceCredential, Resource};
use std::sync::Arc;

/// Chips of a batch that are worked on at a time, and those of them that share their commits: while
/// the intents of some are on their way to the disk, others are signed.
const AT_ONCE: usize = 256;
const GROUP: usize = 64;

/// A request for a device's certificate.
#[derive(Debug, Clone)]
pub struct EnrolRequest {
    /// label of the path (RFC 7030 section 3.2.2): the product line, where there is one
    pub label: Option<ProductId>,
    /// PKCS#10 in DER
    pub csr: Vec<u8>,
}

/// A certificate that was issued to a device, durably.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// the device
    pub device: DeviceId,
    /// its certificate
    pub certificate: Certificate,
    /// certificates up to the root, without it
    pub chain: Vec<Certificate>,
    /// where the life event went
    pub recorded: Recorded,
}

/// A chip at the factory: its first event and the request for its certificate.
#[derive(Debug, Clone)]
pub struct ChipRequest {
    /// COSE_Sign1 of the event chip-made; `None` where it is recorded already
    pub made: Option<Vec<u8>>,
    /// the chip
    pub device: DeviceId,
    /// PKCS#10 in DER, signed inside the root of trust
    pub csr: Vec<u8>,
}

/// Which certificate goes to whom, decided before anything is signed.
struct Target {
    row: DeviceRow,
    state: State,
    voucher: Voucher,
    profile: CredentialProfile,
    ca: Arc<CaEntry>,
    /// it renews a certificate of a product in operation: it stays in operation whatever became of its
    /// product line
    operating: bool,
    /// what the device holds and held, newest first
    held: Vec<Held>,
}

/// A certificate that a device is to get.
struct Wanted {
    device: DeviceId,
    row: DeviceRow,
    state: State,
    /// fingerprint of its key
    key: Sha256,
    profile: CredentialProfile,
    principal: OrganisationId,
    order: Order,
    event: audit::SecurityEvent,
    now: UnixTime,
}

impl Service {
    /// A device's first certificate of a kind: by its chip's certificate or a station of its maker
    /// an IDevID, by its IDevID or a code of its owner an LDevID.
    ///
    /// # Errors
    /// The rules' refusals (`enrolment-refused`), `not-vouched`, `key-in-use`, `other-key`,
    /// `channel-binding`, `csr`, `not-found`.
    pub async fn enrol_device(
        &self,
        caller: &Caller,
        request: &EnrolRequest,
        binding: Option<&ChannelBinding<'_>>,
    ) -> Result<Enrolled, ServiceError> {
        let csr = verified_csr(&request.csr)?;
        check_binding(&csr, binding)?;
        let target = self.target(caller, request.label.as_ref(), &csr, Action::EnrolDevice)?;
        let outcome = self.certify(caller, self.enrol_first(caller, target, &csr)).await;
        self.note_refusal(caller, &outcome);
        outcome
    }

    /// Renewal: by the LDevID that is renewed, or within a grace period after its end by the
    /// IDevID.
    ///
    /// # Errors
    /// As [`Self::enrol_device`].
    pub async fn reenrol_device(
        &self,
        caller: &Caller,
        request: &EnrolRequest,
        binding: Option<&ChannelBinding<'_>>,
    ) -> Result<Enrolled, ServiceError> {
        let csr = verified_csr(&request.csr)?;
        check_binding(&csr, binding)?;
        let outcome = self.certify(caller, self.renew(caller, &csr)).await;
        self.note_refusal(caller, &outcome);
        outcome
    }

    /// First enrolment with a key that is made here and handed out once (RFC 7030 section 4.4).
    /// The key in the request only says which kind is wanted.
    ///
    /// # Errors
    /// As [`Self::enrol_device`].
    pub async fn server_keygen(
        &self,
        caller: &Caller,
        request: &EnrolRequest,
        binding: Option<&ChannelBinding<'_>>,
    ) -> Result<(Enrolled, Secret), ServiceError> {
        let csr = verified_csr(&request.csr)?;
        check_binding(&csr, binding)?;
        let target =
            self.target(caller, request.label.as_ref(), &csr, Action::GenerateDeviceKey)?;
        let failed =
            |error: crypto::SignError| ServiceError::refused("key-generation", error.to_string());
        let algorithm = match csr.public_key().algorithm() {
            KeyAlgorithm::Rsa(bits) => KeyAlgorithm::Rsa(bits.clamp(2048, 4096) / 1024 * 1024),
            other => other,
        };
        let key = SoftwareKey::generate(algorithm).map_err(failed)?;
        let refused = |error: pki::csr::CsrError| ServiceError::refused("csr", error.to_string());
        let der =
            CsrBuilder { subject: Subject::from_name(&csr.subject()), ..CsrBuilder::default() }
                .build(&key)
                .map_err(refused)?;
        let own = Csr::parse(&der).and_then(Csr::verify).map_err(refused)?;
        let outcome = self.certify(caller, self.enrol_first(caller, target, &own)).await;
        self.note_refusal(caller, &outcome);
        Ok((outcome?, key.to_pkcs8().map_err(failed)?))
    }

    /// Certificates for a batch of chips, at the pace of a production line. Each chip stands
    /// alone.
    ///
    /// # Errors
    /// `too-many-devices`; else one outcome per chip, as [`Self::enrol_device`] and
    /// [`Self::record_event`].
    pub async fn issue_chip_certificates(
        &self,
        caller: &Caller,
        requests: Vec<ChipRequest>,
    ) -> Result<Vec<Result<Enrolled, ServiceError>>, ServiceError> {
        let limit = self.config.limits.devices_per_call;
        if requests.len() > limit {
            return Err(ServiceError::too_many(
                "too-many-devices",
                format!("at most {limit} chips are taken in one call; send the rest in another"),
            ));
        }
        let made: Vec<Vec<u8>> =
            requests.iter().filter_map(|request| request.made.clone()).collect();
        let mut recorded = self.record_events(caller, made).await?.into_iter();
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter();
        loop {
            let mut some = requests
                .by_ref()
                .take(AT_ONCE)
                .map(|request| {
                    let made = request.made.as_ref().and_then(|_| recorded.next());
                    (request, made.and_then(Result::err))
                })
                .peekable();
            if some.peek().is_none() {
                return Ok(outcomes);
            }
            let groups: Vec<_> = std::iter::from_fn(|| {
                let group: Vec<_> = some.by_ref().take(GROUP).collect();
                (!group.is_empty()).then_some(group)
            })
            .map(|group| self.issue_chips(caller, group))
            .collect();
            outcomes.extend(crate::join::all(groups).await.into_iter().flatten());
        }
    }

    /// When a device should renew its LDevID.
    ///
    /// # Errors
    /// `not-found` where it has none.
    pub async fn renewal_info(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<RenewalWindow, ServiceError> {
        let known = self.device_for(caller, Action::ReadDevice, device)?;
        let newest = self.read(|connection| newest_ldevid(connection, known.row.id))?;
        let newest = found(newest.filter(|row| row.status == Status::Good), "certificate")?;
        Ok(RenewalWindow::of(*device, newest.not_before, newest.not_after))
    }

    /// What a request should contain (RFC 7030 section 4.5): nothing that a client could not know
    /// by itself, so the answer is empty, for every product line. Public.
    ///
    /// # Errors
    /// None; the signature leaves room.
    pub async fn csr_attributes(
        &self,
        _label: Option<&ProductId>,
    ) -> Result<Vec<u8>, ServiceError> {
        Ok(Vec::new())
    }

    /// CA certificates for EST: the roots, then the issuing CAs of the product line, or all of them: the
    /// platform's too, which a client needs whom a server shows its own certificate alone. Public.
    ///
    /// # Errors
    /// `not-found` where no CA has this label.
    pub async fn ca_certificates(
        &self,
        label: Option<&ProductId>,
    ) -> Result<Vec<Certificate>, ServiceError> {
        /// CAs in one answer.
        const MOST: usize = 64;
        let index = self.ca_index()?;
        let mut certificates: Vec<Certificate> = self.anchors()?.iter().cloned().collect();
        let wanted = |ca: &&Arc<CaEntry>| match label {
            Some(label) => ca.slug.rsplit_once('.').is_some_and(|(_, p)| p == label.as_str()),
            None => true,
        };
        let mut cas: Vec<&Arc<CaEntry>> = index.all().filter(wanted).collect();
        if cas.is_empty() && label.is_some() {
            return Err(ServiceError::not_found("product line with a CA"));
        }
        cas.sort_by_key(|ca| ca.id);
        certificates.extend(cas.into_iter().take(MOST).map(|ca| ca.certificate.clone()));
        Ok(certificates)
    }

    fn enrol_first(
        &self,
        caller: &Caller,
        target: Target,
        csr: &Verified<Csr>,
    ) -> Result<Wanted, ServiceError> {
        let module = self.hardware_module(&target.row);
        let id = DeviceId::from_bytes(target.row.device_id);
        let applicant = Applicant {
            device: id,
            serial_number: &target.row.serial_number,
            hardware_module: Some(&module),
            names: &[],
            voucher: target.voucher,
            standing: standing(&target.state),
        };
        let _grant = rules::enroll(&applicant, csr).map_err(|refusal| refused(&refusal))?;
        self.credential_for(caller, target, csr)
    }

    fn renew(&self, caller: &Caller, csr: &Verified<Csr>) -> Result<Wanted, ServiceError> {
        let Caller::Device { device, credential, certificate: shown, .. } = caller else {
            return Err(refused(&rules::Refusal::UseEnroll));
        };
        let voucher = match credential {
            DeviceCredential::Idevid => Voucher::Idevid,
            DeviceCredential::Ldevid => Voucher::Ldevid,
            DeviceCredential::Chip
            | DeviceCredential::TargetToken
            | DeviceCredential::GatewayToken => return Err(refused(&rules::Refusal::UseEnroll)),
        };
        let Known { row, held } = self.read(|connection| Known::read(connection, device))?;
        let known = self.permitted(caller, Action::ReenrolDevice, row)?;
        let (row, state) = known.begun()?;
        let now = self.now();
        let (newest, today) = self.read(|connection| {
            let newest = newest_ldevid(connection, row.id)?;
            let today = certificates::certificates_of(connection, row.id)?
                .iter()
                .filter(|other| other.not_before > now.plus(-86_400))
                .count();
            Ok((newest, u32::try_from(today).unwrap_or(u32::MAX)))
        })?;
        let damaged = |_| ServiceError::fatal("store-damaged", "a certificate is damaged");
        let old = newest
            .as_ref()
            .map(|row| Certificate::from_der(&row.der))
            .transpose()
            .map_err(damaged)?;
        let renewed = old.as_ref().zip(newest.as_ref()).map(|(certificate, row)| Renewed {
            certificate,
            revoked: row.status != Status::Good,
            shown: *shown,
            issued_in_a_day: today,
            grace_seconds: self.config.grace_s,
        });
        let module = self.hardware_module(&row);
        let applicant = Applicant {
            device: *device,
            serial_number: &row.serial_number,
            hardware_module: Some(&module),
            names: &[],
            voucher,
            standing: standing(&state),
        };
        // A former owner's certificates were revoked with the transfer; then it is a first one.
        let renewed = renewed.filter(|renewed| {
            renewed.certificate.organization().as_deref() == Some(state.owner().as_str())
        });
        let _grant = rules::reenroll(&applicant, renewed.as_ref(), csr, now)
            .map_err(|refusal| refused(&refusal))?;
        let ca = self.owner_ca(&state)?;
        let profile = CredentialProfile::Ldevid;
        let operating = renewed.as_ref().is_some_and(|renewed| !is_prototype(renewed.certificate));
        let target = Target { row, state, voucher, profile, ca, operating, held };
        if renewed.is_none() {
            self.vouched(caller, &target)?;
        }
        self.credential_for(caller, target, csr)
    }

    /// Certificates for some chips of a batch; those whose first event was refused get none.
    async fn issue_chips(
        &self,
        caller: &Caller,
        requests: Vec<(ChipRequest, Option<ServiceError>)>,
    ) -> Vec<Result<Enrolled, ServiceError>> {
        // One look at the store for all of them.
        let known = self.read(|connection| {
            let devices = requests.iter().map(|(request, _)| &request.device);
            devices.map(|device| Known::read(connection, device)).collect::<Result<Vec<_>, _>>()
        });
        let known = match known {
            Ok(known) => known,
            Err(error) => return requests.iter().map(|_| Err(error.clone())).collect(),
        };
        let wanted = requests
            .into_iter()
            .zip(known)
            .map(|((request, refused), known)| match refused {
                Some(error) => Err(error),
                None => self.issue_chip(caller, known, &verified_csr(&request.csr)?),
            })
            .collect();
        self.certify_all(caller, wanted).await
    }

    fn issue_chip(
        &self,
        caller: &Caller,
        Known { row, held }: Known,
        csr: &Verified<Csr>,
    ) -> Result<Wanted, ServiceError> {
        let known = self.permitted(caller, Action::IssueChipCertificate, row)?;
        let (row, state) = known.begun()?;
        let ca = self.product_ca(&row)?;
        let (voucher, profile) = (Voucher::Station, CredentialProfile::Chip);
        let operating = false;
        let target = Target { row, state, voucher, profile, ca, operating, held };
        if target.state.kind() != device::DeviceKind::Chip {
            return Err(ServiceError::refused(
                "not-a-chip",
                "chip certificates go to chips; enrol this device for its IDevID",
            ));
        }
        self.enrol_first(caller, target, csr)
    }

    /// Decides which device gets which certificate from which CA.
    fn target(
        &self,
        caller: &Caller,
        label: Option<&ProductId>,
        csr: &Csr,
        action: Action,
    ) -> Result<Target, ServiceError> {
        let (device, voucher) = match caller {
            Caller::Device { device, credential, .. } => match credential {
                DeviceCredential::Idevid => (*device, Voucher::Idevid),
                DeviceCredential::Ldevid => (*device, Voucher::Ldevid),
                DeviceCredential::Chip => (*device, Voucher::Chip),
                // Tokens open updates and nothing else.
                DeviceCredential::TargetToken | DeviceCredential::GatewayToken => {
                    return Err(refused(&rules::Refusal::UseEnroll));
                }
            },
            Caller::Code { subject, .. } => (self.subject_of(subject)?, Voucher::Code),
            Caller::Member { organisation, .. } | Caller::Person { organisation, .. } => {
                let label = label.ok_or_else(|| {
                    ServiceError::refused(
                        "no-label",
                        "a station enrols under the label of the product line",
                    )
                })?;
                let product = self.product_row(organisation, label)?;
                let serial = csr.serial_number_attribute().ok_or_else(|| {
                    ServiceError::refused(
                        "no-serial-number",
                        "a station's request names the device by the serialNumber of its subject",
                    )
                })?;
                let row = self.read(|connection| {
                    devices::device_by_serial(connection, product.id, &serial)
                })?;
                (DeviceId::from_bytes(found(row, "device")?.device_id), Voucher::Station)
            }
            Caller::Anonymous | Caller::Platform { .. } => {
                let _permit = self.authorize(caller, action, &Resource::unknown())?;
                return Err(ServiceError::not_found("device"));
            }
        };
        let Known { row, held } = self.read(|connection| match voucher {
            // The chip speaks for the device that it is a part of.
            Voucher::Chip => Known::read(connection, &host_of(connection, device)?),
            _ => Known::read(connection, &device),
        })?;
        let known = match voucher {
            Voucher::Chip => {
                let row = found(row, "device")?;
                let state = record::state_of(&row)?;
                crate::events::KnownDevice { row, state }
            }
            _ => self.permitted(caller, action, row)?,
        };
        let (row, state) = known.begun()?;
        if let (Some(label), Some(product)) = (label, self.product_of(&row)?)
            && *label != product
        {
            return Err(ServiceError::refused(
                "other-product",
                "the device belongs to another product line; use that one's address",
            ));
        }
        let maker = match caller {
            Caller::Code { organisation, .. } => organisation == state.maker(),
            _ => true,
        };
        let initial = match voucher {
            Voucher::Station => true,
            Voucher::Idevid | Voucher::Ldevid => false,
            Voucher::Chip | Voucher::Code => {
                let idevid = Held { profile: Profile::Idevid as u8, status: Status::Good };
                maker && !held.contains(&idevid)
            }
        };
        let (profile, ca) = if initial {
            (CredentialProfile::Idevid, self.product_ca(&row)?)
        } else {
            (CredentialProfile::Ldevid, self.owner_ca(&state)?)
        };
        let operating = false;
        let target = Target { row, state, voucher, profile, ca, operating, held };
        if !initial {
            self.vouched(caller, &target)?;
        }
        Ok(target)
    }

    /// Who let this device join its owner (EN-4): the owner has onboarded it, released a code, or
    /// bought it by a list. Nobody joins just so.
    fn vouched(&self, caller: &Caller, target: &Target) -> Result<(), ServiceError> {
        let onboarded =
            matches!(target.state.phase(), Phase::Onboarded | Phase::Operation | Phase::Repair);
        let by_code = matches!(caller, Caller::Code { organisation, .. }
            if organisation == target.state.owner());
        let row = &target.row;
        let bought = match row.product {
            Some(product) => self.read(|connection| {
                access::is_purchase(connection, product, &row.serial_number, row.owner)
            })?,
            None => false,
        };
        if onboarded || by_code || bought {
            return Ok(());
        }
        Err(ServiceError::refused(
            "not-vouched",
            "nobody vouches for this device yet: its owner must report it onboarded, release a \
             code for it, or import it with a purchase list",
        ))
    }

    /// The certificate that a device gets, as far as it can be said before anything is written.
    fn credential_for(
        &self,
        caller: &Caller,
        target: Target,
        csr: &Csr,
    ) -> Result<Wanted, ServiceError> {
        let Target { row, state, profile, ca, operating, held, .. } = target;
        let device = DeviceId::from_bytes(row.device_id);
        let now = self.now();
        let initial = profile != CredentialProfile::Ldevid;
        not_suspended(&held, profile)?;
        let principal = if initial { state.maker() } else { state.owner() }.clone();
        let key = csr.public_key().fingerprint();
        if initial && state.key().is_some_and(|made_with| made_with != key) {
            return Err(ServiceError::refused(
                "other-key",
                "the request is for another key than the one the device was made with",
            ));
        }
        // Security by design is checked before operation (AS-6): until then it is a prototype.
        let prototype = !operating && self.is_prototype(row.product)?;
        let (pki_profile, not_after) = match profile {
            CredentialProfile::Chip => (Profile::Chip, UnixTime::NEVER),
            CredentialProfile::Idevid => (Profile::Idevid, UnixTime::NEVER),
            CredentialProfile::Ldevid => (Profile::Ldevid, now.plus(self.ldevid_validity(&row)?)),
        };
        let not_after = match prototype {
            true => not_after.min(now.plus(PROTOTYPE_S)),
            false => not_after,
        };
        let mud = match pki_profile {
            Profile::Idevid => self.mud_in_idevids(row.product)?,
            _ => None,
        };
        let order = Order {
            ca,
            profile: pki_profile,
            subject: Subject {
                organisation: principal.to_string(),
                organisational_unit: if prototype { PROTOTYPE } else { "" }.to_owned(),
                serial_number: row.serial_number.clone(),
                ..Subject::named(device.to_string())
            },
            public_key: csr.public_key().clone(),
            not_after,
            alternative_names: Vec::new(),
            hardware_module: initial.then(|| self.hardware_module(&row)),
            mud,
            organisation: if initial { row.maker } else { row.owner },
            device: Some(row.id),
        };
        let event = self
            .event(caller, audit::Kind::Enrolment, audit::Outcome::Success)
            .subject(&device.to_string())
            .detail("profile", profile.name());
        let event = if prototype { event.detail("prototype", "yes") } else { event };
        Ok(Wanted { device, row, state, key, profile, principal, order, event, now })
    }

    async fn certify(
        &self,
        caller: &Caller,
        wanted: Result<Wanted, ServiceError>,
    ) -> Result<Enrolled, ServiceError> {
        let outcomes = self.certify_all(caller, vec![wanted]).await;
        outcomes.into_iter().next().unwrap_or_else(|| Err(ServiceError::stopped()))
    }

    /// Issues what is wanted, with the life event and everything else in the same commits.
    async fn certify_all(
        &self,
        caller: &Caller,
        wanted: Vec<Result<Wanted, ServiceError>>,
    ) -> Vec<Result<Enrolled, ServiceError>> {
        let code = matches!(caller, Caller::Code { .. });
        // A code is used up before the history can still refuse.
        let guard = if code { Guard::Savepoint } else { Guard::Checked };
        let by: Arc<str> = caller.to_string().into();
        let whose: Vec<_> = wanted
            .iter()
            .map(|wanted| wanted.as_ref().ok().map(|w| (w.device, w.order.ca.chain())))
            .collect();
        let issues = wanted
            .into_iter()
            .map(|wanted| wanted.map(|wanted| self.to_issue(wanted, &by, code)))
            .collect();
        let outcomes = self.issue_all(caller, guard, issues).await;
        let enrolled = whose.into_iter().zip(outcomes).map(|(whose, outcome)| {
            let (certificate, recorded) = outcome?;
            let (device, chain) = whose.ok_or_else(ServiceError::stopped)?;
            Ok(Enrolled { device, certificate, chain, recorded })
        });
        enrolled.collect()
    }

    #[expect(clippy::type_complexity, reason = "three steps, each with what it takes and gives")]
    fn to_issue(
        &self,
        wanted: Wanted,
        by: &Arc<str>,
        code: bool,
    ) -> Issue<
        impl FnOnce(&mut Tx<'_>) -> Result<(DeviceRow, State), ServiceError> + Send + use<>,
        impl FnOnce(&Certificate, (DeviceRow, State)) -> Result<record::Next, ServiceError> + use<>,
        impl FnOnce(&mut Tx<'_>, &Certificate, record::Next) -> Result<Recorded, ServiceError>
        + Send
        + use<>,
    > {
        let Wanted { device, row, state, key, profile, principal, order, event, now } = wanted;
        let (id, owner) = (row.id, row.owner);
        let credential = move |certificate: &Certificate| {
            EventKind::CredentialIssued(Credential {
                certificate: certificate.fingerprint(),
                key,
                profile,
                organisation: principal.clone(),
                not_after: certificate.not_after(),
            })
        };
        let kind = credential.clone();
        let (platform, by) = (Arc::clone(&self.platform), Arc::clone(by));
        let (signer, actor) = (Arc::clone(&platform), Arc::clone(&by));
        Issue {
            order,
            event,
            check: move |tx: &mut Tx<'_>| ready(tx, row, state, &key),
            between: move |certificate: &Certificate, (row, state): (DeviceRow, State)| {
                let said = record::Said::by(Some(&actor));
                record::Next::sign(&signer, row, state, &kind(certificate), said, now)
            },
            done: move |tx: &mut Tx<'_>, certificate: &Certificate, next: record::Next| {
                let place = found(devices::place(tx, id)?, "device")?;
                if place.owner != owner {
                    return Err(sold());
                }
                if code {
                    use_code(tx, &device, now)?;
                }
                let applied = if place.ends_with(&next.follows()) {
                    next.apply(tx, &platform, now)?
                } else {
                    // Something else happened meanwhile: the event takes its place after it.
                    let kind = credential(certificate);
                    record::apply_platform(tx, &platform, &device, &kind, Some(&by), now)?
                };
                if profile == CredentialProfile::Ldevid {
                    // Whoever is here by the key of the former one has to go. Whether there is one is not known
                    // before the transaction: two may be asked for at once.
                    tx.effect(Effect::Recertified(id));
                }
                Ok(applied.recorded)
            },
        }
    }

    fn note_refusal<T>(&self, caller: &Caller, outcome: &Result<T, ServiceError>) {
        if let Err(error) = outcome {
            let mut event = self
                .event(caller, audit::Kind::Enrolment, audit::Outcome::Failure)
                .detail("reason", error.code());
            if let Caller::Device { device, .. } = caller {
                event = event.subject(&device.to_string());
            }
            self.note(event);
        }
    }

    fn product_ca(&self, row: &DeviceRow) -> Result<Arc<CaEntry>, ServiceError> {
        let product = row.product;
        let index = self.ca_index()?;
        let ca = index
            .all()
            .find(|ca| ca.kind == CaKind::Device && product.is_some() && ca.product == product)
            .cloned();
        ca.ok_or_else(|| {
            ServiceError::refused("no-ca", "the product line has no CA yet; its maker requests one")
        })
    }

    fn owner_ca(&self, state: &State) -> Result<Arc<CaEntry>, ServiceError> {
        self.ca_index()?.by_slug(state.owner().as_str()).cloned().ok_or_else(|| {
            ServiceError::refused("no-ca", "the device's owner has no CA yet; it requests one")
        })
    }

    fn ldevid_validity(&self, row: &DeviceRow) -> Result<i64, ServiceError> {
        let product = self.product_row_of(row)?;
        let own = product.and_then(|product| product.ldevid_s);
        Ok(own.map_or(self.config.ldevid_validity_s, i64::from))
    }

    fn hardware_module(&self, row: &DeviceRow) -> HardwareModuleName {
        HardwareModuleName {
            hw_type: self.config.hardware_type,
            hw_serial_num: row.device_id.to_vec(),
        }
    }
}

/// Whether a certificate is marked as that of a prototype.
fn is_prototype(certificate: &Certificate) -> bool {
    Subject::from_name(&certificate.subject()).organisational_unit == PROTOTYPE
}

/// What one look at the store tells of a device that wants a certificate.
struct Known {
    row: Option<DeviceRow>,
    held: Vec<Held>,
}

impl Known {
    fn read(connection: &rusqlite::Connection, device: &DeviceId) -> Result<Self, ServiceError> {
        let row = devices::device(connection, device.as_bytes())?;
        let held = match &row {
            Some(row) => certificates::held_by(connection, row.id)?,
            None => Vec::new(),
        };
        Ok(Self { row, held })
    }
}

/// The device that a chip is a part of; the chip itself where it is in none.
fn host_of(connection: &rusqlite::Connection, chip: DeviceId) -> Result<DeviceId, ServiceError> {
    let mut hosts = devices::wholes_of(connection, chip.as_bytes())?;
    match (hosts.pop(), hosts.is_empty()) {
        (None, _) => Ok(chip),
        (Some((_, host)), true) => Ok(DeviceId::from_bytes(host)),
        (Some(_), false) => Err(ServiceError::refused(
            "part-duplicated",
            "the chip is on record in several devices; that must be cleared up first",
        )),
    }
}

/// A certificate that is suspended is not walked around by getting another one. An intent that came
/// to nothing does not hide it: it is not held.
fn not_suspended(held: &[Held], profile: CredentialProfile) -> Result<(), ServiceError> {
    let newest =
        held.iter().find(|held| crate::verdict::credential_profile(held.profile) == Some(profile));
    match newest {
        Some(held) if held.status == Status::Suspended => Err(ServiceError::refused(
            "certificate-suspended",
            "the device's certificate is suspended; release or revoke it first",
        )),
        _ => Ok(()),
    }
}

/// Checks within the transaction of the intent that nothing has changed since the decision, and
/// that the key is nobody else's (invariant 10).
fn ready(
    tx: &Tx<'_>,
    mut row: DeviceRow,
    mut state: State,
    key: &Sha256,
) -> Result<(DeviceRow, State), ServiceError> {
    let place = found(devices::place(tx, row.id)?, "device")?;
    if row.owner != place.owner {
        return Err(sold());
    }
    if !place.ends_with(&state.head()) {
        row = found(devices::device_by_row(tx, row.id)?, "device")?;
        state = record::state_of(&row)?.ok_or_else(record::not_begun)?;
    }
    for holder in certificates::holders_of_key(tx, key)? {
        if holder == row.id {
            continue;
        }
        let Some(other) = devices::device_by_row(tx, holder)? else { return Err(key_in_use()) };
        let part_of = |part: &[u8; 16], whole: i64| {
            devices::wholes_of(tx, part).map(|wholes| wholes.iter().any(|(row, _)| *row == whole))
        };
        // A device may use the key of its own chip.
        if !part_of(&other.device_id, row.id)? && !part_of(&row.device_id, other.id)? {
            return Err(key_in_use());
        }
    }
    Ok((row, state))
}

fn use_code(tx: &Tx<'_>, device: &DeviceId, now: UnixTime) -> Result<(), ServiceError> {
    let row = found(devices::device(tx, device.as_bytes())?, "device")?;
    match access::code(tx, row.id, *device)? {
        Some(mut code) if code.is_open(now) => {
            code.used_at = Some(now);
            access::set_code(tx, row.id, &code)
        }
        _ => Err(ServiceError::conflict(
            "code-used",
            "the code was used or withdrawn meanwhile; ask for a new one",
        )),
    }
}

fn newest_ldevid(
    connection: &rusqlite::Connection,
    device: i64,
) -> Result<Option<CertificateRow>, ServiceError> {
    Ok(certificates::certificates_of(connection, device)?.into_iter().find(|row| {
        row.profile == Profile::Ldevid as u8
            && matches!(row.status, Status::Good | Status::Suspended | Status::Revoked)
    }))
}

fn sold() -> ServiceError {
    ServiceError::conflict(
        "owner-changed",
        "the device changed hands meanwhile; its new owner lets it enrol",
    )
}

fn standing(state: &State) -> rules::Standing {
    let ended = matches!(state.phase(), Phase::Retired | Phase::Disposed);
    match state.standing().kind() {
        StandingKind::Revoked => rules::Standing::Ended,
        _ if ended => rules::Standing::Ended,
        StandingKind::Suspended => rules::Standing::Suspended,
        StandingKind::Good => rules::Standing::Active,
    }
}

fn refused(refusal: &rules::Refusal) -> ServiceError {
    ServiceError::refused("enrolment-refused", refusal.to_string())
}

fn check_binding(csr: &Csr, binding: Option<&ChannelBinding<'_>>) -> Result<(), ServiceError> {
    let Some(binding) = binding else { return Ok(()) };
    binding
        .check(csr.challenge_password(), false)
        .map(|_| ())
        .map_err(|error| ServiceError::refused("channel-binding", error.to_string()))
}
