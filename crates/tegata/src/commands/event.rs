use crate::{
    cli::{EventCommand, Language},
    output::Output,
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::{
    client::Call,
    wire::{Head, HistoryEvent, Recorded},
};
use crypto::{Sha256, SoftwareKey, UnixTime};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, Kind, OrganisationId, Part, SignedEvent,
};
use ledger::Commitment;
use std::io::Read as _;

/// Runs `tegata event …`.
pub async fn run(command: EventCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        EventCommand::Report { server, device, kind, details, reporter, key, actor, place } => {
            let remote = Remote::open(&server, language)?;
            let key = std::fs::read_to_string(&key)
                .with_context(|| format!("cannot read the signing key {}", key.display()))?;
            let key = SoftwareKey::from_pem(&key)?;
            let kind = kind_of(kind.parse()?, &details)?;
            let reporter = OrganisationId::new(&reporter)?;
            let recorded = report(
                &remote,
                &key,
                crate::clock::now(),
                Report { device, kind, reporter, actor, place },
            )
            .await?;
            print(&recorded, output)
        }
        EventCommand::Submit { server, file } => {
            let remote = Remote::open(&server, language)?;
            let mut bytes = Vec::new();
            if file.as_os_str() == "-" {
                std::io::stdin().take(1 << 20).read_to_end(&mut bytes)?;
            } else {
                bytes = std::fs::read(&file)
                    .with_context(|| format!("cannot read the event {}", file.display()))?;
            }
            print(&submit(&remote, bytes).await?, output)
        }
        EventCommand::List { server, device } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/devices/{device}/events?limit=1000");
            let all: Vec<HistoryEvent> = remote.all(&path).await?;
            let head = ["sequence", "leaf", "at", "kind", "reporter", "actor", "place"];
            output.list(&all, &head, |event| {
                let signed = event.cose.as_ref().and_then(|cose| SignedEvent::parse(&cose.0).ok());
                let of = |text: fn(&Event) -> Option<String>| match &signed {
                    None => "(erased)".to_owned(),
                    Some(signed) => text(signed.unverified()).unwrap_or_default(),
                };
                vec![
                    event.sequence.to_string(),
                    event.leaf.to_string(),
                    event.at.to_string(),
                    event.kind.to_string(),
                    match signed.as_ref().and_then(|signed| signed.unverified().on_behalf.clone()) {
                        Some(behalf) => format!("{} for {}", event.reporter, behalf.organisation),
                        None => event.reporter.to_string(),
                    },
                    of(|event| event.actor.clone()),
                    of(|event| event.place.clone()),
                ]
            })
        }
    }
}

/// What is to be reported.
pub struct Report {
    /// the device
    pub device: DeviceId,
    /// what happened
    pub kind: EventKind,
    /// who reports
    pub reporter: OrganisationId,
    /// person, station or program
    pub actor: Option<String>,
    /// place
    pub place: Option<String>,
}

/// Signs an event that continues the device's history, and reports it.
pub async fn report(
    remote: &Remote,
    key: &SoftwareKey,
    at: UnixTime,
    report: Report,
) -> anyhow::Result<Recorded> {
    let head: Head = match report.kind {
        EventKind::ChipMade { .. } | EventKind::Assembled { .. } => {
            Head { next_sequence: 0, previous: None }
        }
        _ => remote.get(&format!("/v1/devices/{}/head", report.device)).await?,
    };
    let event = Event {
        device: report.device,
        sequence: head.next_sequence,
        previous: head.previous.map(|digest| Commitment(digest.0)),
        kind: report.kind,
        at,
        reporter: report.reporter,
        actor: report.actor,
        place: report.place,
        evidence: Vec::new(),
        on_behalf: None,
        reason: None,
    };
    let signed = SignedEvent::sign(key, &event)?;
    submit(remote, signed.as_bytes().to_vec()).await
}

/// Reports an event that is signed.
pub async fn submit(remote: &Remote, cose: Vec<u8>) -> anyhow::Result<Recorded> {
    let call = Call::post("/v1/events", "application/cose", cose);
    Ok(remote.client().send(call).await?.json()?)
}

fn print(recorded: &Recorded, output: Output) -> anyhow::Result<()> {
    output.one(recorded, |recorded| {
        format!(
            "event {} of {} is recorded as entry {} of the log",
            recorded.sequence, recorded.device, recorded.leaf
        )
    })
}

/// The details of a kind, from `name=value`.
struct Details<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Details<'a> {
    fn read(details: &'a [String]) -> anyhow::Result<Self> {
        let pair = |detail: &'a String| {
            detail
                .split_once('=')
                .with_context(|| format!("{detail:?} is not a detail; give it as name=value"))
        };
        Ok(Self { pairs: details.iter().map(pair).collect::<Result<_, _>>()? })
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.pairs.iter().position(|(known, _)| *known == name)?;
        Some(self.pairs.remove(at).1)
    }

    fn need<T>(&mut self, name: &str) -> anyhow::Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let value =
            self.take(name).with_context(|| format!("this kind needs --detail {name}=VALUE"))?;
        value.parse().with_context(|| format!("the value of {name} is not right"))
    }

    fn maybe<T>(&mut self, name: &str) -> anyhow::Result<Option<T>>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.take(name)
            .map(|value| value.parse().with_context(|| format!("the value of {name} is not right")))
            .transpose()
    }

    fn part(&mut self, name: &str) -> anyhow::Result<Part> {
        Ok(Part {
            device: self.need(name)?,
            kind: self.maybe(&format!("{name}-kind"))?.unwrap_or(DeviceKind::Chip),
        })
    }

    fn digest(&mut self, name: &str) -> anyhow::Result<Option<Sha256>> {
        self.take(name)
            .map(|text| {
                Sha256::from_hex(text)
                    .with_context(|| format!("{name} is not a SHA-256 digest in hexadecimal"))
            })
            .transpose()
    }

    fn finish(self, kind: Kind) -> anyhow::Result<()> {
        if let Some((name, _)) = self.pairs.first() {
            bail!("{kind} has no detail {name}; docs/event.md lists the details of each kind");
        }
        Ok(())
    }
}

fn kind_of(kind: Kind, details: &[String]) -> anyhow::Result<EventKind> {
    let mut d = Details::read(details)?;
    let event = match kind {
        Kind::ChipMade => EventKind::ChipMade {
            build: d.maybe("build")?.unwrap_or(Build::MassProduction),
            product: d.maybe("product")?,
            root_of_trust: d.need("root-of-trust")?,
            key: d.digest("key")?.context("this kind needs --detail key=SHA256")?,
        },
        Kind::Assembled => {
            let mut parts = Vec::new();
            while let Some(part) = d.maybe::<DeviceId>("part")? {
                parts.push(Part { device: part, kind: DeviceKind::Chip });
            }
            parts.sort_unstable();
            EventKind::Assembled {
                kind: d.maybe("kind")?.unwrap_or(DeviceKind::Device),
                build: d.maybe("build")?.unwrap_or(Build::MassProduction),
                product: d.need("product")?,
                root_of_trust: d.maybe("root-of-trust")?,
                key: d.digest("key")?,
                parts,
            }
        }
        Kind::PartInstalled => EventKind::PartInstalled { part: d.part("part")? },
        Kind::PartRemoved => EventKind::PartRemoved { part: d.need("part")? },
        Kind::InstalledInto => EventKind::InstalledInto { host: d.need("host")? },
        Kind::RemovedFrom => {
            EventKind::RemovedFrom { host: d.need("host")?, holder: d.need("holder")? }
        }
        Kind::Tested => EventKind::Tested {
            passed: d.maybe("passed")?.unwrap_or(true),
            standard: d.maybe("standard")?,
        },
        Kind::Shipped => EventKind::Shipped { to: d.need("to")? },
        Kind::Received => EventKind::Received { from: d.need("from")? },
        Kind::Onboarded => EventKind::Onboarded { owner: d.need("owner")? },
        Kind::OperationStarted => EventKind::OperationStarted,
        Kind::TransferOffered => EventKind::TransferOffered { to: d.need("to")? },
        Kind::TransferAccepted => EventKind::TransferAccepted { from: d.need("from")? },
        Kind::TransferCancelled => EventKind::TransferCancelled,
        Kind::RepairStarted => {
            EventKind::RepairStarted { repairer: d.need("repairer")?, fault: d.maybe("fault")? }
        }
        Kind::PartExchanged => {
            EventKind::PartExchanged { old: d.need("old")?, new: d.part("new")? }
        }
        Kind::RepairFinished => EventKind::RepairFinished,
        Kind::Suspended => EventKind::Suspended { cause: d.need("cause")? },
        Kind::Released => EventKind::Released,
        Kind::Revoked => EventKind::Revoked { cause: d.need("cause")? },
        Kind::Retired => EventKind::Retired { cause: d.need("cause")? },
        Kind::Disposed => EventKind::Disposed { erasure_proof: d.digest("erasure-proof")? },
        Kind::CredentialIssued
        | Kind::CredentialRevoked
        | Kind::Reappeared
        | Kind::ProofRefused
        | Kind::PartSeenElsewhere
        | Kind::Updated
        | Kind::Erased => bail!("{kind} is reported by the platform itself"),
    };
    d.finish(kind)?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn details_are_read_or_explained() {
        let shipped = kind_of(Kind::Shipped, &details(&["to=kawa"])).unwrap();
        assert_eq!(shipped, EventKind::Shipped { to: OrganisationId::new("kawa").unwrap() });
        let check = |kind, list: &[&str], want: &str| {
            let error = format!("{:#}", kind_of(kind, &details(list)).unwrap_err());
            assert!(error.contains(want), "{error}");
        };
        check(Kind::Shipped, &[], "--detail to=VALUE");
        check(Kind::Shipped, &["to"], "name=value");
        check(Kind::Shipped, &["to=kawa", "from=umi"], "no detail from");
        check(Kind::Retired, &["cause=boredom"], "value of cause");
        check(Kind::Erased, &[], "platform itself");
    }
}
