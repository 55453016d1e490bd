//! `tegata purpose …` and `tegata consent …`: what data of devices is for, and who agreed to it.

use crate::{
    cli::{
        Language, ServerArgs,
        purpose::{ConsentArgs, ConsentCommand, PurposeCommand},
    },
    output::Output,
    remote::Remote,
};
use api::{
    Rest,
    wire::{
        ConsentDecided, ConsentDecision, ConsentRecord, DataPurpose, NewConsent, NewPurpose,
        ProductConsents,
        scalar::{DeviceRef, OrganisationRef, ProductRef},
    },
};
use serde::Serialize;

/// Runs `tegata purpose …`.
pub async fn run(
    command: PurposeCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        PurposeCommand::Declare(args) => {
            let new = NewPurpose {
                title_en: args.title_en,
                title_ja: args.title_ja,
                explanation_en: args.explanation_en,
                explanation_ja: args.explanation_ja,
                topics: args.topics,
                legal_basis: args.legal_basis,
                recipients: args.recipients,
                retention_days: args.retention_days,
            };
            let of = (&args.line.maker, &args.line.product);
            let made = rest(&args.server, language)?.declare_purpose(of, &args.name, &new).await?;
            output.one(&made, |made| described(made, language))
        }
        PurposeCommand::List { server, line } => {
            let all = rest(&server, language)?.purposes(&line.maker, &line.product).await?;
            listed(&all, output, language)
        }
        PurposeCommand::History { server, line, name } => {
            let path = format!(
                "/v1/organisations/{}/products/{}/purposes/{}/versions?limit=1000",
                line.maker,
                line.product,
                checked(&name)?
            );
            let all: Vec<DataPurpose> = Remote::open(&server, language)?.all(&path).await?;
            listed(&all, output, language)
        }
        PurposeCommand::End { server, line, name } => {
            let of = (&line.maker, &line.product);
            let ended = rest(&server, language)?.end_purpose(of, &name).await?;
            output.one(&ended, |it| described(it, language))
        }
    }
}

/// Runs `tegata consent …`.
pub async fn consent(
    command: ConsentCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        ConsentCommand::List { server, organisation, device } => {
            let rest = rest(&server, language)?;
            let all = match device {
                Some(device) => rest.device_consents(&device).await?,
                None => rest.consents(&organisation).await?,
            };
            standing(&all, output, language)
        }
        ConsentCommand::Give { what, version } => {
            decide(what, version, ConsentDecision::Given, output, language).await
        }
        // The server takes the version in force for what gives nothing.
        ConsentCommand::Withdraw { what } => {
            decide(what, 1, ConsentDecision::Withdrawn, output, language).await
        }
        ConsentCommand::Follow { what } => {
            decide(what, 1, ConsentDecision::AsOrganisation, output, language).await
        }
        ConsentCommand::History { server, organisation, device } => {
            let of = device.map(|device| format!("&device={device}")).unwrap_or_default();
            let path = format!("/v1/organisations/{organisation}/consents/history?limit=1000{of}");
            let all: Vec<ConsentRecord> = Remote::open(&server, language)?.all(&path).await?;
            let head = ["at", "product", "purpose", "version", "device", "decision", "by", "why"];
            output.list(&all, &head, |it| {
                vec![
                    it.at.to_string(),
                    format!("{}/{}", it.maker.0, it.product.0),
                    it.purpose.clone(),
                    it.version.to_string(),
                    it.device.as_ref().map_or_else(|| "all".to_owned(), |it| it.0.to_string()),
                    word(it.decision).to_owned(),
                    it.by.clone(),
                    it.reason.clone().unwrap_or_default(),
                ]
            })
        }
    }
}

async fn decide(
    what: ConsentArgs,
    version: u64,
    decision: ConsentDecision,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let new = NewConsent {
        maker: OrganisationRef(what.line.maker),
        product: ProductRef(what.line.product),
        purpose: what.purpose,
        version,
        device: what.device.map(DeviceRef),
        decision,
    };
    let all = rest(&what.server, language)?.decide_consent(&what.organisation, &new).await?;
    standing(&all, output, language)
}

/// A purpose of a product line, on one line.
#[derive(Serialize)]
struct Line<'a> {
    maker: &'a OrganisationRef,
    product: &'a ProductRef,
    #[serde(flatten)]
    consent: &'a api::wire::PurposeConsent,
}

fn standing(all: &[ProductConsents], output: Output, language: Language) -> anyhow::Result<()> {
    let lines: Vec<_> = all
        .iter()
        .flat_map(|it| {
            let (maker, product) = (&it.maker, &it.product);
            it.purposes.iter().map(move |consent| Line { maker, product, consent })
        })
        .collect();
    let head = ["product", "purpose", "version", "stands", "all devices", "device", "title"];
    let decided = |it: &Option<ConsentDecided>| {
        it.as_ref().map_or_else(String::new, |it| format!("{} v{}", word(it.decision), it.version))
    };
    output.list(&lines, &head, |line| {
        let it = line.consent;
        let own = match (it.devices_given, it.devices_withdrawn) {
            (0, 0) => decided(&it.device),
            (given, withdrawn) => format!("{given} given, {withdrawn} withdrawn"),
        };
        let stands = match (&it.purpose.legal_basis, it.purpose.ended) {
            (_, true) => "ended",
            (Some(_), false) => "needs no consent",
            (None, false) if it.stands => "yes",
            (None, false) => "no",
        };
        vec![
            format!("{}/{}", line.maker.0, line.product.0),
            it.purpose.name.clone(),
            it.purpose.version.to_string(),
            stands.to_owned(),
            decided(&it.organisation),
            own,
            title(&it.purpose, language).to_owned(),
        ]
    })
}

fn listed(all: &[DataPurpose], output: Output, language: Language) -> anyhow::Result<()> {
    let head = ["purpose", "version", "basis", "topics", "receivers", "days", "made", "title"];
    output.list(all, &head, |it| {
        vec![
            it.name.clone(),
            it.version.to_string(),
            basis(it).to_owned(),
            it.topics.join(" "),
            it.recipients.join(", "),
            it.retention_days.to_string(),
            it.made.to_string(),
            title(it, language).to_owned(),
        ]
    })
}

fn described(it: &DataPurpose, language: Language) -> String {
    let says = match language {
        Language::Ja => &it.explanation_ja,
        Language::En => &it.explanation_en,
    };
    format!(
        "{} version {}: {}\n{says}\nbasis: {}\ntopics: {}\nreceivers: {}\nkept for {} days",
        it.name,
        it.version,
        title(it, language),
        basis(it),
        it.topics.join(" "),
        it.recipients.join(", "),
        it.retention_days
    )
}

fn title(it: &DataPurpose, language: Language) -> &str {
    match language {
        Language::Ja => &it.title_ja,
        Language::En => &it.title_en,
    }
}

fn basis(it: &DataPurpose) -> &str {
    match (&it.legal_basis, it.ended) {
        (_, true) => "ended",
        (Some(basis), false) => basis,
        (None, false) => "consent",
    }
}

fn word(decision: ConsentDecision) -> &'static str {
    match decision {
        ConsentDecision::Given => "given",
        ConsentDecision::Withdrawn => "withdrawn",
        ConsentDecision::AsOrganisation => "as-organisation",
    }
}

fn checked(name: &str) -> anyhow::Result<&str> {
    admission::PurposeName::new(name)?;
    Ok(name)
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}
