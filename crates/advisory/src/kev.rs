use crate::{
    AdvisoryError, Remarks, VulnerabilityId, json, json::Members as _, moment, remark::RemarkKind,
};
use crypto::UnixTime;
use std::collections::BTreeMap;

/// Largest catalogue that is read, in bytes.
const KEV_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Vulnerabilities that are known to be exploited (CISA's KEV catalogue, JSON).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownExploited {
    entries: BTreeMap<VulnerabilityId, Exploited>,
    /// when the catalogue was released
    pub released: Option<UnixTime>,
    /// what was not taken
    pub remarks: Remarks,
}

/// What is known about the exploitation of a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exploited {
    /// since when it is listed
    pub since: Option<UnixTime>,
    /// by when the list's authority wants it mended
    pub due: Option<UnixTime>,
    /// whether ransomware is known to use it
    pub ransomware: bool,
}

impl KnownExploited {
    /// Whether a document is such a catalogue.
    pub fn is_catalogue(bytes: &[u8]) -> bool {
        let start = bytes.get(..4_096).unwrap_or(bytes);
        start.windows(b"\"catalogVersion\"".len()).any(|window| window == b"\"catalogVersion\"")
    }

    /// Reads the catalogue.
    ///
    /// # Errors
    /// [`AdvisoryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvisoryError> {
        let document = json::parse(bytes, KEV_BYTES_MAX, "a KEV catalogue")?;
        let list = document.get("vulnerabilities").and_then(serde_json::Value::as_array);
        let list =
            list.ok_or_else(|| AdvisoryError::malformed("a KEV catalogue", "no vulnerabilities"))?;
        let released = document.text("dateReleased").and_then(moment::parse);
        let mut out = Self { released, ..Self::default() };
        for (index, item) in list.iter().enumerate() {
            let Some(id) = item.text("cveID").and_then(VulnerabilityId::new) else {
                let place = format!("vulnerabilities[{index}]");
                out.remarks.add(RemarkKind::Malformed, place, "no cveID; left out");
                continue;
            };
            let entry = Exploited {
                since: item.text("dateAdded").and_then(moment::parse),
                due: item.text("dueDate").and_then(moment::parse),
                ransomware: item
                    .text("knownRansomwareCampaignUse")
                    .is_some_and(|word| word.eq_ignore_ascii_case("known")),
            };
            out.entries.insert(id, entry);
        }
        Ok(out)
    }

    /// Takes over the entries of another catalogue.
    pub fn merge(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.released = self.released.max(other.released);
        self.remarks.extend(other.remarks);
    }

    /// Adds one, for lists of other authorities and own knowledge.
    pub fn insert(&mut self, id: VulnerabilityId, entry: Exploited) {
        self.entries.insert(id, entry);
    }

    /// What is known about a vulnerability.
    pub fn get(&self, id: &VulnerabilityId) -> Option<&Exploited> {
        self.entries.get(id)
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (&VulnerabilityId, &Exploited)> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
