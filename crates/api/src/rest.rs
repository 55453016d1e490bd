//! The typed client of the REST interface: a method for each operation (docs/rest.md).

mod campaigns;
mod commands;
mod diagnosis;
mod director;
mod impact;
mod message_key;
mod mud;
mod operation;
mod peer_trust;
mod policy_set;
mod purpose;
mod release;
mod schema;
mod threat;
mod vulnerabilities;

use crate::{
    client::{Call, Client, ClientError, percent_encode},
    wire::{self, Outcomes, Page, PageQuery},
};
use crypto::{Sha256, UnixTime};
use device::{Cause, DeviceId, ManagementNumber, OrganisationId, ProductId};
use http::Method;
use pki::{Certificate, Serial};
use serde::{Serialize, de::DeserializeOwned};
use wire::scalar::{Base64, CauseName, CertificatePem, Timestamp};

type Result<T> = std::result::Result<T, ClientError>;

/// The REST interface of one server. Every method answers with [`ClientError`] where the server
/// refuses, cannot be reached, or breaks its promise.
#[derive(Debug, Clone)]
pub struct Rest {
    client: Client,
}

impl Rest {
    /// The interface over `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client underneath, for what has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.client.call(Call::get(path)).await?.json()
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.client.call(Call::new(method, path).json(body)?).await?.json()
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.send(Method::POST, path, body).await
    }

    /// A call whose answer has no body.
    async fn act(&self, call: Call) -> Result<()> {
        self.client.call(call).await.map(drop)
    }

    /// Roots, log key, witness keys.
    pub async fn trust(&self) -> Result<wire::TrustBundle> {
        self.get("/v1/trust").await
    }

    /// The key that the server shows in place of a certificate.
    pub async fn server_key(&self) -> Result<wire::ServerKey> {
        self.get("/v1/server-key").await
    }

    /// Puts another key in its place, from the next handshake on.
    pub async fn rotate_server_key(&self) -> Result<wire::ServerKey> {
        self.client.call(Call::new(Method::POST, "/v1/server-key/rotations")).await?.json()
    }

    /// Whether the platform works; also where it says that it does not.
    pub async fn health(&self) -> Result<wire::Health> {
        let answer = self.client.send(Call::get("/v1/health")).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| ClientError::Malformed(error.to_string()))
    }

    /// Counters, in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String> {
        let answer = self.client.call(Call::get("/v1/metrics")).await?;
        String::from_utf8(answer.body.to_vec())
            .map_err(|error| ClientError::Malformed(error.to_string()))
    }

    /// Who this client is to the server.
    pub async fn whoami(&self) -> Result<wire::WhoAmI> {
        self.get("/v1/whoami").await
    }

    /// Organisations.
    pub async fn organisations(&self, page: &PageQuery) -> Result<Page<wire::Organisation>> {
        self.get(&query("/v1/organisations", &of_page(page))).await
    }

    /// A new organisation.
    pub async fn create_organisation(
        &self,
        new: &wire::NewOrganisation,
    ) -> Result<wire::Organisation> {
        self.post("/v1/organisations", new).await
    }

    /// One organisation.
    pub async fn organisation(&self, id: &OrganisationId) -> Result<wire::Organisation> {
        self.get(&format!("/v1/organisations/{id}")).await
    }

    /// Confirms an authority that another administrator of the platform registered.
    pub async fn confirm_authority(&self, id: &OrganisationId) -> Result<wire::Organisation> {
        let path = format!("/v1/organisations/{id}/confirmation");
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// Suspends an organisation, or resumes it; only the platform's administrators.
    pub async fn suspend_organisation(
        &self,
        id: &OrganisationId,
        suspend: bool,
        why: &wire::OrganisationReason,
    ) -> Result<wire::Organisation> {
        let what = if suspend { "suspend" } else { "resume" };
        self.post(&format!("/v1/organisations/{id}/{what}"), why).await
    }

    /// Changes what an organisation is called.
    pub async fn rename_organisation(
        &self,
        id: &OrganisationId,
        name: &wire::OrganisationName,
    ) -> Result<wire::Organisation> {
        self.send(Method::PUT, &format!("/v1/organisations/{id}/name"), name).await
    }

    /// Members of an organisation.
    pub async fn members(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Member>> {
        self.get(&query(&format!("/v1/organisations/{id}/members"), &of_page(page))).await
    }

    /// A new member.
    pub async fn add_member(
        &self,
        id: &OrganisationId,
        new: &wire::NewMember,
    ) -> Result<wire::Member> {
        self.post(&format!("/v1/organisations/{id}/members"), new).await
    }

    /// Ends a membership.
    pub async fn remove_member(&self, id: &OrganisationId, fingerprint: &Sha256) -> Result<()> {
        let path = format!("/v1/organisations/{id}/members/{fingerprint}");
        self.act(Call::new(Method::DELETE, path)).await
    }

    /// Keys that sign life events.
    pub async fn signers(&self, id: &OrganisationId) -> Result<Vec<wire::EventSigner>> {
        self.get(&format!("/v1/organisations/{id}/signers")).await
    }

    /// A new key that signs life events.
    pub async fn register_signer(
        &self,
        id: &OrganisationId,
        new: &wire::NewEventSigner,
    ) -> Result<wire::EventSigner> {
        self.post(&format!("/v1/organisations/{id}/signers"), new).await
    }

    /// Retires a key that signs life events.
    pub async fn retire_signer(&self, id: &OrganisationId, key: &Sha256) -> Result<()> {
        let path = format!("/v1/organisations/{id}/signers/{key}");
        self.act(Call::new(Method::DELETE, path)).await
    }

    /// Certification authorities of an organisation.
    pub async fn authorities(&self, id: &OrganisationId) -> Result<Vec<wire::Authority>> {
        self.get(&format!("/v1/organisations/{id}/authorities")).await
    }

    /// A new certification authority: the request for the root's ceremony.
    pub async fn request_authority(
        &self,
        id: &OrganisationId,
        new: &wire::NewAuthority,
    ) -> Result<wire::AuthorityRequest> {
        self.post(&format!("/v1/organisations/{id}/authorities"), new).await
    }

    /// One certification authority.
    pub async fn authority(&self, id: &str) -> Result<wire::Authority> {
        self.get(&format!("/v1/authorities/{}", percent_encode(id))).await
    }

    /// The request of an authority that waits for the ceremony.
    pub async fn authority_request(&self, id: &str) -> Result<wire::AuthorityRequest> {
        self.get(&format!("/v1/authorities/{}/request", percent_encode(id))).await
    }

    /// Whether an organisation has its first administrator.
    pub async fn first_administrator(
        &self,
        id: &OrganisationId,
    ) -> Result<wire::FirstAdministrator> {
        self.get(&format!("/v1/organisations/{id}/first-administrator")).await
    }

    /// A device's life, newest first.
    pub async fn timeline(
        &self,
        id: &DeviceId,
        page: &PageQuery,
    ) -> Result<Page<wire::TimelineEvent>> {
        self.get(&query(&format!("/v1/devices/{id}/timeline"), &of_page(page))).await
    }

    /// Who owned a device, oldest first.
    pub async fn owners(&self, id: &DeviceId) -> Result<Vec<wire::OwnerSince>> {
        self.get(&format!("/v1/devices/{id}/owners")).await
    }

    /// Where a device stands, as its history says.
    pub async fn device_state(&self, id: &DeviceId) -> Result<wire::DeviceState> {
        self.get(&format!("/v1/devices/{id}/state")).await
    }

    /// Brings a certification authority's certificate back from the ceremony.
    pub async fn install_authority(&self, certificate: &Certificate) -> Result<wire::Authority> {
        self.post("/v1/authorities/certificates", &upload(certificate)).await
    }

    /// Trusts a root.
    pub async fn import_root(&self, certificate: &Certificate) -> Result<()> {
        self.act(Call::new(Method::POST, "/v1/roots").json(&upload(certificate))?).await
    }

    /// Product lines of an organisation.
    pub async fn products(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Product>> {
        self.get(&query(&format!("/v1/organisations/{id}/products"), &of_page(page))).await
    }

    /// A new product line.
    pub async fn create_product(
        &self,
        id: &OrganisationId,
        new: &wire::NewProduct,
    ) -> Result<wire::Product> {
        self.post(&format!("/v1/organisations/{id}/products"), new).await
    }

    /// One product line.
    pub async fn product(&self, id: &OrganisationId, product: &ProductId) -> Result<wire::Product> {
        self.get(&format!("/v1/organisations/{id}/products/{product}")).await
    }

    /// What buyers are told of a product line.
    pub async fn product_public(
        &self,
        id: &OrganisationId,
        product: &ProductId,
    ) -> Result<wire::ProductPublic> {
        self.get(&format!("/v1/organisations/{id}/products/{product}/public")).await
    }

    /// Changes what buyers are told of a product line.
    pub async fn change_product(
        &self,
        id: &OrganisationId,
        product: &ProductId,
        change: &wire::ProductChange,
    ) -> Result<wire::ProductPublic> {
        let path = format!("/v1/organisations/{id}/products/{product}/public");
        self.send(Method::PATCH, &path, change).await
    }

    /// Sheets of labels: a PDF or an SVG.
    pub async fn label_sheets(&self, wanted: &wire::LabelSheets) -> Result<Vec<u8>> {
        let call = Call::new(Method::POST, "/v1/label-sheets").json(wanted)?;
        Ok(self.client.call(call).await?.body.to_vec())
    }

    /// What look-ups of a device's number add up to.
    pub async fn scans(&self, device: &DeviceId) -> Result<wire::Scans> {
        self.get(&format!("/v1/devices/{device}/scans")).await
    }

    /// Devices of an organisation whose look-ups need attention.
    pub async fn scan_alarms(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::ScanAlarm>> {
        self.get(&query(&format!("/v1/organisations/{id}/scan-alarms"), &of_page(page))).await
    }

    /// Chip certificates for a batch from the line.
    pub async fn issue_chips(&self, batch: &wire::ChipBatch) -> Result<Outcomes<wire::Enrolled>> {
        self.post("/v1/chips", batch).await
    }

    /// Devices.
    pub async fn devices(&self, which: &wire::DeviceQuery) -> Result<Page<wire::Device>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("organisation", which.organisation.as_deref()),
            ("relation", which.relation.map(wire::Relation::name)),
            ("product", which.product.as_deref()),
            ("maker", which.maker.as_deref()),
            ("phase", which.phase.as_deref()),
            ("standing", which.standing.as_deref()),
            ("serial", which.serial.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query("/v1/devices", &parameters)).await
    }

    /// Registers devices.
    pub async fn register_devices(&self, new: &wire::NewDevices) -> Result<Outcomes<wire::Device>> {
        self.post("/v1/devices", new).await
    }

    /// One device.
    pub async fn device(&self, id: &DeviceId) -> Result<wire::Device> {
        self.get(&format!("/v1/devices/{id}")).await
    }

    /// The device of a management number.
    pub async fn device_by_number(&self, number: &ManagementNumber) -> Result<wire::PublicDevice> {
        self.get(&format!("/v1/management-numbers/{number}")).await
    }

    /// Releases one-time codes.
    pub async fn release_codes(
        &self,
        wanted: &wire::CodesWanted,
    ) -> Result<Outcomes<wire::ReleasedCode>> {
        self.post("/v1/enrolment-codes", wanted).await
    }

    /// Sends a purchase list.
    pub async fn purchase(&self, list: &wire::PurchaseList) -> Result<Outcomes<wire::Purchase>> {
        self.post("/v1/purchase-lists", list).await
    }

    /// When the device should renew.
    pub async fn renewal(&self, id: &DeviceId) -> Result<wire::RenewalInfo> {
        self.get(&format!("/v1/devices/{id}/renewal")).await
    }

    /// Suspends a device.
    pub async fn suspend_device(&self, id: &DeviceId, cause: Cause) -> Result<wire::Recorded> {
        self.post(&format!("/v1/devices/{id}/suspend"), &given(cause)).await
    }

    /// Ends a suspension.
    pub async fn release_device(&self, id: &DeviceId) -> Result<wire::Recorded> {
        let path = format!("/v1/devices/{id}/release");
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// Revokes a device, for ever.
    pub async fn revoke_device(&self, id: &DeviceId, cause: Cause) -> Result<wire::Recorded> {
        self.post(&format!("/v1/devices/{id}/revoke"), &given(cause)).await
    }

    /// With whom the device is shared.
    pub async fn shares(&self, id: &DeviceId) -> Result<Vec<wire::Share>> {
        self.get(&format!("/v1/devices/{id}/shares")).await
    }

    /// Shares the device.
    pub async fn share(
        &self,
        id: &DeviceId,
        with: &OrganisationId,
        until: Option<UnixTime>,
    ) -> Result<()> {
        let terms = wire::ShareTerms { until: until.map(Timestamp) };
        let path = format!("/v1/devices/{id}/shares/{with}");
        self.act(Call::new(Method::PUT, path).json(&terms)?).await
    }

    /// Ends a share.
    pub async fn end_share(&self, id: &DeviceId, with: &OrganisationId) -> Result<()> {
        let path = format!("/v1/devices/{id}/shares/{with}");
        self.act(Call::new(Method::DELETE, path)).await
    }

    /// A challenge for the device.
    pub async fn challenge(&self, id: &DeviceId) -> Result<wire::Challenge> {
        let path = format!("/v1/devices/{id}/challenges");
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// The verdict.
    pub async fn verify(
        &self,
        id: &DeviceId,
        question: &wire::VerificationRequest,
    ) -> Result<wire::Verdict> {
        self.post(&format!("/v1/devices/{id}/verifications"), question).await
    }

    /// The passport file.
    pub async fn passport(&self, id: &DeviceId) -> Result<Vec<u8>> {
        let answer = self.client.call(Call::get(format!("/v1/devices/{id}/passport"))).await?;
        Ok(answer.body.to_vec())
    }

    /// The passport as a page to be printed, in a language of its own.
    pub async fn device_report(
        &self,
        id: &DeviceId,
        language: wire::ReportLanguage,
    ) -> Result<String> {
        let path = format!("/v1/devices/{id}/report?lang={}", language.name());
        let answer = self.client.call(Call::get(path)).await?;
        String::from_utf8(answer.body.to_vec())
            .map_err(|error| ClientError::Malformed(error.to_string()))
    }

    /// Erases contents of a history.
    pub async fn erase(&self, id: &DeviceId, what: &wire::Erasure) -> Result<wire::Recorded> {
        self.post(&format!("/v1/devices/{id}/erasures"), what).await
    }

    /// Begins the job that erases a person's traces in events that the organisation reported.
    pub async fn erase_person(
        &self,
        id: &OrganisationId,
        who: &wire::PersonErasure,
    ) -> Result<wire::Job> {
        self.post(&format!("/v1/organisations/{id}/erasures"), who).await
    }

    /// The history of a device.
    pub async fn history(
        &self,
        id: &DeviceId,
        which: &wire::HistoryQuery,
    ) -> Result<Page<wire::HistoryEvent>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let proofs = which.proofs.map(|proofs| proofs.to_string());
        let parameters = [
            ("proofs", proofs.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&format!("/v1/devices/{id}/events"), &parameters)).await
    }

    /// What the device's next event must chain to.
    pub async fn head(&self, id: &DeviceId) -> Result<wire::Head> {
        self.get(&format!("/v1/devices/{id}/head")).await
    }

    /// Records a life event: a COSE_Sign1 message.
    pub async fn record(&self, cose: &[u8]) -> Result<wire::Recorded> {
        let call = Call::post("/v1/events", "application/cose", cose.to_vec());
        self.client.call(call).await?.json()
    }

    /// Records many life events.
    pub async fn record_many(&self, events: &[Vec<u8>]) -> Result<Outcomes<wire::Recorded>> {
        let call = Call::post("/v1/events/batch", "application/cbor-seq", events.concat());
        self.client.call(call).await?.json()
    }

    /// Certificates.
    pub async fn certificates(
        &self,
        which: &wire::CertificateQuery,
    ) -> Result<Page<wire::CertificateView>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let status = which.status.map(wire::CertificateStatus::name);
        let parameters = [
            ("organisation", which.organisation.as_deref()),
            ("device", which.device.as_deref()),
            ("status", status),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query("/v1/certificates", &parameters)).await
    }

    /// One certificate.
    pub async fn certificate(
        &self,
        authority: &str,
        serial: &Serial,
    ) -> Result<wire::CertificateView> {
        self.get(&certificate_path(authority, serial)).await
    }

    /// Revokes a certificate, for ever.
    pub async fn revoke_certificate(
        &self,
        authority: &str,
        serial: &Serial,
        reason: wire::RevocationReason,
    ) -> Result<wire::CertificateView> {
        let path = format!("{}/revoke", certificate_path(authority, serial));
        self.post(&path, &wire::ReasonGiven { reason }).await
    }

    /// Suspends a certificate.
    pub async fn suspend_certificate(
        &self,
        authority: &str,
        serial: &Serial,
    ) -> Result<wire::CertificateView> {
        let path = format!("{}/suspend", certificate_path(authority, serial));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// Ends a certificate's suspension.
    pub async fn release_certificate(
        &self,
        authority: &str,
        serial: &Serial,
    ) -> Result<wire::CertificateView> {
        let path = format!("{}/release", certificate_path(authority, serial));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// A certificate for a server, gateway or application.
    pub async fn service_certificate(
        &self,
        request: &wire::ServiceCertificateRequest,
    ) -> Result<wire::Chain> {
        self.post("/v1/service-certificates", request).await
    }

    /// Proof that an entry is in the log.
    pub async fn inclusion(&self, leaf: u64) -> Result<wire::InclusionProof> {
        self.get(&format!("/v1/log/inclusion/{leaf}")).await
    }

    /// Proof that the log only grew.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<wire::ConsistencyProof> {
        self.get(&format!("/v1/log/consistency?old={old}&new={new}")).await
    }

    /// Waits until everything recorded before is in a published checkpoint; the size of its tree.
    pub async fn integrate(&self) -> Result<u64> {
        let call = Call::new(Method::POST, "/v1/log/integration");
        let integrated: wire::Integrated = self.client.call(call).await?.json()?;
        Ok(integrated.tree_size)
    }

    /// Audits the whole log against the store.
    pub async fn check_log(&self) -> Result<wire::LogCheck> {
        self.client.call(Call::new(Method::POST, "/v1/log/check")).await?.json()
    }

    /// The latest checkpoint, signed.
    pub async fn checkpoint(&self) -> Result<Vec<u8>> {
        Ok(self.client.call(Call::get("/log/checkpoint")).await?.body.to_vec())
    }

    /// People of an organisation.
    pub async fn people(
        &self,
        organisation: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Person>> {
        let path = format!("/v1/organisations/{organisation}/people");
        self.get(&query(&path, &of_page(page))).await
    }

    /// Invites a person.
    pub async fn invite_person(
        &self,
        organisation: &OrganisationId,
        new: &wire::NewPerson,
    ) -> Result<wire::Invitation> {
        self.post(&format!("/v1/organisations/{organisation}/people"), new).await
    }

    /// Changes what a person may do.
    pub async fn change_roles(
        &self,
        organisation: &OrganisationId,
        handle: &str,
        new: &wire::NewRoles,
    ) -> Result<wire::Person> {
        let handle = percent_encode(handle);
        let path = format!("/v1/organisations/{organisation}/people/{handle}/roles");
        self.send(Method::PUT, &path, new).await
    }

    /// Removes a person.
    pub async fn remove_person(&self, organisation: &OrganisationId, handle: &str) -> Result<()> {
        let handle = percent_encode(handle);
        let path = format!("/v1/organisations/{organisation}/people/{handle}");
        self.act(Call::new(Method::DELETE, path)).await
    }

    /// Requests of an organisation for a second person.
    pub async fn approvals(
        &self,
        organisation: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Approval>> {
        let path = format!("/v1/organisations/{organisation}/approvals");
        self.get(&query(&path, &of_page(page))).await
    }

    /// Approves another's request.
    pub async fn approve(&self, id: &str) -> Result<wire::Approval> {
        let path = format!("/v1/approvals/{}/approve", percent_encode(id));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// Says no to another's request.
    pub async fn reject(&self, id: &str) -> Result<wire::Approval> {
        let path = format!("/v1/approvals/{}/reject", percent_encode(id));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// What going on with one's own approved request would bring about now.
    pub async fn preview_continuation(&self, id: &str) -> Result<wire::ContinuationPreview> {
        self.get(&format!("/v1/approvals/{}/continuation", percent_encode(id))).await
    }

    /// Goes on with one's own approved request, once.
    pub async fn continue_request(&self, id: &str) -> Result<wire::Continued> {
        let path = format!("/v1/approvals/{}/continuation", percent_encode(id));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// A token, bound to this client's certificate.
    pub async fn issue_token(&self, new: &wire::NewToken) -> Result<wire::IssuedToken> {
        self.post("/v1/tokens", new).await
    }

    /// Tokens of an organisation that work.
    pub async fn tokens(&self, id: &OrganisationId, page: &PageQuery) -> Result<Page<wire::Token>> {
        self.get(&query(&format!("/v1/organisations/{id}/tokens"), &of_page(page))).await
    }

    /// Replaces a key with which the platform signs.
    pub async fn rotate_key(&self, which: &wire::KeyRotation) -> Result<wire::RotatedKey> {
        self.post("/v1/keys/rotations", which).await
    }

    /// How devices of an organisation come through the hawkBit DDI door.
    pub async fn update_door(&self, id: &OrganisationId) -> Result<wire::UpdateDoor> {
        self.get(&format!("/v1/organisations/{id}/update-door")).await
    }

    /// Sets how devices of an organisation come through the hawkBit DDI door.
    pub async fn set_update_door(
        &self,
        id: &OrganisationId,
        door: &wire::UpdateDoor,
    ) -> Result<()> {
        let call = Call::new(Method::PUT, format!("/v1/organisations/{id}/update-door"));
        self.act(call.json(door)?).await
    }

    /// Makes a token for one device.
    pub async fn issue_target_token(
        &self,
        id: &DeviceId,
        new: &wire::NewTargetToken,
    ) -> Result<wire::IssuedUpdateToken> {
        self.post(&format!("/v1/devices/{id}/update-tokens"), new).await
    }

    /// Makes a token for a gateway.
    pub async fn issue_gateway_token(
        &self,
        id: &OrganisationId,
        new: &wire::NewGatewayToken,
    ) -> Result<wire::IssuedUpdateToken> {
        self.post(&format!("/v1/organisations/{id}/update-tokens"), new).await
    }

    /// Tokens of an organisation's devices that have not ended.
    pub async fn update_tokens(
        &self,
        id: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::UpdateToken>> {
        self.get(&query(&format!("/v1/organisations/{id}/update-tokens"), &of_page(page))).await
    }

    /// Ends a device's or a gateway's token.
    pub async fn revoke_update_token(&self, id: &Sha256) -> Result<()> {
        self.act(Call::new(Method::DELETE, format!("/v1/update-tokens/{id}"))).await
    }

    /// Ends a token.
    pub async fn revoke_token(&self, id: &Sha256) -> Result<()> {
        self.act(Call::new(Method::DELETE, format!("/v1/tokens/{id}"))).await
    }

    /// Security events.
    pub async fn audit(&self, which: &wire::AuditQuery) -> Result<Page<wire::AuditEvent>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("organisation", which.organisation.as_deref()),
            ("kind", which.kind.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query("/v1/audit/events", &parameters)).await
    }

    /// Security events, newest first.
    pub async fn audit_trail(
        &self,
        which: &wire::AuditTrailQuery,
    ) -> Result<Page<wire::AuditEvent>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("organisation", which.organisation.as_deref()),
            ("kind", which.kind.as_deref()),
            ("from", which.from.as_deref()),
            ("until", which.until.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query("/v1/audit", &parameters)).await
    }

    /// Checks that no security event was changed or removed.
    pub async fn check_audit(&self) -> Result<wire::AuditCheck> {
        self.client.call(Call::new(Method::POST, "/v1/audit/check")).await?.json()
    }

    /// Uses of the platform's keys.
    pub async fn key_uses(&self, page: &PageQuery) -> Result<Page<wire::KeyUse>> {
        self.get(&query("/v1/keys/uses", &of_page(page))).await
    }

    /// Accounts of the platform's keys.
    pub async fn key_accounts(&self, page: &PageQuery) -> Result<Page<wire::KeyAccount>> {
        self.get(&query("/v1/keys", &of_page(page))).await
    }

    /// Keys that break the policy within so many days.
    pub async fn key_policy(&self, days: u32) -> Result<Vec<wire::KeyNotice>> {
        self.get(&format!("/v1/reports/key-policy?days={days}")).await
    }

    /// Certificates that expire soon.
    pub async fn expiry(&self, which: &wire::ExpiryQuery) -> Result<Page<wire::CertificateView>> {
        let days = which.days.map(|days| days.to_string());
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("organisation", which.organisation.as_deref()),
            ("days", days.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query("/v1/reports/expiry", &parameters)).await
    }

    /// Counts.
    pub async fn statistics(&self) -> Result<wire::Statistics> {
        self.get("/v1/reports/statistics").await
    }
}

/// A verification with a proof and the certificates that the device showed.
pub fn question(proof: Option<&[u8]>, presented: &[Certificate]) -> wire::VerificationRequest {
    wire::VerificationRequest {
        proof: proof.map(|proof| Base64(proof.to_vec())),
        presented: presented.iter().cloned().map(CertificatePem).collect(),
        ..Default::default()
    }
}

fn certificate_path(authority: &str, serial: &Serial) -> String {
    format!("/v1/certificates/{}/{serial}", percent_encode(authority))
}

fn given(cause: Cause) -> wire::CauseGiven {
    wire::CauseGiven { cause: CauseName(cause), reason: None }
}

fn upload(certificate: &Certificate) -> wire::CertificateUpload {
    wire::CertificateUpload { certificate: CertificatePem(certificate.clone()) }
}

fn of_page(page: &PageQuery) -> Vec<(&'static str, Option<String>)> {
    vec![("after", page.after.clone()), ("limit", page.limit.map(|limit| limit.to_string()))]
}

/// `path` with those parameters that have a value.
fn query<S: AsRef<str>>(path: &str, parameters: &[(&str, Option<S>)]) -> String {
    let mut out = path.to_owned();
    let mut separator = '?';
    for (name, value) in parameters {
        if let Some(value) = value {
            out.push(separator);
            out.push_str(name);
            out.push('=');
            out.push_str(&percent_encode(value.as_ref()));
            separator = '&';
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_what_is_given() {
        let none: Option<&str> = None;
        assert_eq!(query("/a", &[("x", none)]), "/a");
        assert_eq!(
            query("/a", &[("x", None), ("y", Some("1 2")), ("z", Some("&"))]),
            "/a?y=1%202&z=%26"
        );
    }
}
