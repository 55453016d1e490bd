//! Afterwards: the platform retires the devices of a folder, and the folder forgets them.

use super::store::Store;
use crate::{
    cli::{Language, sim::SimCleanArgs},
    output::Output,
    remote::{Remote, read_roots},
};
use anyhow::{Context as _, bail};
use api::wire::{Job, JobPreview, NewJob, scalar::CauseName};
use device::Cause;
use serde_json::json;
use std::time::Duration;

/// Runs `tegata sim clean`.
pub async fn run(args: &SimCleanArgs, output: Output, language: Language) -> anyhow::Result<()> {
    anyhow::ensure!(args.state.is_dir(), "there is no folder {}", args.state.display());
    let roots = read_roots(&args.server.roots)?;
    let root = roots.first().context("there is no root certificate")?.fingerprint();
    let remote = Remote::open(&args.server, language)?;
    let mut store = Store::open(&args.state, &root)?;
    let (mut retired, products) = (0, store.products()?);
    for product in products {
        // It belongs to this platform, or that is an error.
        let _line = store.line(&product)?;
        let wanted = NewJob {
            act: "retire".to_owned(),
            cause: Some(CauseName(Cause::EndOfUse)),
            lifetime_s: None,
            devices: None,
            // What was registered and never got a certificate is found, too.
            search: Some(format!("relation=owner&product={product}&text=SIM-{}-", store.prefix)),
            reason: "simulated devices, no longer needed".to_owned(),
        };
        let preview: JobPreview = remote.post("/v1/jobs/preview", &wanted).await?;
        if preview.devices > 0 {
            let job: Job = remote.post("/v1/jobs", &wanted).await?;
            retired += finished(&remote, job).await?;
        }
        store.forget(&product)?;
    }
    output.one(&json!({"retired": retired}), |_| format!("{retired} devices are retired"))
}

/// Waits for a job; how many devices it retired. Those that are retired already are refused.
async fn finished(remote: &Remote, mut job: Job) -> anyhow::Result<u64> {
    let bar = crate::output::progress(job.total, "devices retired", false);
    loop {
        bar.set_length(job.total);
        bar.set_position(job.done);
        match job.state.as_str() {
            "done" => break,
            "cancelled" | "failed" => {
                bail!("the job {} is {}: {}", job.id, job.state, job.note.unwrap_or_default());
            }
            _ => tokio::time::sleep(Duration::from_millis(500)).await,
        }
        job = remote.get(&format!("/v1/jobs/{}", job.id)).await?;
    }
    bar.finish_and_clear();
    Ok(job.done.saturating_sub(job.failed))
}
