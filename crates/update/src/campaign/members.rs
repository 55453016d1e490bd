//! Who is in a campaign, as a tree that the log commits to: nobody is added, and nobody left out,
//! unnoticed; and who is in it is told to nobody but the member itself.

use crate::{
    MetadataError,
    fields::Fields,
    json::{self, Object},
    signed::number,
};
use crypto::{Sha256, UnixTime, sha256_of};
use device::DeviceId;
use ledger::{InclusionProof, LedgerError, verify_leaf_hash};

/// Members under one node of the tree that is stored.
pub const SLICE: usize = 64;
/// Largest statement that is read, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 4 * 1024;
const TYPE: &str = "tegata-campaign";
const VERSION: u64 = 1;

/// What hides a member in the tree. Its first 8 bytes, big-endian, are the member's lot: by it the
/// plan says in which stage it is.
pub fn salt(seed: &[u8; 32], device: &DeviceId) -> Sha256 {
    sha256_of(&[b"tegata/campaign-salt/v1\0", seed, device.as_bytes()])
}

/// The lot of the member with this salt.
pub fn lot(salt: &Sha256) -> u64 {
    let (first, _) = salt.as_bytes().split_at(8);
    first.iter().fold(0, |lot, byte| lot << 8 | u64::from(*byte))
}

/// The leaf of a member: hash of RFC 6962 over what hides it, the campaign and the device.
pub fn leaf(campaign: &[u8; 16], device: &DeviceId, salt: &Sha256) -> Sha256 {
    let parts: [&[u8]; 5] =
        [&[0], b"tegata/campaign-member/v1\0", salt.as_bytes(), campaign, device.as_bytes()];
    sha256_of(&parts)
}

/// Every level of a tree over nodes: RFC 6962, where a node without a sibling moves up unchanged.
#[derive(Clone, Debug)]
pub struct Levels(Vec<Vec<Sha256>>);

impl Levels {
    /// The tree over `nodes`: leaves, or the roots of slices of [`SLICE`] leaves each, of which only
    /// the last may have fewer.
    pub fn over(nodes: Vec<Sha256>) -> Self {
        let mut levels = vec![nodes];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let above = last
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => sha256_of(&[&[1], left.as_bytes(), right.as_bytes()]),
                    rest => rest.first().copied().unwrap_or_default(),
                })
                .collect();
            levels.push(above);
        }
        Self(levels)
    }

    /// Its root; that of nothing where there are no nodes.
    pub fn root(&self) -> Sha256 {
        self.0.last().and_then(|top| top.first()).copied().unwrap_or(ledger::EMPTY_ROOT)
    }

    /// Siblings on the way from a node to the root.
    pub fn path(&self, index: usize) -> Vec<Sha256> {
        let mut at = index;
        let mut path = Vec::new();
        for level in &self.0 {
            path.extend(level.get(at ^ 1).copied().filter(|_| level.len() > 1));
            at >>= 1;
        }
        path
    }
}

/// What happens to a campaign, as the log is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// it starts: the members get its release
    Started,
    /// the members get the release before
    RolledBack,
    /// nobody gets anything
    Paused,
    /// it goes on
    Resumed,
    /// nobody gets anything any more
    Cancelled,
    /// every member is through
    Finished,
}

impl Told {
    const ALL: [Self; 6] = [
        Self::Started,
        Self::RolledBack,
        Self::Paused,
        Self::Resumed,
        Self::Cancelled,
        Self::Finished,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::RolledBack => "rolled-back",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}

/// What the log commits to when a campaign starts and whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignStatement {
    /// the campaign
    pub campaign: [u8; 16],
    /// its number among the campaign's statements, from 1
    pub number: u64,
    /// whose campaign it is
    pub organisation: String,
    /// what happened
    pub told: Told,
    /// number of members
    pub members: u64,
    /// root of the tree of members
    pub root: Sha256,
    /// the release that the members get: its id
    pub release: Option<[u8; 16]>,
    /// when
    pub at: UnixTime,
}

impl CampaignStatement {
    /// The bytes that the log commits to: canonical JSON.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`] for a time before 1970.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetadataError> {
        let mut object = Object::new();
        object.insert("_type", TYPE);
        object.insert("format", number(VERSION));
        object.insert("campaign", hex::encode(self.campaign));
        object.insert("number", number(self.number));
        object.insert("organisation", self.organisation.as_str());
        object.insert("told", self.told.name());
        object.insert("members", number(self.members));
        object.insert("root", self.root.to_string());
        if let Some(release) = self.release {
            object.insert("release", hex::encode(release));
        }
        let at = u64::try_from(self.at.0)
            .map_err(|_| MetadataError::malformed("at", "is before 1970"))?;
        object.insert("at", number(at));
        Ok(json::Value::from(object).canonical())
    }

    /// Reads a statement. Only the canonical form is one.
    ///
    /// # Errors
    /// [`MetadataError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let bad = |reason: &str| MetadataError::malformed("campaign statement", reason);
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(bad("is longer than 4 KiB"));
        }
        let value = json::parse(bytes).map_err(|error| bad(&error.to_string()))?;
        let mut fields = Fields::new(value, "campaign statement")?;
        if fields.string("_type")? != TYPE || fields.number("format")? != VERSION {
            return Err(bad("is of another type or format"));
        }
        let id = |text: &str| {
            let mut out = [0; 16];
            hex::decode_to_slice(text, &mut out).map(|()| out).map_err(|_| bad("has no id"))
        };
        let told = fields.string("told")?;
        let release = match fields.optional("release") {
            None => None,
            Some(json::Value::String(text)) => Some(id(&text)?),
            Some(_) => return Err(bad("names a release by no id")),
        };
        let statement = Self {
            campaign: id(&fields.string("campaign")?)?,
            number: fields.number("number")?,
            organisation: fields.string("organisation")?,
            told: Told::ALL
                .into_iter()
                .find(|known| known.name() == told)
                .ok_or_else(|| bad("tells what is not known here"))?,
            members: fields.number("members")?,
            root: Sha256::from_hex(&fields.string("root")?).ok_or_else(|| bad("has no root"))?,
            release,
            at: UnixTime(i64::try_from(fields.number("at")?).map_err(|_| bad("has no time"))?),
        };
        if statement.to_bytes()? != bytes {
            return Err(bad("is not in its one form"));
        }
        Ok(statement)
    }

    /// Checks that a device is a member.
    ///
    /// # Errors
    /// [`LedgerError::ProofInvalid`].
    pub fn verify_member(
        &self,
        device: &DeviceId,
        salt: &Sha256,
        index: u64,
        path: &[Sha256],
    ) -> Result<(), LedgerError> {
        let proof = InclusionProof { index, size: self.members, hashes: path.to_vec() };
        verify_leaf_hash(&leaf(&self.campaign, device, salt), &proof, &self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u64) -> DeviceId {
        let mut bytes = [7; 16];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        DeviceId::from_bytes(bytes)
    }

    #[test]
    fn every_member_can_prove_it_and_nobody_else() {
        let (seed, campaign) = ([3; 32], [9; 16]);
        for members in [1usize, 2, 63, 64, 65, 128, 129, 1000] {
            let leaves: Vec<Sha256> = (0..members as u64)
                .map(|n| leaf(&campaign, &device(n), &salt(&seed, &device(n))))
                .collect();
            let slices: Vec<Levels> =
                leaves.chunks(SLICE).map(|slice| Levels::over(slice.to_vec())).collect();
            let upper = Levels::over(slices.iter().map(Levels::root).collect());
            assert_eq!(upper.root(), Levels::over(leaves.clone()).root());
            let statement = CampaignStatement {
                campaign,
                number: 1,
                organisation: "owner".into(),
                told: Told::Started,
                members: members as u64,
                root: upper.root(),
                release: Some([1; 16]),
                at: UnixTime(1_800_000_000),
            };
            for n in 0..members {
                let mut path = slices[n / SLICE].path(n % SLICE);
                path.extend(upper.path(n / SLICE));
                let who = device(n as u64);
                let verify = |who: &DeviceId| {
                    statement.verify_member(who, &salt(&seed, who), n as u64, &path)
                };
                verify(&who).unwrap();
                assert!(verify(&device(members as u64 + 1)).is_err());
                assert!(
                    statement.verify_member(&who, &salt(&[4; 32], &who), n as u64, &path).is_err()
                );
            }
            let bytes = statement.to_bytes().unwrap();
            assert_eq!(CampaignStatement::parse(&bytes), Ok(statement));
            assert!(CampaignStatement::parse(&bytes[1..]).is_err());
            let spaced = [&bytes[..1], b" ", &bytes[1..]].concat();
            assert!(CampaignStatement::parse(&spaced).is_err());
        }
        assert_eq!(Levels::over(Vec::new()).root(), ledger::EMPTY_ROOT);
    }
}
