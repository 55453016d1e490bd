//! Statements of campaigns and releases, as the log commits to them: the first byte chooses. Any bytes
//! are refused or are the one form of what they say; nobody is a member of what came from anywhere.
#![no_main]

use crypto::Sha256;
use device::DeviceId;
use libfuzzer_sys::fuzz_target;
use update::{ReleaseStatement, campaign::CampaignStatement};

fuzz_target!(|bytes: &[u8]| {
    let Some((form, bytes)) = bytes.split_first() else { return };
    if form % 2 == 0 {
        let Ok(statement) = CampaignStatement::parse(bytes) else { return };
        assert_eq!(statement.to_bytes().expect("what was read"), bytes, "one form");
        let device = DeviceId::from_bytes([7; 16]);
        let path = [Sha256([1; 32]); 3];
        for index in [0, 1, statement.members.saturating_sub(1), statement.members, u64::MAX] {
            for length in 0..path.len() {
                let salt = Sha256([9; 32]);
                assert!(statement.verify_member(&device, &salt, index, &path[..length]).is_err());
            }
        }
    } else if let Ok(statement) = ReleaseStatement::parse(bytes) {
        assert_eq!(statement.to_bytes().expect("what was read"), bytes, "one form");
    }
});
