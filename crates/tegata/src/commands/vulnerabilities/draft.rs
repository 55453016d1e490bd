//! From a vulnerability to a campaign.

use crate::{
    cli::{Language, vulnerabilities::VulnerabilityCampaignArgs},
    commands::campaign,
    output::Output,
    remote::Remote,
};
use api::{
    Rest,
    wire::{
        CampaignPlan, DraftVersion, NewVulnerabilityCampaign, VulnerabilityDraft,
        scalar::{OrganisationRef, ProductRef},
    },
};

/// Shows what would mend a vulnerability, or proposes it.
pub(super) async fn run(
    args: &VulnerabilityCampaignArgs,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let rest = Rest::new(Remote::open(&args.server, language)?.client().clone());
    let Some(product) = &args.propose else {
        let drafts = rest.vulnerability_drafts(&args.organisation, &args.id, args.owned).await?;
        let head = ["product", "devices", "versions", "release", "why there is none"];
        return output.list(&drafts, &head, line);
    };
    let stages = args.stages.iter().map(|text| campaign::stage(text));
    let stages = stages.collect::<anyhow::Result<Vec<_>>>()?;
    let plan = (!stages.is_empty()).then_some(CampaignPlan {
        stages,
        window: None,
        starts_per_minute: None,
        deadline_s: 86_400,
        attempts_max: 3,
        roll_back: false,
        force: false,
        confirm: false,
    });
    let new = NewVulnerabilityCampaign {
        product: ProductRef(product.clone()),
        maker: args.maker.clone().map(OrganisationRef),
        side: args.owned.then(|| "owner".to_owned()),
        name: args.name.clone(),
        plan,
    };
    let proposed = rest.propose_from_vulnerability(&args.organisation, &args.id, &new).await?;
    output.one(&proposed, campaign::describe)
}

fn line(draft: &VulnerabilityDraft) -> Vec<String> {
    let names = |versions: &[DraftVersion]| {
        let names: Vec<&str> = versions.iter().map(|one| one.version.as_str()).collect();
        names.join(" ")
    };
    let release = match &draft.release {
        Some(_) => draft.version.clone().unwrap_or_default(),
        None => String::new(),
    };
    vec![
        format!("{}/{}", draft.maker, draft.product),
        draft.devices.to_string(),
        names(&draft.versions),
        release,
        draft.why.clone().unwrap_or_default(),
    ]
}
