//! A piece of a device's log (LG-5): any bytes are a segment or not; what is read is written the same
//! again, its chain holds, and where it belongs is decided without a panic. What was taken once is known.
#![no_main]

use admission::device_log::{
    Began, Continuity, KeptEntry, KnownRun, LogSegment, continuity, encode_segment, entry_of,
    follow,
};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;

fuzz_target!(|bytes: &[u8]| {
    let Ok(segment) = LogSegment::decode(bytes) else { return };
    let entries: Vec<&[u8]> = segment.entries.iter().map(|it| it.bytes.as_slice()).collect();
    let again = encode_segment(&segment.log, &segment.before, segment.dropped, &entries);
    assert_eq!(again, bytes);
    let mut place = segment.before;
    for read in &segment.entries {
        assert_eq!(place.append(&read.entry), Ok((read.place, read.bytes.clone())));
        assert_eq!(entry_of(&read.bytes, read.place.time), Ok(read.entry.clone()));
        assert_eq!(read.entry.clone().fitted(), read.entry);
        place = read.place;
    }
    let kept = segment.entries.iter().map(|it| KeptEntry {
        sequence: it.place.sequence,
        hash: &it.place.hash,
        time: it.place.time,
        bytes: &it.bytes,
    });
    assert_eq!(follow(Some(segment.before), kept), Ok(Some(place)));
    let run =
        KnownRun { began: Began::First, log: segment.log, before: segment.before, last: place };
    let Ok(first) = continuity(&segment, &[], 0, |_, _| Ok::<_, Infallible>(None));
    let [part] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!((part.from, part.to), (0, segment.entries.len()));
    assert!(matches!(part.goes, Continuity::Begin { because: Began::First, .. }));
    let again = continuity(&segment, &[run], 0, |_, _| Ok::<_, Infallible>(None));
    assert_eq!(again, Ok(Vec::new()));
});
