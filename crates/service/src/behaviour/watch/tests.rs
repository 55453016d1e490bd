use super::*;

const T: UnixTime = UnixTime(1_795_046_400);

fn who(row: i64, owner: i64) -> Who {
    Who { device: DeviceId::from_bytes([7; 16]), row, owner, line: NO_LINE.to_owned() }
}

fn count(all: &Behaviour, (row, owner): (i64, i64), at: UnixTime) {
    let work = |live: &mut Live, _: &RandomState| {
        live.count = live.count.saturating_add(1);
        live.pending.messages = live.pending.messages.saturating_add(1);
    };
    all.with(row, owner, at, || who(row, owner), work);
}

fn version(all: &Behaviour, row: i64, number: u32) {
    let work = |live: &mut Live, hashes: &RandomState| {
        if live.is_new(Aspect::Firmware, hashes.hash_one(number)) {
            live.add(Aspect::Firmware, number.to_string());
        }
    };
    all.with(row, 1, T, || who(row, 1), work);
}

#[test]
fn every_part_has_its_turn_and_no_device_waits_for_good() {
    let all = Behaviour::default();
    let mut turn = Turn::default();
    let devices = i64::try_from(ROUND_MAX).unwrap() * 3;
    for row in 0..devices {
        count(&all, (row, 1), T);
    }
    let first = all.take(&mut turn, T, Scope::New);
    assert_eq!(first.len(), ROUND_MAX);
    let mut seen: HashSet<i64> = first.iter().map(|it| it.who.row).collect();
    for part in 0..16 {
        let of = seen.iter().filter(|row| *row % 16 == part).count();
        assert_eq!(of, ROUND_MAX / SHARDS, "part {part}");
    }
    // Those that were looked at send again: the others come first all the same.
    for _ in 0..2 {
        for row in 0..devices {
            count(&all, (row, 1), T);
        }
        seen.extend(all.take(&mut turn, T, Scope::New).iter().map(|it| it.who.row));
    }
    assert_eq!(seen.len(), ROUND_MAX * 3);
}

#[test]
fn what_waits_longer_than_an_hour_is_of_the_hour_it_came_in() {
    let all = Behaviour::default();
    for hour in 0..3 {
        for _ in 0..=hour {
            count(&all, (5, 1), UnixTime(T.0 + hour * 3600));
        }
    }
    let taken = all.take(&mut Turn::default(), UnixTime(T.0 + 7200), Scope::New);
    let of: Vec<_> = taken.iter().map(|it| (it.at().0 - T.0, it.pending.messages)).collect();
    assert_eq!(of, [(0, 1), (3600, 2), (7200, 3)]);
}

#[test]
fn an_aspect_that_is_full_hides_no_other() {
    let all = Behaviour::default();
    for number in 0..100 {
        version(&all, 5, number);
    }
    let mut shard = all.shard(5);
    let live = shard.live.get_mut(&5).unwrap();
    assert_eq!(live.pending.values.len(), Aspect::Firmware.observed_max());
    // The same hash is of each aspect once.
    for aspect in [Aspect::Topic, Aspect::Place, Aspect::Door, Aspect::Rate, Aspect::Size] {
        assert!(live.is_new(aspect, 1), "{aspect:?}");
        assert!(!live.is_new(aspect, 1), "{aspect:?}");
    }
    assert!(live.is_full());
}

#[test]
fn what_one_line_asks_for_is_taken_of_nobody_else() {
    let all = Behaviour::default();
    let mut turn = Turn { flushed: Some(T), ..Turn::default() };
    for row in 0..40 {
        count(&all, (row, row % 2), T);
    }
    let taken = all.take(&mut turn, T, Scope::Line(1, NO_LINE));
    assert!(taken.len() == 20 && taken.iter().all(|it| it.who.owner == 1));
    let taken = all.take(&mut turn, T, Scope::Device(2));
    assert!(taken.len() == 1 && taken.iter().all(|it| it.who.row == 2));
    assert_eq!(all.take(&mut turn, T, Scope::All).len(), 19);
}

#[test]
fn one_owner_leaves_room_for_others_and_it_is_said_once_an_hour() {
    let all = Behaviour::default();
    let mut turn = Turn::default();
    let most = i64::try_from(OWNER_MAX / SHARDS).unwrap();
    for number in 0..most + 2 {
        count(&all, (number * 16, 1), T);
    }
    count(&all, (16 * (most + 9), 2), T);
    let _taken = all.take(&mut turn, T, Scope::New);
    assert_eq!(turn.uncounted(T), [(1, 2)]);
    let shard = all.shard(0);
    assert_eq!(shard.live.len(), OWNER_MAX / SHARDS + 1);
    drop(shard);
    count(&all, (16 * (most + 20), 1), T);
    let _taken = all.take(&mut turn, UnixTime(T.0 + 60), Scope::New);
    assert!(turn.uncounted(T).is_empty());
    assert_eq!(turn.uncounted(UnixTime(T.0 + 3600)), [(1, 1)]);
}

#[test]
fn no_own_topic_looks_like_anothers() {
    assert_eq!(spaced(false, "up/t".into()), "other:up/t");
    assert_eq!(spaced(true, "up/t".into()), "up/t");
    assert_eq!(spaced(true, "other:up/t".into()), "own:other:up/t");
}
