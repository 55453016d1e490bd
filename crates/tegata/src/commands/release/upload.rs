//! Sends a file in pieces, and goes on where it was after an interruption.

use crate::output::{Output, progress};
use anyhow::Context as _;
use api::{
    ClientError, Rest,
    wire::{NewUpload, Upload, scalar::Digest},
};
use crypto::{Digester, HashAlgorithm, Sha256};
use device::OrganisationId;
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

/// Bytes of a piece: those that a slow line carries in the time that a server waits.
const PIECE: u64 = 8 * 1024 * 1024;
const PIECE_MIN: u64 = 64 * 1024;
/// Bytes that are hashed at a time.
const HASHED: usize = 1024 * 1024;
/// Failures in a row after which it is given up; the next call goes on.
const FAILURES_MAX: u32 = 6;
/// How often the end of a verification is asked for.
const ASK: Duration = Duration::from_secs(1);

/// Uploads a file, unless the organisation has it.
pub(super) async fn send(
    rest: &Rest,
    of: &OrganisationId,
    path: &Path,
    output: Output,
) -> anyhow::Result<Upload> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (sha256, length) = measure(&mut file, output)?;
    let new = NewUpload { sha256: Digest(sha256), length };
    let mut upload = rest.begin_upload(of, &new).await?;
    let bar = progress(length, "uploading", output.json);
    let (mut size, mut failures) = (PIECE, 0);
    while upload.state == "receiving" && upload.received < length {
        bar.set_position(upload.received);
        let piece = read(&mut file, upload.received, size.min(length - upload.received))?;
        match rest.send_piece(&upload.id, upload.received, piece).await {
            Ok(now) => (upload, failures) = (now, 0),
            Err(error) if failures >= FAILURES_MAX || !is_passing(&error) => {
                bar.abandon();
                return Err(error).with_context(|| {
                    format!(
                        "{} of {length} bytes are on the server; repeat the command to go on",
                        upload.received
                    )
                });
            }
            Err(_) => {
                failures += 1;
                // A line that is too slow for a piece may carry a smaller one.
                size = (size / 2).max(PIECE_MIN);
                tokio::time::sleep(Duration::from_millis(250) * 2u32.pow(failures)).await;
                // What arrived of it counts; where nobody answers, the next round finds out.
                if let Ok(now) = rest.upload(&upload.id).await {
                    upload = now;
                }
            }
        }
    }
    bar.set_position(length);
    while upload.state != "complete" {
        upload = rest.finish_upload(&upload.id).await?;
        if upload.state == "verifying" {
            bar.set_message("verifying");
            bar.set_position(upload.verified.unwrap_or(0));
            tokio::time::sleep(ASK).await;
        }
    }
    bar.finish_and_clear();
    Ok(upload)
}

/// Whether the same may succeed a moment later.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { .. } | ClientError::Http(_) | ClientError::Timeout(_) => true,
        ClientError::Refused(problem) => {
            matches!(problem.status, 408 | 429 | 503)
                || matches!(problem.code.as_str(), "upload-offset" | "upload-busy" | "malformed")
        }
        ClientError::Status { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
        _ => false,
    }
}

fn measure(file: &mut File, output: Output) -> anyhow::Result<(Sha256, u64)> {
    let bar = progress(file.metadata()?.len(), "hashing", output.json);
    let mut digester = Digester::new(HashAlgorithm::Sha256);
    let mut buffer = vec![0; HASHED];
    let mut length: u64 = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digester.update(buffer.get(..read).unwrap_or_default());
        length += u64::try_from(read)?;
        bar.set_position(length);
    }
    bar.finish_and_clear();
    let digest = Sha256::from_slice(&digester.finish()).context("no SHA-256")?;
    Ok((digest, length))
}

fn read(file: &mut File, offset: u64, count: u64) -> anyhow::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = vec![0; usize::try_from(count)?];
    file.read_exact(&mut piece).context("the file became shorter while it was sent")?;
    Ok(piece)
}
