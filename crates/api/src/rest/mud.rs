//! Which connections makers say that devices need, and what leaves that (docs/mud.md).

use super::{Rest, Result};
use crate::{
    client::{Call, percent_encode},
    wire,
};
use device::{DeviceId, OrganisationId, ProductId};
use http::Method;

fn of(organisation: &OrganisationId, product: &ProductId) -> String {
    format!("/v1/organisations/{organisation}/products/{product}/mud")
}

impl Rest {
    /// Keeps a usage description of a product line.
    ///
    /// # Errors
    /// As every method.
    pub async fn put_mud(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        new: &wire::NewMud,
    ) -> Result<wire::MudVersion> {
        let path = of(organisation, product);
        self.client.call(Call::new(Method::PUT, &path).json(new)?).await?.json()
    }

    /// Withdraws it.
    ///
    /// # Errors
    /// As every method.
    pub async fn withdraw_mud(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        reason: &str,
    ) -> Result<wire::MudVersion> {
        let path = format!("{}/withdraw", of(organisation, product));
        self.post(&path, &wire::MudWithdrawal { reason: reason.to_owned() }).await
    }

    /// The version in force, or another.
    ///
    /// # Errors
    /// As every method.
    pub async fn mud(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        version: Option<u64>,
    ) -> Result<wire::MudFile> {
        let of = of(organisation, product);
        match version {
            None => self.get(&of).await,
            Some(version) => {
                let version = percent_encode(&version.to_string());
                self.get(&format!("{of}/versions/{version}")).await
            }
        }
    }

    /// What IDevIDs of a product line say of its usage description.
    ///
    /// # Errors
    /// As every method.
    pub async fn mud_url(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
    ) -> Result<wire::MudUrl> {
        self.get(&format!("{}-url", of(organisation, product))).await
    }

    /// Says what IDevIDs that are issued from now on say of it.
    ///
    /// # Errors
    /// As every method.
    pub async fn set_mud_url(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
        new: &wire::NewMudUrl,
    ) -> Result<wire::MudUrl> {
        self.send(Method::PUT, &format!("{}-url", of(organisation, product)), new).await
    }

    /// They say nothing of it from now on.
    ///
    /// # Errors
    /// As every method.
    pub async fn end_mud_url(
        &self,
        (organisation, product): (&OrganisationId, &ProductId),
    ) -> Result<()> {
        self.act(Call::new(Method::DELETE, format!("{}-url", of(organisation, product)))).await
    }

    /// Hands in connections that devices were seen to have.
    ///
    /// # Errors
    /// As every method.
    pub async fn report_flows(
        &self,
        organisation: &OrganisationId,
        flows: &wire::NewFlows,
    ) -> Result<wire::FlowsJudged> {
        self.post(&format!("/v1/organisations/{organisation}/flows"), flows).await
    }

    /// A usage description of what an organisation's own devices of a product line were seen to do.
    ///
    /// # Errors
    /// As every method.
    pub async fn suggest_mud(
        &self,
        organisation: &OrganisationId,
        how: &wire::MudSuggestionQuery,
    ) -> Result<wire::MudSuggestion> {
        let mut path = format!(
            "/v1/organisations/{organisation}/mud-suggestion?line={}",
            percent_encode(&how.line)
        );
        let numbers = [("devices", how.devices), ("days", how.days)];
        for (name, number) in numbers.into_iter().filter_map(|(name, it)| Some((name, it?))) {
            path.push_str(&format!("&{name}={number}"));
        }
        if let Some(url) = &how.url {
            path.push_str(&format!("&url={}", percent_encode(url)));
        }
        self.get(&path).await
    }

    /// How often connections outside of makers' files were told of, day by day.
    ///
    /// # Errors
    /// As every method.
    pub async fn outside_mud_days(
        &self,
        organisation: &OrganisationId,
        line: Option<&str>,
        days: u8,
    ) -> Result<Vec<wire::OutsideMudDay>> {
        let line = line.map(|line| format!("&line={}", percent_encode(line))).unwrap_or_default();
        let path = format!("/v1/organisations/{organisation}/outside-mud/days?days={days}{line}");
        self.get(&path).await
    }

    /// Connections of a device that its maker's file does not allow.
    ///
    /// # Errors
    /// As every method.
    pub async fn outside_mud(&self, device: &DeviceId) -> Result<Vec<wire::OutsideMud>> {
        self.get(&format!("/v1/devices/{device}/outside-mud")).await
    }
}
