//! Keys and certificates of simulated devices: one file per product line, written to its end and read
//! at a place, so that a hundred thousand of them cost a few bytes of memory each.
//!
//! ```text
//! file   = "tegata-sim 1\n" root: 32 bytes, record*
//! record = length: u32, id: 16 bytes, serial: text, key: bytes, certificate: bytes, check: 4 bytes
//! text, bytes = length: u16, its bytes
//! ```
//! Numbers are little-endian; `length` counts what follows it; `root` is the SHA-256 of the root that the
//! server's certificate must lead to; `check` is the beginning of the SHA-256 of the record. Private keys
//! are in the clear: the file is its owner's alone (mode 600).

use anyhow::{Context as _, bail, ensure};
use crypto::{Secret, Sha256, SoftwareKey};
use device::DeviceId;
use pki::Certificate;
use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::{BufReader, Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 13] = b"tegata-sim 1\n";
const HEAD: u64 = 13 + 32;
/// Longest record: a key of any kind that is made here, and a certificate of a usual size.
const RECORD_MAX: u32 = 16 * 1024;
/// Certificates of issuing CAs that a folder holds.
const ISSUERS_MAX: usize = 64;

/// Where a device's key and certificate are.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// which device
    pub id: DeviceId,
    at: u64,
}

impl Place {
    /// Where in the file.
    pub fn at(self) -> u64 {
        self.at
    }
}

/// What a device has.
pub struct Thing {
    /// which
    pub id: DeviceId,
    /// its serial number
    pub serial: String,
    /// its key
    pub key: SoftwareKey,
    /// its certificate in DER
    pub certificate: Vec<u8>,
}

/// The devices of one product line.
pub struct Line {
    file: File,
    end: u64,
    places: Vec<Place>,
}

/// A folder of devices.
pub struct Store {
    dir: PathBuf,
    root: [u8; 32],
    /// what serial numbers begin with, after `SIM-`
    pub prefix: String,
    lines: BTreeMap<String, Line>,
    issuers: Vec<Certificate>,
    /// held for as long as the folder is in use
    _lock: File,
}

impl Store {
    /// Opens the folder, and makes it where there is none. `root` names the platform.
    pub fn open(dir: &Path, root: &Sha256) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let lock = private(&dir.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("{} is in use by another simulator", dir.display());
        }
        let named = dir.join("prefix");
        let prefix = match std::fs::read_to_string(&named) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => {
                let new = hex::encode(crypto::random::bytes::<4>());
                std::fs::write(&named, &new)?;
                new
            }
        };
        ensure!(
            prefix.len() == 8 && prefix.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{} is damaged; use another folder",
            named.display()
        );
        let issuers = match std::fs::read_to_string(dir.join("issuers.pem")) {
            Ok(text) => Certificate::from_pem_chain(&text, ISSUERS_MAX)?,
            Err(_) => Vec::new(),
        };
        let root = *root.as_bytes();
        Ok(Self { dir: dir.to_owned(), root, prefix, lines: BTreeMap::new(), issuers, _lock: lock })
    }

    /// The product lines that the folder has devices of.
    pub fn products(&self) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if let Some(product) = name.to_str().and_then(|name| name.strip_suffix(".devices")) {
                found.push(product.to_owned());
            }
        }
        Ok(found)
    }

    fn path(&self, product: &str) -> PathBuf {
        self.dir.join(format!("{product}.devices"))
    }

    /// The devices of a product line, in the order in which they were enrolled.
    pub fn line(&mut self, product: &str) -> anyhow::Result<&mut Line> {
        device::ProductId::new(product)?;
        if !self.lines.contains_key(product) {
            let line = Line::open(&self.path(product), &self.root, &self.gone()?)?;
            self.lines.insert(product.to_owned(), line);
        }
        self.lines.get_mut(product).context("it was just put there")
    }

    /// Devices of a product line that was opened.
    pub fn opened(&self, product: &str) -> Option<&Line> {
        self.lines.get(product)
    }

    /// Takes certificates of issuing CAs that it does not have yet.
    pub fn add_issuers(&mut self, found: Vec<Certificate>) -> anyhow::Result<()> {
        let before = self.issuers.len();
        for one in found.into_iter().filter(|one| !one.is_self_issued()) {
            if !self.issuers.iter().any(|known| known.der() == one.der()) {
                self.issuers.push(one);
            }
        }
        ensure!(self.issuers.len() <= ISSUERS_MAX, "too many issuing CAs; use another folder");
        if self.issuers.len() > before {
            let text: String = self.issuers.iter().map(Certificate::to_pem).collect();
            std::fs::write(self.dir.join("issuers.pem"), text)?;
        }
        Ok(())
    }

    /// The CA certificate above one in DER.
    pub fn issuer(&self, leaf: &Certificate) -> Option<&Certificate> {
        self.issuers.iter().find(|ca| ca.subject_der() == leaf.issuer_der())
    }

    /// Devices that are gone for good.
    fn gone(&self) -> anyhow::Result<HashSet<DeviceId>> {
        match std::fs::read_to_string(self.dir.join("gone")) {
            Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashSet::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// A device is gone for good: when the folder is opened again, it is not among the others.
    pub fn bury(&self, id: DeviceId) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.dir.join("gone"))?;
        file.write_all(format!("{id}\n").as_bytes())?;
        Ok(file.sync_data()?)
    }

    /// Forgets the devices of a product line.
    pub fn forget(&mut self, product: &str) -> anyhow::Result<()> {
        self.lines.remove(product);
        Ok(std::fs::remove_file(self.path(product))?)
    }
}

fn private(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

impl Line {
    fn open(path: &Path, root: &[u8; 32], gone: &HashSet<DeviceId>) -> anyhow::Result<Self> {
        let mut file = private(path)?;
        if file.metadata()?.len() < HEAD {
            file.set_len(0)?;
            file.write_all(MAGIC)?;
            file.write_all(root)?;
            file.sync_all()?;
            return Ok(Self { file, end: HEAD, places: Vec::new() });
        }
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut head = [0; 45];
        reader.read_exact(&mut head)?;
        let (magic, theirs) = head.split_at(MAGIC.len());
        ensure!(magic == MAGIC, "{} is no file of simulated devices", path.display());
        ensure!(
            theirs == root,
            "the devices in {} belong to another platform; give another --state",
            path.display()
        );
        let (mut end, mut places) = (HEAD, Vec::new());
        // What a run that was killed wrote by half is left out, and written over.
        while let Some((record, length)) = next(&mut reader)? {
            if !gone.contains(&record.id) {
                places.push(Place { id: record.id, at: end });
            }
            end = end.saturating_add(length);
        }
        file.set_len(end)?;
        Ok(Self { file, end, places })
    }

    /// The devices.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Reads what a device has.
    pub fn read(&self, at: u64) -> anyhow::Result<Thing> {
        let mut length = [0; 4];
        self.file.read_exact_at(&mut length, at)?;
        let length = u32::from_le_bytes(length);
        ensure!(length <= RECORD_MAX, "the file of devices is damaged");
        let mut bytes = vec![0; usize::try_from(length)?];
        self.file.read_exact_at(&mut bytes, at.saturating_add(4))?;
        let record = Record::parse(&bytes).context("the file of devices is damaged")?;
        Ok(Thing {
            id: record.id,
            serial: record.serial,
            key: SoftwareKey::from_pkcs8(&record.key)?,
            certificate: record.certificate,
        })
    }

    /// Adds devices, durably.
    pub fn add(&mut self, things: &[Thing]) -> anyhow::Result<()> {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for thing in things {
            let at = self.end.saturating_add(u64::try_from(bytes.len())?);
            places.push(Place { id: thing.id, at });
            let mut record = thing.id.as_bytes().to_vec();
            let key = thing.key.to_pkcs8()?;
            for part in [thing.serial.as_bytes(), key.expose(), &thing.certificate] {
                record.extend_from_slice(&u16::try_from(part.len())?.to_le_bytes());
                record.extend_from_slice(part);
            }
            let check = crypto::sha256(&record);
            record.extend_from_slice(check.as_bytes().get(..4).unwrap_or_default());
            bytes.extend_from_slice(&u32::try_from(record.len())?.to_le_bytes());
            bytes.append(&mut record);
        }
        self.file.write_all_at(&bytes, self.end)?;
        self.file.sync_data()?;
        self.end = self.end.saturating_add(u64::try_from(bytes.len())?);
        self.places.append(&mut places);
        Ok(())
    }
}

/// The next record and its whole length; nothing at the end, or where what is there is not whole.
fn next(reader: &mut impl Read) -> anyhow::Result<Option<(Record, u64)>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut bytes)?;
    let Ok(length) = <[u8; 4]>::try_from(bytes.as_slice()) else { return Ok(None) };
    let length = u32::from_le_bytes(length);
    if length > RECORD_MAX {
        return Ok(None);
    }
    bytes.clear();
    reader.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() != usize::try_from(length)? {
        return Ok(None);
    }
    Ok(Record::parse(&bytes).map(|record| (record, u64::from(length).saturating_add(4))))
}

struct Record {
    id: DeviceId,
    serial: String,
    key: Secret,
    certificate: Vec<u8>,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (said, check) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if !crypto::sha256(said).as_bytes().starts_with(check) {
            return None;
        }
        let (id, mut rest) = said.split_first_chunk::<16>()?;
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (part, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = after;
            Some(part)
        };
        let serial = std::str::from_utf8(part()?).ok()?.to_owned();
        let key = Secret::new(part()?.to_vec());
        let certificate = part()?.to_vec();
        rest.is_empty().then_some(Self { id: DeviceId::from_bytes(*id), serial, key, certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{KeyAlgorithm, Signer as _};
    use proptest::prelude::*;

    fn thing(number: u8) -> Thing {
        Thing {
            id: DeviceId::from_bytes([number; 16]),
            serial: format!("SIM-{number}"),
            key: SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap(),
            certificate: vec![number; 700],
        }
    }

    #[test]
    fn what_was_added_is_there_again_and_halves_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = crypto::sha256(b"root");
        let things: Vec<Thing> = (1..=5).map(thing).collect();
        let mut store = Store::open(dir.path(), &root).unwrap();
        store.line("gate").unwrap().add(&things).unwrap();
        assert!(Store::open(dir.path(), &root).is_err(), "two at once");
        let prefix = store.prefix.clone();
        drop(store);

        let path = dir.path().join("gate.devices");
        let whole = std::fs::read(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        for cut in [whole.len() - 1, whole.len() - 500, whole.len()] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut store = Store::open(dir.path(), &root).unwrap();
            assert_eq!(store.prefix, prefix);
            let line = store.line("gate").unwrap();
            let there = if cut == whole.len() { 5 } else { 4 };
            assert_eq!(line.places().len(), there);
            for (place, thing) in line.places().iter().zip(&things) {
                let read = line.read(place.at()).unwrap();
                assert_eq!((read.id, &read.serial), (thing.id, &thing.serial));
                assert_eq!(read.key.public_key().spki(), thing.key.public_key().spki());
            }
            line.add(&[thing(9)]).unwrap();
            assert_eq!(line.places().len(), there + 1);
        }
        let store = Store::open(dir.path(), &root).unwrap();
        store.bury(things[1].id).unwrap();
        drop(store);
        let mut store = Store::open(dir.path(), &root).unwrap();
        let ids: Vec<_> = store.line("gate").unwrap().places().iter().map(|it| it.id).collect();
        assert!(ids.len() == 5 && !ids.contains(&things[1].id), "{ids:?}");
        drop(store);
        let mut other = Store::open(dir.path(), &crypto::sha256(b"another")).unwrap();
        let why = other.line("gate").err().unwrap().to_string();
        assert!(why.contains("another platform"), "{why}");
        assert_eq!(other.products().unwrap(), ["gate"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::parse(&bytes);
            let _ = next(&mut bytes.as_slice()).unwrap();
        }
    }
}
