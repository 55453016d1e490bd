//! The form on the wire. What is read is what [`encode_segment`] writes: another encoding of the same
//! entries is refused, so that an entry has one hash.

use super::{
    DeviceLogError, LOG_DETAILS_MAX, LOG_KEY_MAX, LOG_SEQUENCE_MAX, LOG_TEXT_MAX, LOG_TIME_MAX,
    LogEntry, LogId, LogKind, LogOutcome, LogPlace, LogSeverity, SEGMENT_BYTES_MAX,
    SEGMENT_ENTRIES_MAX,
};
use crypto::Sha256;
use minicbor::{Decoder, Encoder};
use std::{collections::BTreeMap, convert::Infallible};

const VERSION: u8 = 1;

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// An entry as it came, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRead {
    /// where it stands
    pub place: LogPlace,
    /// what it says
    pub entry: LogEntry,
    /// its bytes, which the hash commits to
    pub bytes: Vec<u8>,
}

/// A piece of a device's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSegment {
    /// which log
    pub log: LogId,
    /// the entry before the first
    pub before: LogPlace,
    /// entries right before the first that the device gave up for want of room
    pub dropped: u64,
    /// the entries, at least one
    pub entries: Vec<EntryRead>,
}

impl LogSegment {
    /// Where the segment stands after `count` of its entries.
    pub fn place(&self, count: usize) -> LogPlace {
        let before = count.checked_sub(1).and_then(|at| self.entries.get(at));
        before.map_or(self.before, |entry| entry.place)
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// [`DeviceLogError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DeviceLogError> {
        if bytes.len() > SEGMENT_BYTES_MAX {
            return Err(DeviceLogError("it has more than 8,192 bytes"));
        }
        let segment = read(bytes)?;
        let entries: Vec<&[u8]> = segment.entries.iter().map(|it| it.bytes.as_slice()).collect();
        let again = encode_segment(&segment.log, &segment.before, segment.dropped, &entries);
        if again != bytes {
            return Err(DeviceLogError("its encoding is not deterministic"));
        }
        Ok(segment)
    }
}

/// Writes a segment from the bytes of its entries, the first of which follows `before`.
pub fn encode_segment(
    log: &LogId,
    before: &LogPlace,
    dropped: u64,
    entries: &[impl AsRef<[u8]>],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    // Writing to a Vec cannot fail: its error type is uninhabited.
    let _infallible = write(&mut Encoder::new(&mut out), log, before, dropped, entries);
    out
}

fn write(
    cbor: &mut Encoder<&mut Vec<u8>>,
    log: &LogId,
    before: &LogPlace,
    dropped: u64,
    entries: &[impl AsRef<[u8]>],
) -> Written {
    let later = before.sequence > 0;
    cbor.map(4 + if later { 2 } else { 0 } + u64::from(later && dropped > 0))?;
    cbor.u8(0)?.u8(VERSION)?;
    cbor.u8(1)?.bytes(&log.0)?;
    cbor.u8(2)?.u64(before.sequence.saturating_add(1))?;
    if later {
        cbor.u8(3)?.bytes(before.hash.as_bytes())?;
        cbor.u8(4)?.i64(before.time)?;
    }
    cbor.u8(5)?.array(u64::try_from(entries.len()).unwrap_or(u64::MAX))?;
    for entry in entries {
        cbor.writer_mut().extend_from_slice(entry.as_ref());
    }
    if later && dropped > 0 {
        cbor.u8(6)?.u64(dropped)?;
    }
    Ok(())
}

/// The bytes of an entry that follows one of the time `after`.
pub(super) fn encode_entry(entry: &LogEntry, after: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    // Writing to a Vec cannot fail: its error type is uninhabited.
    let _infallible = write_entry(&mut Encoder::new(&mut out), entry, after);
    out
}

fn write_entry(cbor: &mut Encoder<&mut Vec<u8>>, entry: &LogEntry, after: i64) -> Written {
    let present = [
        entry.boot.is_some(),
        entry.actor.is_some(),
        entry.subject.is_some(),
        !entry.details.is_empty(),
    ];
    let more = present.iter().map(|it| u64::from(*it)).sum::<u64>();
    cbor.array(4 + u64::from(more > 0))?;
    cbor.i64(entry.time.saturating_sub(after))?;
    cbor.u8(entry.kind.number())?;
    cbor.u8(entry.severity.number())?;
    cbor.u8(entry.outcome.number())?;
    if more == 0 {
        return Ok(());
    }
    cbor.map(more)?;
    if let Some(boot) = entry.boot {
        cbor.u8(0)?.u32(boot)?;
    }
    for (key, text) in [(1, &entry.actor), (2, &entry.subject)] {
        if let Some(text) = text {
            cbor.u8(key)?.str(text)?;
        }
    }
    if !entry.details.is_empty() {
        cbor.u8(3)?.map(u64::try_from(entry.details.len()).unwrap_or(u64::MAX))?;
        let mut sorted: Vec<_> = entry.details.iter().collect();
        // Encoded text sorts by length first (RFC 8949 section 4.2.1, bytewise order).
        sorted.sort_by_key(|(key, _)| (key.len(), *key));
        for (key, value) in sorted {
            cbor.str(key)?.str(value)?;
        }
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<LogSegment, DeviceLogError> {
    let bad = DeviceLogError;
    let mut cbor = Decoder::new(bytes);
    let fields = cbor.map().ok().flatten().ok_or(bad("it is no map of known length"))?;
    if fields > 7 {
        return Err(bad("it has unknown fields"));
    }
    let (mut version, mut log, mut first, mut hash, mut time) = (None, None, None, None, None);
    let (mut entries, mut dropped) = (None, None);
    for _ in 0..fields {
        match cbor.u8().map_err(|_| bad("a field's number"))? {
            0 => version = cbor.u8().ok(),
            1 => log = cbor.bytes().ok().and_then(|it| <[u8; 8]>::try_from(it).ok()).map(LogId),
            2 => first = cbor.u64().ok().filter(|it| (1..=LOG_SEQUENCE_MAX).contains(it)),
            3 => hash = Some(cbor.bytes().ok().and_then(Sha256::from_slice)),
            4 => time = Some(cbor.i64().ok().filter(|it| (0..=LOG_TIME_MAX).contains(it))),
            5 => entries = Some(items(&mut cbor, bytes)?),
            6 => {
                let number = cbor.u64().ok().filter(|it| (1..=LOG_SEQUENCE_MAX).contains(it));
                dropped = Some(number.ok_or(bad("how many entries were dropped"))?);
            }
            _ => return Err(bad("it has unknown fields")),
        }
    }
    if cbor.position() != bytes.len() {
        return Err(bad("something follows it"));
    }
    if version != Some(VERSION) {
        return Err(bad("it has another version than 1"));
    }
    let log = log.ok_or(bad("its log's id has not 8 bytes"))?;
    let first = first.ok_or(bad("its first number"))?;
    let before = match (first, hash, time, dropped) {
        (1, None, None, None) => LogPlace::start(&log),
        (1, ..) => return Err(bad("nothing is before the first entry of a log")),
        (_, Some(Some(hash)), Some(Some(time)), _) => {
            LogPlace { sequence: first.saturating_sub(1), hash, time }
        }
        _ => return Err(bad("hash and time of the entry before")),
    };
    let mut place = before;
    let mut read = Vec::new();
    for bytes in entries.ok_or(bad("it has no entries"))? {
        let entry = read_entry(bytes, place.time)?;
        place = place.next(bytes, entry.time)?;
        read.push(EntryRead { place, entry, bytes: bytes.to_vec() });
    }
    Ok(LogSegment { log, before, dropped: dropped.unwrap_or(0), entries: read })
}

/// The bytes of each entry.
fn items<'a>(cbor: &mut Decoder<'a>, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, DeviceLogError> {
    let wrong = DeviceLogError("it has not 1 to 64 entries");
    let most = u64::try_from(SEGMENT_ENTRIES_MAX).unwrap_or(u64::MAX);
    let count = cbor.array().ok().flatten().filter(|it| (1..=most).contains(it)).ok_or(wrong)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let begins = cbor.position();
        cbor.skip().map_err(|_| wrong)?;
        items.push(bytes.get(begins..cbor.position()).ok_or(wrong)?);
    }
    Ok(items)
}

/// Reads an entry that follows one of the time `after`.
///
/// # Errors
/// [`DeviceLogError`].
pub fn read_entry(bytes: &[u8], after: i64) -> Result<LogEntry, DeviceLogError> {
    let bad = DeviceLogError;
    let mut cbor = Decoder::new(bytes);
    let count = cbor.array().ok().flatten().filter(|count| matches!(count, 4 | 5));
    let count = count.ok_or(bad("an entry has 4 or 5 items"))?;
    let seconds = cbor.i64().ok().filter(|it| (-LOG_TIME_MAX..=LOG_TIME_MAX).contains(it));
    let seconds = seconds.ok_or(bad("an entry's time"))?;
    let mut number = || cbor.u8().ok();
    let kind = number().and_then(LogKind::from_number).ok_or(bad("an entry's kind"))?;
    let severity = number().and_then(LogSeverity::from_number).ok_or(bad("an entry's severity"))?;
    let outcome = number().and_then(LogOutcome::from_number).ok_or(bad("an entry's outcome"))?;
    let time = after.saturating_add(seconds);
    if !(0..=LOG_TIME_MAX).contains(&time) {
        return Err(bad("a time beyond the year 9999, or before its beginning"));
    }
    let mut entry = LogEntry::new(time, kind, severity, outcome);
    if count == 5 {
        read_more(&mut cbor, &mut entry)?;
    }
    if cbor.position() != bytes.len() {
        return Err(bad("something follows an entry"));
    }
    if encode_entry(&entry, after) != bytes {
        return Err(bad("its encoding is not deterministic"));
    }
    Ok(entry)
}

/// Reads an entry whose time is known.
///
/// # Errors
/// [`DeviceLogError`].
pub fn entry_of(bytes: &[u8], time: i64) -> Result<LogEntry, DeviceLogError> {
    let mut cbor = Decoder::new(bytes);
    let seconds = cbor.array().and_then(|_| cbor.i64());
    let seconds = seconds.map_err(|_| DeviceLogError("an entry's time"))?;
    read_entry(bytes, time.saturating_sub(seconds))
}

fn read_more(cbor: &mut Decoder<'_>, entry: &mut LogEntry) -> Result<(), DeviceLogError> {
    let bad = DeviceLogError;
    let fields = cbor.map().ok().flatten().filter(|it| (1..=4).contains(it));
    for _ in 0..fields.ok_or(bad("the rest of an entry"))? {
        match cbor.u8().map_err(|_| bad("the rest of an entry"))? {
            0 => entry.boot = Some(cbor.u32().map_err(|_| bad("a number of a start"))?),
            1 => entry.actor = Some(text(cbor, LOG_TEXT_MAX)?),
            2 => entry.subject = Some(text(cbor, LOG_TEXT_MAX)?),
            3 => entry.details = read_details(cbor)?,
            _ => return Err(bad("an entry has unknown fields")),
        }
    }
    Ok(())
}

fn text(cbor: &mut Decoder<'_>, most: usize) -> Result<String, DeviceLogError> {
    let text = cbor.str().ok().filter(|text| (1..=most).contains(&text.len()));
    text.map(str::to_owned).ok_or(DeviceLogError("a text is empty or too long"))
}

fn read_details(cbor: &mut Decoder<'_>) -> Result<BTreeMap<String, String>, DeviceLogError> {
    let wrong = DeviceLogError("an entry has 1 to 4 details, if any");
    let most = u64::try_from(LOG_DETAILS_MAX).unwrap_or(u64::MAX);
    let count = cbor.map().ok().flatten().filter(|it| (1..=most).contains(it)).ok_or(wrong)?;
    let mut details = BTreeMap::new();
    for _ in 0..count {
        let key = text(cbor, LOG_KEY_MAX)?;
        details.insert(key, text(cbor, LOG_TEXT_MAX)?);
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: LogId = LogId([0, 1, 2, 3, 4, 5, 6, 7]);

    fn any_entry() -> impl Strategy<Value = LogEntry> {
        let text = || proptest::option::of("[a-zé]{1,32}");
        (
            0..=LOG_TIME_MAX,
            proptest::option::of(any::<u32>()),
            (0..16_u8, 1..6_u8, 0..3_u8),
            (text(), text()),
            proptest::collection::btree_map("[a-z]{1,16}", "[ -~]{1,64}", 0..5),
        )
            .prop_map(
                |(time, boot, (kind, severity, outcome), (actor, subject), details)| LogEntry {
                    time,
                    boot,
                    kind: LogKind::from_number(kind).unwrap(),
                    severity: LogSeverity::from_number(severity).unwrap(),
                    outcome: LogOutcome::from_number(outcome).unwrap(),
                    actor,
                    subject,
                    details,
                },
            )
    }

    fn chained(before: LogPlace, entries: &[LogEntry]) -> (Vec<LogPlace>, Vec<Vec<u8>>) {
        let mut at = before;
        let each = entries.iter().map(|entry| {
            let (next, bytes) = at.append(entry).unwrap();
            at = next;
            (next, bytes)
        });
        each.unzip()
    }

    /// The example of docs/device-log.md.
    #[test]
    fn the_worked_example() {
        use LogKind::{Boot, LocalLogin, Physical};
        let mut entries = vec![
            LogEntry::new(1_795_000_000, Boot, LogSeverity::Informational, LogOutcome::Success),
            LogEntry::new(1_795_000_042, LocalLogin, LogSeverity::Medium, LogOutcome::Failure),
            LogEntry::new(1_795_000_043, Physical, LogSeverity::Critical, LogOutcome::Success),
        ];
        entries[1].actor = Some("root".into());
        entries[1].details.insert("port".into(), "ttyS0".into());
        let (places, bytes) = chained(LogPlace::start(&LOG), &entries);
        let segment = encode_segment(&LOG, &LogPlace::start(&LOG), 0, &bytes);
        assert_eq!(
            hex::encode(&segment),
            "a400010148000102030405060702010583841a6afd86c000010085182a070301\
             a20164726f6f7403a164706f7274657474795330840 10b0500"
                .replace(' ', "")
        );
        let read = LogSegment::decode(&segment).unwrap();
        assert_eq!(read.entries.len(), 3);
        assert_eq!(read.place(3), places[2]);
        // A later segment, after one entry that was dropped.
        let (_, tail) = (&bytes[0], &bytes[2..]);
        let later = encode_segment(&LOG, &places[1], 2, tail);
        let read = LogSegment::decode(&later).unwrap();
        assert_eq!((read.before, read.dropped, read.place(1)), (places[1], 2, places[2]));
        assert_eq!(later.len(), 65);
    }

    #[test]
    fn what_is_no_segment() {
        let good = "a4000101480001020304050607020105818400000100";
        assert!(LogSegment::decode(&hex::decode(good).unwrap()).is_ok());
        for wrong in [
            "",
            "a0",
            "80",
            // another version; a log's id of 7 bytes; first 0; no entries; an unknown field
            "a4000201480001020304050607020105818400000100",
            "a40001014700010203040506020105818400000100",
            "a4000101480001020304050607020005818400000100",
            "a40001014800010203040506070201 0580",
            "a5000101480001020304050607020105818400000100 0700",
            // a number that could be shorter; keys in another order; a key twice; more behind it
            "a400180101480001020304050607020105818400000100",
            "a4014800010203040506070001020105818400000100",
            "a500010001014800010203040506070201058184 00000100",
            "a400010148000102030405060702010581840000010000",
            // the first with something before it; a later one without
            "a50001014800010203040506070201040005818400000100",
            "a4000101480001020304050607020205818400000100",
            // kind 16, severity 0 and 6, outcome 3, a time before 1970, an empty rest
            "a4000101480001020304050607020105818400100100",
            "a4000101480001020304050607020105818400000000",
            "a4000101480001020304050607020105818400000600",
            "a4000101480001020304050607020105818400000103",
            "a4000101480001020304050607020105818420000100",
            "a4000101480001020304050607020105818500000100a0",
            // an array of unknown length, an empty text, empty details
            "a40001014800010203040506070201059f8400000100ff",
            "a4000101480001020304050607020105818500000100a10160",
            "a4000101480001020304050607020105818500000100a103a0",
        ] {
            let bytes = hex::decode(wrong.replace(' ', "")).unwrap();
            assert!(LogSegment::decode(&bytes).is_err(), "{wrong}");
        }
        let many = vec![[0x84, 0, 0, 1, 0]; 65];
        let start = LogPlace::start(&LOG);
        assert!(LogSegment::decode(&encode_segment(&LOG, &start, 0, &many[..64])).is_ok());
        assert!(LogSegment::decode(&encode_segment(&LOG, &start, 0, &many)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            entries in proptest::collection::vec(any_entry(), 1..12),
            dropped in 0..1000_u64,
            cut in any::<proptest::sample::Index>(),
        ) {
            let start = LogPlace::start(&LOG);
            let (places, bytes) = chained(start, &entries);
            let from = cut.index(entries.len());
            let before = from.checked_sub(1).map_or(start, |at| places[at]);
            let segment = encode_segment(&LOG, &before, dropped, &bytes[from..]);
            prop_assume!(segment.len() <= SEGMENT_BYTES_MAX);
            let read = LogSegment::decode(&segment).unwrap();
            prop_assert_eq!(read.before, before);
            prop_assert_eq!(read.dropped, if from == 0 { 0 } else { dropped });
            for (at, one) in read.entries.iter().enumerate() {
                prop_assert_eq!(&one.entry, &entries[from + at]);
                prop_assert_eq!(one.place, places[from + at]);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = LogSegment::decode(&bytes);
            let _ = read_entry(&bytes, 0);
        }

        /// One bit elsewhere makes another chain, or none.
        #[test]
        fn a_changed_bit_shows(entry in any_entry(), bit in any::<proptest::sample::Index>()) {
            let (_, bytes) = chained(LogPlace::start(&LOG), &[entry]);
            let segment = encode_segment(&LOG, &LogPlace::start(&LOG), 0, &bytes);
            let mut changed = segment.clone();
            let bit = bit.index(segment.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            let whole = LogSegment::decode(&segment).unwrap();
            if let Ok(other) = LogSegment::decode(&changed) {
                prop_assert_ne!(other.place(1).hash, whole.place(1).hash);
            }
        }
    }
}
