use crate::{
    cli::{Language, VerifyArgs},
    clock,
    output::Output,
};
use anyhow::Context as _;
use api::wire::{TrustBundle, Verdict};
use device::{
    JudgePolicy, Outcome, PassportFile, Purpose, file::TrustAnchors, file::VerifyOptions,
};
use std::path::Path;

/// Largest passport file read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs `tegata verify`: 0 for genuine, 2 for suspect, 3 for rejected.
pub fn run(args: &VerifyArgs, output: Output, language: Language) -> anyhow::Result<u8> {
    let size = std::fs::metadata(&args.file)
        .with_context(|| format!("cannot read the passport file {}", args.file.display()))?
        .len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "the passport file is larger than 64 MiB");
    let bytes = std::fs::read(&args.file)?;
    let anchors = read_trust(&args.trust)?;
    let now = args.at.map_or_else(clock::now, |at| at.0);
    let file = PassportFile::parse(&bytes)
        .with_context(|| format!("{} is not a passport file", args.file.display()))?;
    let purpose = if args.operate { Purpose::Operate } else { Purpose::Inspect };
    let options = VerifyOptions {
        policy: JudgePolicy { purpose, ..JudgePolicy::default() },
        ..VerifyOptions::default()
    };
    let verdict = file.verify(&anchors, &options, now);
    output.one(&Verdict::from(&verdict), |_| render(&verdict, language.into()))?;
    Ok(match verdict.outcome {
        Outcome::Genuine => 0,
        Outcome::Suspect => 2,
        Outcome::Rejected => 3,
    })
}

/// A verdict for people.
pub fn render(verdict: &device::Verdict, language: device::Language) -> String {
    let mut text = format!(
        "{} {}  ({} → {})",
        verdict.outcome.text().of(language),
        verdict.device,
        verdict.judged_at,
        verdict.expires
    );
    for reason in &verdict.reasons {
        text.push_str(&format!(
            "\n  {} [{}] {}",
            reason.code,
            reason.layer.text().of(language),
            reason.text(language)
        ));
        for evidence in &reason.evidence {
            text.push_str(&format!("\n      {evidence}"));
        }
    }
    text
}

/// Reads what to trust, as `tegata passport trust` wrote it.
pub fn read_trust(path: &Path) -> anyhow::Result<TrustAnchors> {
    let text = std::fs::read(path).with_context(|| {
        format!(
            "cannot read what to trust from {}; write it with: tegata passport trust",
            path.display()
        )
    })?;
    let bundle: TrustBundle = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not a trust file", path.display()))?;
    anchors_of(&bundle)
}

/// A trust bundle as the verifier wants it.
pub fn anchors_of(bundle: &TrustBundle) -> anyhow::Result<TrustAnchors> {
    Ok(TrustAnchors {
        roots: bundle.roots.iter().map(|pem| pem.0.clone()).collect(),
        logs: vec![bundle.log_key.parse()?],
        witnesses: bundle.witness_keys.iter().map(|key| key.parse()).collect::<Result<_, _>>()?,
        quorum: usize::try_from(bundle.quorum)?,
        platform: Some(device::OrganisationId::new(policy::PLATFORM)?),
    })
}
