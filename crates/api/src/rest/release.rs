//! Uploads, releases, gates, image repositories (docs/release.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page, PageQuery},
};
use bytes::Bytes;
use crypto::Sha256;
use device::{OrganisationId, ProductId};
use http::Method;

impl Rest {
    /// Begins the upload of a file, or goes on with one.
    ///
    /// # Errors
    /// As every method.
    pub async fn begin_upload(
        &self,
        of: &OrganisationId,
        new: &wire::NewUpload,
    ) -> Result<wire::Upload> {
        self.post(&format!("/v1/organisations/{of}/uploads"), new).await
    }

    /// Uploads of an organisation.
    ///
    /// # Errors
    /// As every method.
    pub async fn uploads(
        &self,
        of: &OrganisationId,
        page: &PageQuery,
    ) -> Result<Page<wire::Upload>> {
        self.get(&query(&format!("/v1/organisations/{of}/uploads"), &of_page(page))).await
    }

    /// An upload: how much of it is here.
    ///
    /// # Errors
    /// As every method.
    pub async fn upload(&self, id: &str) -> Result<wire::Upload> {
        self.get(&format!("/v1/uploads/{}", percent_encode(id))).await
    }

    /// The next piece of an upload.
    ///
    /// # Errors
    /// As every method.
    pub async fn send_piece(&self, id: &str, offset: u64, piece: Vec<u8>) -> Result<wire::Upload> {
        let path = format!("/v1/uploads/{}/bytes?offset={offset}", percent_encode(id));
        let call = Call::new(Method::PUT, path).body("application/octet-stream", piece);
        self.client.call(call).await?.json()
    }

    /// Ends an upload; ask again while its state is `verifying`.
    ///
    /// # Errors
    /// As every method.
    pub async fn finish_upload(&self, id: &str) -> Result<wire::Upload> {
        let path = format!("/v1/uploads/{}/finish", percent_encode(id));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// Abandons an upload.
    ///
    /// # Errors
    /// As every method.
    pub async fn abandon_upload(&self, id: &str) -> Result<()> {
        self.act(Call::new(Method::DELETE, format!("/v1/uploads/{}", percent_encode(id)))).await
    }

    /// A file of an organisation, as a whole.
    ///
    /// # Errors
    /// As every method.
    pub async fn file(&self, of: &OrganisationId, sha256: &Sha256) -> Result<Bytes> {
        let path = format!("/v1/organisations/{of}/files/{sha256}");
        Ok(self.client.call(Call::get(path)).await?.body)
    }

    /// The draft of a release.
    ///
    /// # Errors
    /// As every method.
    pub async fn create_release(
        &self,
        of: &OrganisationId,
        new: &wire::NewRelease,
    ) -> Result<wire::Release> {
        self.post(&format!("/v1/organisations/{of}/releases"), new).await
    }

    /// Releases of an organisation, newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn releases(
        &self,
        of: &OrganisationId,
        which: &wire::ReleaseQuery,
    ) -> Result<Page<wire::Release>> {
        let limit = which.limit.map(|limit| limit.to_string());
        let parameters = [
            ("product", which.product.as_deref()),
            ("state", which.state.as_deref()),
            ("after", which.after.as_deref()),
            ("limit", limit.as_deref()),
        ];
        self.get(&query(&format!("/v1/organisations/{of}/releases"), &parameters)).await
    }

    /// A release.
    ///
    /// # Errors
    /// As every method.
    pub async fn release(&self, id: &str) -> Result<wire::Release> {
        self.get(&of_release(id, "")).await
    }

    /// Discards a draft.
    ///
    /// # Errors
    /// As every method.
    pub async fn discard_release(&self, id: &str) -> Result<()> {
        self.act(Call::new(Method::DELETE, of_release(id, ""))).await
    }

    /// Adds an uploaded file to a draft.
    ///
    /// # Errors
    /// As every method.
    pub async fn add_artifact(&self, id: &str, new: &wire::NewArtifact) -> Result<wire::Release> {
        self.post(&of_release(id, "/artifacts"), new).await
    }

    /// Hands over the content key of a sealed file.
    ///
    /// # Errors
    /// As every method.
    pub async fn give_content_key(
        &self,
        id: &str,
        name: &str,
        key: &wire::ContentKey,
    ) -> Result<wire::Release> {
        self.post(&of_file(id, name, "content-key"), key).await
    }

    /// Brings tickets for a sealed file.
    ///
    /// # Errors
    /// As every method.
    pub async fn bring_tickets(
        &self,
        id: &str,
        name: &str,
        tickets: &wire::Tickets,
    ) -> Result<wire::Release> {
        self.post(&of_file(id, name, "tickets"), tickets).await
    }

    /// Says that a sealed file of a draft is a delta.
    ///
    /// # Errors
    /// As every method.
    pub async fn state_delta(
        &self,
        id: &str,
        name: &str,
        images: &wire::DeltaImages,
    ) -> Result<wire::Release> {
        self.post(&of_file(id, name, "delta"), images).await
    }

    /// Takes a file out of a draft.
    ///
    /// # Errors
    /// As every method.
    pub async fn remove_artifact(&self, id: &str, name: &str) -> Result<()> {
        let path = of_release(id, &format!("/artifacts/{}", percent_encode(name)));
        self.act(Call::new(Method::DELETE, path)).await
    }

    /// Attaches an uploaded file to a draft.
    ///
    /// # Errors
    /// As every method.
    pub async fn attach(&self, id: &str, new: &wire::NewAttachment) -> Result<wire::Attachment> {
        self.post(&of_release(id, "/attachments"), new).await
    }

    /// Takes an attachment off a draft.
    ///
    /// # Errors
    /// As every method.
    pub async fn detach(&self, id: &str, kind: &str, name: &str) -> Result<()> {
        let rest = format!("/attachments/{}/{}", percent_encode(kind), percent_encode(name));
        self.act(Call::new(Method::DELETE, of_release(id, &rest))).await
    }

    /// What the gate of a release's product says of it now.
    ///
    /// # Errors
    /// As every method.
    pub async fn check_release(&self, id: &str) -> Result<Vec<wire::GateItem>> {
        self.get(&of_release(id, "/gate")).await
    }

    /// Publishes a draft that passes its gate.
    ///
    /// # Errors
    /// As every method.
    pub async fn publish_release(&self, id: &str, how: &wire::Publish) -> Result<wire::Release> {
        self.post(&of_release(id, "/publish"), how).await
    }

    /// Withdraws a published release.
    ///
    /// # Errors
    /// As every method.
    pub async fn withdraw_release(&self, id: &str, why: &wire::Withdraw) -> Result<wire::Release> {
        self.post(&of_release(id, "/withdraw"), why).await
    }

    /// That the log holds a published release.
    ///
    /// # Errors
    /// As every method.
    pub async fn release_proof(&self, id: &str) -> Result<wire::ReleaseProof> {
        self.get(&of_release(id, "/proof")).await
    }

    /// What a product's releases must have.
    ///
    /// # Errors
    /// As every method.
    pub async fn release_gate(
        &self,
        of: &OrganisationId,
        product: &ProductId,
    ) -> Result<wire::ReleaseGate> {
        self.get(&format!("/v1/organisations/{of}/products/{product}/release-gate")).await
    }

    /// Changes what a product's releases must have.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_release_gate(
        &self,
        of: &OrganisationId,
        product: &ProductId,
        gate: &wire::ReleaseGate,
    ) -> Result<wire::ReleaseGate> {
        let path = format!("/v1/organisations/{of}/products/{product}/release-gate");
        self.send(Method::PUT, &path, gate).await
    }

    /// An organisation's image repository.
    ///
    /// # Errors
    /// As every method.
    pub async fn repository(&self, of: &OrganisationId) -> Result<wire::ImageRepository> {
        self.get(&of_repository(of, "")).await
    }

    /// Begins an image repository.
    ///
    /// # Errors
    /// As every method.
    pub async fn begin_repository(&self, of: &OrganisationId) -> Result<wire::ImageRepository> {
        self.client.call(Call::new(Method::POST, of_repository(of, ""))).await?.json()
    }

    /// New keys that work online, for the next root.
    ///
    /// # Errors
    /// As every method.
    pub async fn rotate_repository_keys(
        &self,
        of: &OrganisationId,
    ) -> Result<wire::ImageRepository> {
        self.client.call(Call::new(Method::POST, of_repository(of, "/keys"))).await?.json()
    }

    /// Chooses who may read metadata and images.
    ///
    /// # Errors
    /// As every method.
    pub async fn open_repository(
        &self,
        of: &OrganisationId,
        open: bool,
    ) -> Result<wire::ImageRepository> {
        let access = wire::RepositoryAccess { open };
        self.send(Method::PUT, &of_repository(of, "/access"), &access).await
    }

    /// Publishes metadata that were signed offline.
    ///
    /// # Errors
    /// As every method.
    pub async fn push_metadata(
        &self,
        of: &OrganisationId,
        signed: &wire::SignedMetadata,
    ) -> Result<wire::ImageRepository> {
        self.post(&of_repository(of, "/metadata"), signed).await
    }

    /// The draft of targets metadata, to be signed offline.
    ///
    /// # Errors
    /// As every method.
    pub async fn draft_targets(
        &self,
        of: &OrganisationId,
        which: &wire::DraftQuery,
    ) -> Result<Bytes> {
        let days = which.days.map(|days| days.to_string());
        let parameters = [("role", which.role.as_deref()), ("days", days.as_deref())];
        let path = query(&of_repository(of, "/draft"), &parameters);
        Ok(self.client.call(Call::get(path)).await?.body)
    }
}

fn of_file(id: &str, name: &str, rest: &str) -> String {
    of_release(id, &format!("/artifacts/{}/{rest}", percent_encode(name)))
}

fn of_release(id: &str, rest: &str) -> String {
    format!("/v1/releases/{}{rest}", percent_encode(id))
}

fn of_repository(of: &OrganisationId, rest: &str) -> String {
    format!("/v1/organisations/{of}/repository{rest}")
}
