use audit::{Broken, BrokenBecause, Chain, ChainVerifier, Kind, Outcome, SecurityEvent};
use crypto::{Sha256, UnixTime, sha256};

const ORIGIN: &str = "log.example/tegata";

type Row = (u64, Vec<u8>, Sha256);

fn rows(count: i64) -> Vec<Row> {
    let mut head = Chain::start(ORIGIN);
    (0..count)
        .map(|number| {
            let event = SecurityEvent::new(UnixTime(number), Kind::Enrolment, Outcome::Success)
                .subject(&format!("device {number}"))
                .encode();
            head = head.append(&event);
            (head.sequence, event, head.hash)
        })
        .collect()
}

fn verify(rows: &[Row], anchors: Vec<Chain>) -> Result<Chain, Broken> {
    let mut verifier = ChainVerifier::new(Chain::start(ORIGIN), anchors);
    for (sequence, event, hash) in rows {
        verifier.next(*sequence, event, hash)?;
    }
    verifier.finish()
}

fn head_of(row: &Row) -> Chain {
    Chain { sequence: row.0, hash: row.2 }
}

/// Recomputes numbers and hashes from `from` on, as an administrator with the database could.
fn rechain(rows: &mut [Row]) {
    let mut head = Chain::start(ORIGIN);
    for row in rows {
        head = head.append(&row.1);
        (row.0, row.2) = (head.sequence, head.hash);
    }
}

#[test]
fn the_hash_is_the_documented_one() {
    let start = sha256(b"tegata/audit-start/v1\0log.example/tegata");
    assert_eq!(Chain::start(ORIGIN), Chain { sequence: 0, hash: start });
    let mut bytes = b"tegata/audit/v1\0".to_vec();
    bytes.extend(start.0);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 5]);
    bytes.extend(b"event");
    assert_eq!(Chain::start(ORIGIN).append(b"event"), Chain { sequence: 1, hash: sha256(&bytes) });
}

#[test]
fn a_whole_chain_verifies_from_its_start_and_from_a_checked_head() {
    let rows = rows(20);
    let last = head_of(&rows[19]);
    assert_eq!(verify(&rows, vec![]), Ok(last));
    assert_eq!(verify(&rows, vec![last, head_of(&rows[3]), Chain::start(ORIGIN)]), Ok(last));
    let mut later = ChainVerifier::new(head_of(&rows[9]), vec![head_of(&rows[2]), last]);
    for (sequence, event, hash) in &rows[10..] {
        later.next(*sequence, event, hash).unwrap();
    }
    assert_eq!(later.finish(), Ok(last));
}

#[test]
fn the_first_broken_link_is_named() {
    let check = |change: &dyn Fn(&mut Vec<Row>), sequence, because| {
        let mut rows = rows(10);
        let anchors = vec![head_of(&rows[9]), head_of(&rows[5])];
        change(&mut rows);
        assert_eq!(verify(&rows, anchors), Err(Broken { sequence, because }));
    };
    use BrokenBecause::{Altered, CutOff, Number, Rewritten};
    check(&|rows| _ = rows.remove(4), 5, Number { found: 6 });
    check(&|rows| rows.swap(2, 3), 3, Number { found: 4 });
    check(&|rows| rows.insert(2, rows[1].clone()), 3, Number { found: 2 });
    check(&|rows| *rows[6].1.last_mut().unwrap() ^= 1, 7, Altered);
    check(&|rows| rows[6].2.0[0] ^= 1, 7, Altered);
    check(&|rows| rows.truncate(8), 9, CutOff { known: 10 });
    check(&|rows| rows.clear(), 1, CutOff { known: 10 });
    // Rewritten consistently: only the ledger knows.
    let drop_one = |rows: &mut Vec<Row>| {
        rows.remove(4);
        rechain(rows);
    };
    check(&drop_one, 6, Rewritten);
    let alter_last = |rows: &mut Vec<Row>| {
        rows[9].1 = SecurityEvent::new(UnixTime(9), Kind::Stop, Outcome::Success).encode();
        rechain(rows);
    };
    check(&alter_last, 10, Rewritten);
}

#[test]
fn bytes_that_are_no_event_do_not_pass_even_when_chained() {
    let mut rows = rows(3);
    rows[1].1 = b"not an event".to_vec();
    rechain(&mut rows);
    let broken = verify(&rows, vec![]).unwrap_err();
    assert_eq!(broken.sequence, 2);
    assert!(matches!(broken.because, BrokenBecause::Event(_)));
    assert!(broken.to_string().starts_with("the audit log is broken at event 2: not a security"));
}

#[test]
fn chains_of_two_logs_do_not_mix() {
    let rows = rows(2);
    let mut verifier = ChainVerifier::new(Chain::start("other.example"), vec![]);
    let broken = verifier.next(rows[0].0, &rows[0].1, &rows[0].2).unwrap_err();
    assert_eq!(broken, Broken { sequence: 1, because: BrokenBecause::Altered });
}

#[test]
fn anchors_have_one_form() {
    let head = head_of(&rows(12)[11]);
    let anchor = head.anchor();
    assert_eq!(Chain::from_anchor(&anchor), Ok(head));
    let text = String::from_utf8(anchor).unwrap();
    for other in [
        text.replace("\n12\n", "\n012\n"),
        text.replace("\n12\n", "\n+12\n"),
        text.replace("/v1", "/v2"),
        text.to_uppercase(),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        String::new(),
    ] {
        assert!(Chain::from_anchor(other.as_bytes()).is_err(), "{other:?}");
    }
}
