//! The log as outsiders see it, and the witness that watches it.

use crate::demo::{refusals::first_line, rows::Check, world::World};
use anyhow::Context as _;
use api::{
    client::Call,
    wire::{AuditCheck, ConsistencyProof, InclusionProof, LogCheck},
};
use crypto::{KeyAlgorithm, Sha256, SoftwareKey};
use ledger::{
    Checkpoint, Commitment, Log, SignedCheckpoint, TILE_WIDTH, TileKind, TilePath, WitnessKey,
    commit,
    memory::{MemoryCheckpoints, MemoryLeaves, MemoryObjects},
    tile::parse_commitments,
    verify_consistency, verify_inclusion,
    witness::{AddCheckpoint, Answer},
};
use std::{sync::Arc, time::Duration};

/// A checkpoint that was verified, with its signatures.
pub(super) struct Seen {
    pub(super) signed: SignedCheckpoint,
    pub(super) head: Checkpoint,
}

/// The newest checkpoint that the trusted log signed and enough witnesses confirmed. What was
/// published a moment ago may still be on its way to the witness.
pub(super) async fn checkpoint(world: &World) -> anyhow::Result<Seen> {
    let anchors = world.anchors()?;
    let log = anchors.logs.first().context("no log is trusted")?;
    let public = world.site.public()?;
    let mut last = None;
    for _ in 0..100 {
        let signed = SignedCheckpoint::parse(&public.bytes("/log/checkpoint").await?)?;
        match signed.verify(log, &anchors.witnesses, anchors.quorum) {
            Ok(head) => return Ok(Seen { signed, head: head.into_inner() }),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(last.map_or_else(|| anyhow::anyhow!("no checkpoint"), Into::into))
}

/// Waits until everything so far is published and confirmed by the witness.
pub(super) async fn settle(world: &World) -> anyhow::Result<Seen> {
    let size = world.integrate().await?;
    for _ in 0..100 {
        let seen = checkpoint(world).await?;
        if seen.head.size >= size {
            return Ok(seen);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("the log did not publish {size} entries in time")
}

/// The log as an outsider checks it: rebuilt from its tiles, proofs, growth since `before`.
pub(super) async fn audit(
    world: &World,
    before: &Checkpoint,
    now: &Checkpoint,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let leaves = entries(world, now.size).await?;
    let root = rebuilt(&leaves)?;
    checks.push(Check::new(
        format!("log: rebuilt from its {} entries", leaves.len()),
        now.root.to_string(),
        root.to_string(),
        root == now.root,
    ));

    let mut held = 0;
    let step = (leaves.len() / 16).max(1);
    let asked: Vec<_> = leaves.iter().enumerate().step_by(step).collect();
    for (leaf, commitment) in &asked {
        let proof: InclusionProof =
            world.platform.get(&format!("/v1/log/inclusion/{leaf}")).await?;
        let head = SignedCheckpoint::parse(proof.checkpoint.as_bytes())?;
        let anchors = world.anchors()?;
        let key = anchors.logs.first().context("no log is trusted")?;
        let head = head.verify(key, &[], 0)?;
        let proof = ledger::InclusionProof {
            index: proof.leaf,
            size: proof.size,
            hashes: proof.hashes.iter().map(|digest| digest.0).collect(),
        };
        held += usize::from(
            proof.index == *leaf as u64
                && head.size == proof.size
                && verify_inclusion(commitment, &proof, &head.root).is_ok(),
        );
    }
    let given = format!("{held} of {}", asked.len());
    checks.push(Check::new("log: proofs of inclusion", "all", given, held == asked.len()));

    let path = format!("/v1/log/consistency?old={}&new={}", before.size, now.size);
    let proof: ConsistencyProof = world.platform.get(&path).await?;
    let proof = ledger::ConsistencyProof {
        old_size: proof.old,
        new_size: proof.new,
        hashes: proof.hashes.iter().map(|digest| digest.0).collect(),
    };
    let grown = verify_consistency(&proof, &before.root, &now.root);
    checks.push(Check::new(
        "log: only grown since the beginning",
        format!("{} begins {}", before.size, now.size),
        grown.as_ref().map_or_else(ToString::to_string, |()| "proven".to_owned()),
        grown.is_ok() && proof.old_size == before.size && proof.new_size == now.size,
    ));

    let check: LogCheck = world.platform.post_empty("/v1/log/check").await?;
    checks.push(Check::new(
        "log and store agree",
        "no differences",
        check.problems.first().cloned().unwrap_or_else(|| {
            format!("{} entries, {} events", check.entries, check.events_checked)
        }),
        check.problems.is_empty() && check.entries >= now.size,
    ));
    let check: AuditCheck = world.platform.post_empty("/v1/audit/check").await?;
    checks.push(Check::new(
        "security events",
        "an unbroken chain",
        check.broken.clone().unwrap_or_else(|| {
            format!("{} events, {} heads in the log", check.events, check.anchors)
        }),
        check.broken.is_none() && check.events > 0,
    ));
    Ok(checks)
}

/// Every entry of the log, from its entry bundles.
async fn entries(world: &World, size: u64) -> anyhow::Result<Vec<Commitment>> {
    let public = world.site.public()?;
    let mut leaves = Vec::new();
    let mut from = 0;
    while from < size {
        let width = (size - from).min(TILE_WIDTH);
        let path = TilePath::new(TileKind::Entries, from / TILE_WIDTH, width)?;
        let bytes = public.bytes(&format!("/log/{path}")).await?;
        leaves.extend(parse_commitments(&bytes, width)?);
        from += width;
    }
    Ok(leaves)
}

/// The root of the tree over these leaves.
fn rebuilt(leaves: &[Commitment]) -> anyhow::Result<Sha256> {
    let (log, _) = scratch_log("scratch.example/log", new_signer()?, leaves)?;
    Ok(log.latest().claimed().root)
}

type ScratchLog = Log<Arc<MemoryLeaves>, MemoryObjects, MemoryCheckpoints>;

fn new_signer() -> anyhow::Result<Arc<SoftwareKey>> {
    Ok(Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519)?))
}

/// A log in memory over these leaves, integrated.
fn scratch_log(
    origin: &str,
    signer: Arc<SoftwareKey>,
    leaves: &[Commitment],
) -> anyhow::Result<(ScratchLog, SignedCheckpoint)> {
    let source = Arc::new(MemoryLeaves::default());
    source.append(leaves);
    let log =
        Log::open(source, MemoryObjects::default(), MemoryCheckpoints::default(), origin, signer)?;
    let now = crate::clock::now();
    let mut signed = log.integrate(now)?;
    while signed.claimed().size < leaves.len() as u64 {
        signed = log.integrate(now)?;
    }
    Ok((log, signed))
}

/// A log that tells two stories, and our own log's past offered as its present: the witness
/// confirms neither.
pub(super) async fn witness(world: &World, before: &Seen) -> anyhow::Result<Vec<Check>> {
    let shady = &world.shady_log;
    let leaf = |text: &str| commit(&[0x5a; 32], text.as_bytes());
    let told = [leaf("made"), leaf("sold"), leaf("retired")];
    let retold = [leaf("made"), leaf("sold"), leaf("as good as new"), leaf("sold again")];
    let (_, first) = scratch_log(shady.origin, shady.signer.clone(), &told)?;
    let (fork, second) = scratch_log(shady.origin, shady.signer.clone(), &retold)?;
    let mut checks = Vec::new();

    let answer = ask(world, &AddCheckpoint::first(first.clone())).await?;
    let holds = matches!(answer, Answer::Cosigned { .. });
    checks.push(Check::new("witness: a log's first story", "cosigned", said(&answer), holds));

    let proof = fork.consistency_proof(3, 4)?;
    let answer = ask(world, &AddCheckpoint::new(proof, second)?).await?;
    let holds = matches!(answer, Answer::Refused { .. });
    checks.push(Check::new(
        "witness: the same log with another history",
        "refused",
        said(&answer),
        holds,
    ));

    let (_, same_size) =
        scratch_log(shady.origin, shady.signer.clone(), retold.get(..3).unwrap_or_default())?;
    let proof = ledger::ConsistencyProof { old_size: 3, new_size: 3, hashes: Vec::new() };
    let answer = ask(world, &AddCheckpoint::new(proof, same_size)?).await?;
    let holds = matches!(answer, Answer::Refused { status: 409, .. });
    checks.push(Check::new("witness: two trees of one size", "refused", said(&answer), holds));

    // Our own log, rolled back: its past is well signed, and still not its present.
    let past = before.signed.clone();
    let answer = ask(world, &AddCheckpoint::first(past)).await?;
    let holds = matches!(answer, Answer::Conflict { size } if size > before.head.size);
    checks.push(Check::new("witness: our own log, rolled back", "refused", said(&answer), holds));
    Ok(checks)
}

async fn ask(world: &World, request: &AddCheckpoint) -> anyhow::Result<Answer> {
    let call = Call::post("/add-checkpoint", "text/plain; charset=utf-8", request.to_string());
    let answer = world.site.witness()?.send(call).await?;
    let witnesses: Vec<WitnessKey> = world.anchors()?.witnesses;
    Ok(request.answer(answer.status.as_u16(), &answer.body, &witnesses)?)
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Cosigned { .. } => "cosigned".to_owned(),
        Answer::Conflict { size } => format!("refused: it has seen {size} entries"),
        Answer::Refused { status, message } => {
            first_line(&format!("refused ({status}): {message}"))
        }
    }
}
