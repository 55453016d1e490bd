//! Certificate revocation lists, and TBSCertificates as the linter reads them: any bytes are an
//! error, or a list whose entries are sorted, unique and found; the linter never falls silent over
//! something that is not a TBSCertificate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::{Crl, Prepared, Profile, lint::lint};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = Crl::parse(bytes) {
        assert_eq!(list.der(), bytes, "bytes are kept as received");
        let entries = list.entries();
        assert!(entries.is_sorted_by(|a, b| a.serial < b.serial), "sorted and unique");
        assert!(entries.iter().all(|entry| list.entry(&entry.serial) == Some(entry)));
        assert!(list.number().is_some());
        let _ = list.issuer().to_string();
    }
    let findings = lint(bytes, None);
    let prepared = Prepared::from_tbs(bytes.to_vec());
    assert!(prepared.is_ok() || !findings.is_empty());
    if let Ok(prepared) = prepared {
        assert_eq!(prepared.tbs(), bytes);
        for profile in Profile::ALL {
            let _ = lint(bytes, Some(profile));
        }
    }
});
