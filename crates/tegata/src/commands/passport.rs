use crate::{
    cli::{Language, PassportCommand},
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    client::Call,
    wire::{ReportLanguage, TrustBundle},
};
use serde_json::json;
use std::path::PathBuf;

/// Where what outsiders need to trust is found.
pub const TRUST_PATH: &str = "/v1/trust";

/// Runs `tegata passport …`.
pub async fn run(
    command: PassportCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        PassportCommand::Export { server, device, out } => {
            let remote = Remote::open(&server, language)?;
            let call = Call::get(format!("/v1/devices/{device}/passport"));
            let answer = remote.client().call(call).await?;
            let witnesses = answer
                .headers
                .get(api::client::WITNESSES)
                .and_then(|value| value.to_str().ok()?.split_once('/'))
                .and_then(|(have, need)| {
                    Some((have.parse::<usize>().ok()?, need.parse::<usize>().ok()?))
                });
            if let Some((have, need)) = witnesses
                && have < need
            {
                eprintln!(
                    "warning: {have} of {need} witnesses cosigned the log in this file; who asks \
                     for all of them will not believe it"
                );
            }
            let bytes = answer.body;
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{device}.tegata")));
            std::fs::write(&out, &bytes)
                .with_context(|| format!("cannot write {}", out.display()))?;
            let file = device::PassportFile::parse(&bytes)?;
            let summary = json!({
                "device": device.to_string(),
                "file": out,
                "bytes": bytes.len(),
                "events": file.events().len(),
            });
            output.one(&summary, |_| {
                format!(
                    "{} holds the passport of {device}: {} events, {} bytes; check it with: \
                     tegata verify {}",
                    out.display(),
                    file.events().len(),
                    bytes.len(),
                    out.display()
                )
            })
        }
        PassportCommand::Report { server, device, out } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let lang = ReportLanguage::from(device::Language::from(language));
            let page = rest.device_report(&device, lang).await?;
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{device}.html")));
            std::fs::write(&out, &page)
                .with_context(|| format!("cannot write {}", out.display()))?;
            let summary = json!({
                "device": device.to_string(),
                "file": out,
                "language": lang.name(),
                "bytes": page.len(),
            });
            output.one(&summary, |_| {
                format!(
                    "{} holds a report of {device}; open it in a browser to print it",
                    out.display()
                )
            })
        }
        PassportCommand::Trust { server, out } => {
            let remote = Remote::open(&server, language)?;
            let trust: TrustBundle = remote.get(TRUST_PATH).await?;
            std::fs::write(&out, serde_json::to_vec_pretty(&trust)?)
                .with_context(|| format!("cannot write {}", out.display()))?;
            output.one(&trust, |trust| {
                format!(
                    "{} holds {} roots, the log key and {} witness keys; compare the log key by \
                     another way before you rely on it:\n{}",
                    out.display(),
                    trust.roots.len(),
                    trust.witness_keys.len(),
                    trust.log_key
                )
            })
        }
    }
}
