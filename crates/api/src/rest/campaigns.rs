//! Campaigns (docs/campaign.md).

use super::{Rest, Result, of_page, query};
use crate::{
    client::{Call, percent_encode},
    wire::{self, Page, PageQuery},
};
use http::Method;

impl Rest {
    /// Proposes a campaign: its members are chosen now, and nobody gets anything.
    ///
    /// # Errors
    /// As every method.
    pub async fn create_campaign(&self, new: &wire::NewCampaign) -> Result<wire::Campaign> {
        self.post("/v1/campaigns", new).await
    }

    /// What a campaign would be.
    ///
    /// # Errors
    /// As every method.
    pub async fn preview_campaign(&self, new: &wire::NewCampaign) -> Result<wire::CampaignPreview> {
        self.post("/v1/campaigns/preview", new).await
    }

    /// Campaigns of the caller's organisation, the newest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn campaigns(&self, page: &PageQuery) -> Result<Page<wire::Campaign>> {
        self.get(&query("/v1/campaigns", &of_page(page))).await
    }

    /// A campaign with its progress.
    ///
    /// # Errors
    /// As every method.
    pub async fn campaign(&self, id: &str) -> Result<wire::Campaign> {
        self.get(&path(id, "")).await
    }

    /// Does something to a campaign: `start`, `pause`, `resume`, `roll-back` or `cancel`.
    ///
    /// # Errors
    /// As every method; a start that needs a second person names the request.
    pub async fn steer_campaign(&self, id: &str, what: &str) -> Result<wire::Campaign> {
        let path = path(id, &format!("/{}", percent_encode(what)));
        self.client.call(Call::new(Method::POST, path)).await?.json()
    }

    /// How the devices of a campaign stood over time, the oldest first.
    ///
    /// # Errors
    /// As every method.
    pub async fn campaign_history(&self, id: &str) -> Result<Vec<wire::CampaignMoment>> {
        self.get(&path(id, "/history")).await
    }

    /// Devices of a campaign with their results: all that began, or those of an outcome.
    ///
    /// # Errors
    /// As every method.
    pub async fn campaign_devices(
        &self,
        id: &str,
        outcome: Option<&str>,
        page: &PageQuery,
    ) -> Result<Page<wire::CampaignDevice>> {
        let mut parameters = of_page(page);
        parameters.push(("outcome", outcome.map(str::to_owned)));
        self.get(&query(&path(id, "/devices"), &parameters)).await
    }

    /// Makers whom the caller's organisation lets update its devices.
    ///
    /// # Errors
    /// As every method.
    pub async fn update_consents(&self) -> Result<Vec<wire::UpdateConsent>> {
        self.get("/v1/update-consents").await
    }

    /// Lets a maker update one's devices of a product line, or ends that at once.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_update_consent(&self, consent: &wire::UpdateConsent) -> Result<()> {
        self.act(Call::new(Method::PUT, "/v1/update-consents").json(consent)?).await
    }
}

fn path(id: &str, what: &str) -> String {
    format!("/v1/campaigns/{}{what}", percent_encode(id))
}
