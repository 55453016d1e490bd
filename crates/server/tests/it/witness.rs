//! A witness of its own: cosigns what grows, refuses what forks, and remembers over a restart.

use api::{Client, Settings, client::Call};
use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
use http::StatusCode;
use ledger::{
    Commitment, Log, LogKey, SignedCheckpoint,
    memory::{MemoryCheckpoints, MemoryLeaves, MemoryObjects},
    witness::AddCheckpoint,
};
use server::{
    Limits, SystemClock,
    witness::{HttpWitness, WitnessConfig, WitnessServer},
};
use service::WitnessClient as _;
use std::{path::Path, sync::Arc};

type Memory = Log<Arc<MemoryLeaves>, MemoryObjects, MemoryCheckpoints>;

fn log(key: &Arc<SoftwareKey>) -> (Arc<MemoryLeaves>, Memory) {
    let leaves = Arc::new(MemoryLeaves::default());
    let log = Log::open(
        Arc::clone(&leaves),
        MemoryObjects::default(),
        MemoryCheckpoints::default(),
        "test.example/log",
        key.clone() as Arc<dyn crypto::Signer>,
    )
    .unwrap();
    (leaves, log)
}

fn leaf(text: &str) -> Commitment {
    ledger::commit(&[1; 32], text.as_bytes())
}

async fn witness(folder: &Path, signer: &Arc<SoftwareKey>, log: LogKey) -> WitnessServer {
    WitnessServer::start(WitnessConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        name: "witness.example".into(),
        signer: signer.clone(),
        logs: vec![log],
        state: folder.join("state"),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    })
    .await
    .unwrap()
}

fn ed25519() -> Arc<SoftwareKey> {
    Arc::new(SoftwareKey::generate(KeyAlgorithm::Ed25519).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn grows_yes_forks_no_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (log_key, witness_key) = (ed25519(), ed25519());
    let (leaves, honest) = log(&log_key);
    let running = witness(folder.path(), &witness_key, honest.key().clone()).await;
    let ask = |address: std::net::SocketAddr, body: String| async move {
        let client = Client::public(&format!("http://{address}"), Settings::default()).unwrap();
        client.send(Call::post("/add-checkpoint", "text/plain", body)).await.unwrap()
    };

    leaves.append(&[leaf("a"), leaf("b")]);
    let first = honest.integrate(UnixTime(1)).unwrap();
    let answer = ask(running.address(), AddCheckpoint::first(first.clone()).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let key: ledger::WitnessKey = running.key().parse().unwrap();
    let note = format!(
        "{}{}",
        String::from_utf8_lossy(first.bytes()),
        String::from_utf8_lossy(&answer.body)
    );
    let cosigned = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    cosigned.verify(honest.key(), &[key], 1).unwrap();

    // The same key signs another history: refused, and kept as evidence.
    let (other_leaves, forked) = log(&log_key);
    other_leaves.append(&[leaf("x"), leaf("y")]);
    let fork = forked.integrate(UnixTime(1)).unwrap();
    let request = AddCheckpoint { old_size: 2, proof: vec![], checkpoint: fork };
    let answer = ask(running.address(), request.to_string()).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    let evidence = std::fs::read_dir(folder.path().join("state.evidence")).unwrap().count();
    assert_eq!(evidence, 1);
    running.shutdown().await;

    // After a restart it still knows how far the log was.
    let running = witness(folder.path(), &witness_key, honest.key().clone()).await;
    leaves.append(&[leaf("c")]);
    let second = honest.integrate(UnixTime(2)).unwrap();
    let answer = ask(running.address(), AddCheckpoint::first(second.clone()).to_string()).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(&answer.body[..], b"2\n");
    let proof = honest.consistency_proof(2, 3).unwrap();
    let request = AddCheckpoint::new(proof, second).unwrap().to_string();
    // This time as the service asks.
    let url = format!("http://{}", running.address());
    let key = running.key().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        HttpWitness::new(&key, &url).unwrap().add_checkpoint(request.as_bytes()).unwrap()
    });
    assert_eq!(asked.await.unwrap().0, 200);

    for (path, body, status) in [
        ("/add-checkpoint", "nonsense".to_owned(), 400),
        ("/add-checkpoint", "x".repeat(400_000), 413),
        ("/elsewhere", String::new(), 404),
    ] {
        let client = Client::public(&format!("http://{}", running.address()), Settings::default());
        let call = Call::post(path, "text/plain", body);
        let answer = client.unwrap().send(call).await;
        // A body that is cut off may break the connection before the answer is read.
        if let Ok(answer) = answer {
            assert_eq!(answer.status.as_u16(), status, "{path}");
        }
    }
    running.shutdown().await;
}
