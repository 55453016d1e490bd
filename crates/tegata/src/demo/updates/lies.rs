//! What a mirror, or whoever holds the platform, may try with a device; and how the device tells each
//! from all others. The codes are those of docs/update-trust.md.

use super::{
    gadget::{Decided, Gadget, Memory, Source},
    mirror::{Mirror, Tape},
    publisher::{Publisher, artifact},
};
use crate::demo::{refusals::first_line, rows::Check, world::World};
use api::{Client, Settings, wire::Release};
use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use update::{Key, Limits, Signed, Timestamp, Version};

const DAY: i64 = 86_400;
/// Bytes that nobody announced.
const ENDLESS: usize = 64 * 1024;

/// What there is to lie about.
pub(super) struct Scene<'w> {
    pub(super) world: &'w World,
    pub(super) mirror: Mirror,
    /// everything that the mirror passed on when the release before was the newest
    pub(super) tape: Tape,
    /// what a device knew then
    pub(super) then: Memory,
    /// a device of the fleet
    pub(super) gadget: Gadget,
    pub(super) publisher: &'w Publisher<'w>,
    pub(super) old: &'w Release,
    pub(super) before: &'w Release,
    pub(super) newest: &'w Release,
}

/// Tries everything. Returns the checks, and how often devices refused with which code.
pub(super) struct Told {
    pub(super) checks: Vec<Check>,
    pub(super) refused: BTreeMap<String, u64>,
}

impl Told {
    fn record<T>(&mut self, what: &str, expected: &str, decided: Decided<T>) {
        let (given, detail) = match decided {
            Ok(_) => ("accepted", String::new()),
            Err(refused) => (refused.code, refused.detail),
        };
        if given != "accepted" {
            *self.refused.entry(given.to_owned()).or_default() += 1;
        }
        let text = match detail.is_empty() {
            true => given.to_owned(),
            false => first_line(&format!("{given}: {detail}")),
        };
        self.checks.push(Check::new(what, expected, text, given == expected));
    }
}

impl Scene<'_> {
    /// Plays all of it, the repository of `abandoned` last, whose targets end at `ends`.
    pub(super) async fn play(
        self,
        abandoned: &Publisher<'_>,
        ends: UnixTime,
    ) -> anyhow::Result<Told> {
        let mut told = Told { checks: Vec::new(), refused: BTreeMap::new() };
        self.honest(&mut told).await?;
        self.tampered(&mut told).await?;
        self.metadata(&mut told).await?;
        self.old(&mut told).await?;
        self.older_release(&mut told).await?;
        self.expired(&mut told, abandoned, ends).await?;
        Ok(told)
    }

    fn source(&self) -> anyhow::Result<Source> {
        source(&self.mirror.url, &self.publisher.path())
    }

    /// A device that knows nothing but its first root asks the mirror for the newest release.
    async fn ask(&self) -> anyhow::Result<Decided<super::gadget::Verified>> {
        let mut memory = Memory::of_root(&self.publisher.root);
        self.ask_with(&mut memory, None, crate::clock::now()).await
    }

    async fn ask_with(
        &self,
        memory: &mut Memory,
        known: Option<Version>,
        now: UnixTime,
    ) -> anyhow::Result<Decided<super::gadget::Verified>> {
        let path = &artifact(self.newest)?.path;
        memory.fetch(&self.source()?, path, known, now).await
    }

    async fn honest(&self, told: &mut Told) -> anyhow::Result<()> {
        self.mirror.lies(|_, file| file);
        told.record("a mirror that passes everything on", "accepted", self.ask().await?);
        Ok(())
    }

    /// Files are not what they should be.
    async fn tampered(&self, told: &mut Told) -> anyhow::Result<()> {
        self.mirror.lies(|path, file| match path.contains("/targets/") {
            true => file.map(flipped),
            false => file,
        });
        told.record("tampered mirror: one bit of the image", "wrong-software", self.ask().await?);

        let old = self.tape.clone();
        let name = file_name(&artifact(self.before)?.sha256.0.to_string(), &old);
        self.mirror.lies(move |path, file| match (path.contains("/targets/"), &name) {
            (true, Some(name)) => old.get(name).cloned(),
            _ => file,
        });
        let what = "tampered mirror: the file of an older release in place of it";
        told.record(what, "wrong-software", self.ask().await?);

        self.mirror.lies(|path, file| match path.contains("/targets/") {
            true => file.map(|file| longer(file, ENDLESS)),
            false => file,
        });
        told.record("a mirror that sends more and more", "endless-data", self.ask().await?);
        Ok(())
    }

    /// Metadata are not what they should be.
    async fn metadata(&self, told: &mut Told) -> anyhow::Result<()> {
        self.mirror.lies(|path, file| match path.ends_with(".targets.json") {
            true => {
                file.map(|file| replaced(&file, "\"security_version\":2", "\"security_version\":9"))
            }
            false => file,
        });
        told.record(
            "tampered mirror: a field of the targets",
            "altered-metadata",
            self.ask().await?,
        );

        let stranger = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
        let stranger = Arc::new(stranger);
        self.mirror.lies(move |path, file| match path.ends_with("/timestamp.json") {
            true => file.and_then(|file| forged(&file, &stranger)),
            false => file,
        });
        told.record("a timestamp that a stranger signed", "wrong-keys", self.ask().await?);

        let old = self.tape.clone();
        self.mirror.lies(move |path, file| match path.ends_with(".targets.json") {
            true => of_role(&old, ".targets.json").or(file),
            false => file,
        });
        let what = "mix and match: the targets before with the newest snapshot";
        told.record(what, "mix-and-match", self.ask().await?);

        self.mirror.lies(|path, file| file.filter(|_| !path.ends_with(".snapshot.json")));
        told.record("a mirror that withholds the snapshot", "missing-metadata", self.ask().await?);
        Ok(())
    }

    /// Everything is as it was, and nothing of it is forged.
    async fn old(&self, told: &mut Told) -> anyhow::Result<()> {
        let old = self.tape.clone();
        self.mirror.lies(move |path, _| old.get(path).cloned());
        // A device that has seen the newest.
        let mut memory = self.gadget.memory.clone();
        let decided = self.ask_with(&mut memory, None, crate::clock::now()).await?;
        told.record("rollback attack: metadata as they were before", "rollback", decided);
        // One that has not, and knows from the platform that there is a newer one.
        let known = self.gadget.newest().await?;
        let mut memory = self.then.clone();
        let decided = self.ask_with(&mut memory, Some(known), crate::clock::now()).await?;
        told.record("freeze attack: an old timestamp, served on", "freeze", decided);
        // One that hears nothing of anybody else: it finds out when the timestamp ends.
        let mut memory = self.then.clone();
        let later = crate::clock::now().plus(2 * DAY);
        let decided = self.ask_with(&mut memory, None, later).await?;
        told.record("the same, and two days pass", "expired", decided);
        Ok(())
    }

    /// Whoever holds the platform names an older release that its maker did sign.
    async fn older_release(&self, told: &mut Told) -> anyhow::Result<()> {
        let mut memory = self.gadget.memory.clone();
        let now = crate::clock::now();
        for (release, back, what, expected) in [
            (
                self.old,
                false,
                "rollback attack: an older, weaker release, well signed",
                "security-rollback",
            ),
            (self.old, true, "the same, called a roll-back", "security-rollback"),
            (self.newest, false, "the newest release, of the same security version", "accepted"),
        ] {
            let path = &artifact(release)?.path;
            let fetched = memory.fetch(&self.gadget.source, path, None, now).await?;
            let decided = fetched.and_then(|verified| self.gadget.accept(&verified, back));
            told.record(what, expected, decided);
        }
        Ok(())
    }

    /// A maker that nobody hears of any more.
    async fn expired(
        &self,
        told: &mut Told,
        abandoned: &Publisher<'_>,
        ends: UnixTime,
    ) -> anyhow::Result<()> {
        while crate::clock::now() < ends {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let source = source(&self.world.site.public_url, &abandoned.path())?;
        let mut memory = Memory::of_root(&abandoned.root);
        let decided = memory.fetch(&source, "any/1.0/any.img", None, crate::clock::now()).await?;
        told.record("a repository whose targets have expired", "expired", decided);
        Ok(())
    }
}

/// A repository at an address that speaks plain HTTP.
pub(super) fn source(url: &str, path: &str) -> anyhow::Result<Source> {
    Ok(Source::new(Client::public(url, Settings::default())?, path))
}

fn flipped(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(last) = file.last_mut() {
        *last ^= 1;
    }
    file
}

fn longer(mut file: Vec<u8>, more: usize) -> Vec<u8> {
    file.resize(file.len().saturating_add(more), 0);
    file
}

/// The same length, other words.
fn replaced(file: &[u8], old: &str, new: &str) -> Vec<u8> {
    String::from_utf8_lossy(file).replace(old, new).into_bytes()
}

/// The file as a stranger would sign it, under its own key.
fn forged(file: &[u8], stranger: &SoftwareKey) -> Option<Vec<u8>> {
    use crypto::Signer as _;
    let signed = Signed::<Timestamp>::parse(file, &Limits::DEFAULT).ok()?;
    let key = Key::from_public(stranger.public_key()).ok()?;
    let mut forged = Signed::draft(signed.unverified().clone());
    forged.sign(&key.computed_id(), &key, stranger).ok()?;
    forged.to_bytes().ok()
}

/// The path on a tape of the file with this digest in its name.
fn file_name(sha256: &str, tape: &Tape) -> Option<String> {
    tape.keys().find(|path| path.contains(sha256)).cloned()
}

/// The newest file of a role on a tape.
fn of_role(tape: &Tape, ending: &str) -> Option<Vec<u8>> {
    let number = |path: &String| {
        let name = path.rsplit('/').next()?.strip_suffix(ending)?;
        name.parse::<u64>().ok()
    };
    let newest = tape.keys().filter_map(|path| Some((number(path)?, path))).max()?;
    tape.get(newest.1).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_change_what_they_say_they_change() {
        assert_eq!(flipped(vec![1, 2]), [1, 3]);
        assert_eq!(longer(vec![1], 2), [1, 0, 0]);
        assert_eq!(replaced(b"a:2 b", "a:2", "a:9"), b"a:9 b");
        let tape: Tape = [("/x/9.targets.json", 9), ("/x/10.targets.json", 10), ("/x/ab.img", 1)]
            .into_iter()
            .map(|(path, byte)| (path.to_owned(), vec![byte]))
            .collect();
        assert_eq!(of_role(&tape, ".targets.json"), Some(vec![10]));
        assert_eq!(file_name("ab", &tape).as_deref(), Some("/x/ab.img"));
    }

    #[test]
    fn a_refusal_of_another_kind_is_wrong() {
        let mut told = Told { checks: Vec::new(), refused: BTreeMap::new() };
        let refused = |code| -> Decided<()> {
            Err(super::super::gadget::Refused { code, detail: "because".into() })
        };
        told.record("one", "rollback", refused("rollback"));
        told.record("two", "rollback", refused("freeze"));
        told.record("three", "rollback", Ok(()));
        told.record("four", "accepted", Ok(()));
        let held: Vec<bool> = told.checks.iter().map(|check| check.holds).collect();
        assert_eq!(held, [true, false, false, true]);
        assert_eq!(told.refused.values().sum::<u64>(), 2);
    }
}
