//! `tegata device import`: many devices from a file, a call for each thousand.

use crate::{
    cli::{Language, import::ImportArgs},
    clock,
    output::progress,
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::wire::{Device, ITEMS_MAX, NewDevice, NewDevices, Outcome, Outcomes, Recorded};
use crypto::SoftwareKey;
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, SignedEvent,
};
use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

/// Most bytes of a file: ten million lines of a usual length.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Columns of the answers.
const HEAD: [&str; 6] = ["serial_number", "device", "management_number", "outcome", "code", "text"];

/// Runs `tegata device import`.
///
/// Sent again after a failure, what is on record already is refused (`device-exists`) and the rest
/// goes on: no line is entered twice.
pub async fn run(args: ImportArgs, language: Language) -> anyhow::Result<()> {
    let remote = Remote::open(&args.server, language)?;
    let organisation = OrganisationId::new(&args.organisation)?;
    let product = ProductId::new(&args.product)?;
    let devices = read(&args.file)?;
    let begin = match &args.key {
        None => None,
        Some(path) => {
            let pem = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the signing key {}", path.display()))?;
            Some(Begin {
                key: SoftwareKey::from_pem(&pem)?,
                organisation,
                product: product.clone(),
                args: &args,
            })
        }
    };
    let out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
        ),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut out = csv::Writer::from_writer(out);
    out.write_record(HEAD)?;
    let bar = progress(devices.len() as u64, "devices registered", false);
    let (mut registered, mut refused) = (0_u64, 0_u64);
    let mut rest = devices.into_iter().peekable();
    while rest.peek().is_some() {
        let some: Vec<NewDevice> = rest.by_ref().take(ITEMS_MAX as usize).collect();
        let serials: Vec<String> = some.iter().map(|new| new.serial_number.clone()).collect();
        let body = NewDevices { product: args.product.parse()?, devices: some };
        let mut lines: Vec<Line> = remote
            .post::<_, Outcomes<Device>>("/v1/devices", &body)
            .await?
            .items
            .into_iter()
            .map(Line::from)
            .collect();
        if lines.len() != serials.len() {
            bail!("the server answered for {} of {} devices", lines.len(), serials.len());
        }
        if let Some(begin) = &begin {
            begin.histories(&remote, &mut lines).await?;
        }
        for (serial, line) in serials.iter().zip(&lines) {
            line.write(&mut out, serial)?;
            if line.problem.is_some() { refused += 1 } else { registered += 1 }
        }
        bar.inc(lines.len() as u64);
    }
    bar.finish_and_clear();
    out.flush()?;
    eprintln!("{registered} registered, {refused} refused");
    if refused > 0 {
        bail!("{refused} lines were refused; the columns code and text say why");
    }
    Ok(())
}

/// What came of one line of the file.
struct Line {
    device: Option<Device>,
    problem: Option<(String, String)>,
}

impl From<Outcome<Device>> for Line {
    fn from(outcome: Outcome<Device>) -> Self {
        Self { device: outcome.done, problem: problem(outcome.refused) }
    }
}

fn problem(refused: Option<api::Problem>) -> Option<(String, String)> {
    refused.map(|problem| (problem.code.to_string(), problem.to_string()))
}

impl Line {
    fn write(&self, out: &mut csv::Writer<Box<dyn Write>>, serial: &str) -> anyhow::Result<()> {
        let (id, number) = match &self.device {
            Some(device) => (device.id.to_string(), device.management_number.to_string()),
            None => Default::default(),
        };
        let (outcome, code, text) = match &self.problem {
            Some((code, text)) => ("refused", code.as_str(), text.as_str()),
            None => ("registered", "", ""),
        };
        out.write_record([serial, &id, &number, outcome, code, text])?;
        Ok(())
    }
}

/// How histories begin.
struct Begin<'a> {
    key: SoftwareKey,
    organisation: OrganisationId,
    product: ProductId,
    args: &'a ImportArgs,
}

impl Begin<'_> {
    async fn histories(&self, remote: &Remote, lines: &mut [Line]) -> anyhow::Result<()> {
        let new: Vec<(&mut Line, DeviceId, DeviceKind)> = lines
            .iter_mut()
            .filter_map(|line| {
                let device = line.device.as_ref()?;
                let (id, kind) = (device.id.0, device.kind.0);
                Some((line, id, kind))
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let events = new
            .iter()
            .map(|(_, device, kind)| self.assembled(*device, *kind))
            .collect::<anyhow::Result<Vec<Vec<u8>>>>()?
            .concat();
        let call = api::client::Call::post("/v1/events/batch", "application/cbor-seq", events);
        let all: Outcomes<Recorded> = remote.client().send(call).await?.json()?;
        if all.items.len() != new.len() {
            bail!("the server answered for {} of {} histories", all.items.len(), new.len());
        }
        for ((line, ..), outcome) in new.into_iter().zip(all.items) {
            line.problem = problem(outcome.refused);
        }
        Ok(())
    }

    fn assembled(&self, device: DeviceId, kind: DeviceKind) -> anyhow::Result<Vec<u8>> {
        let event = Event {
            device,
            sequence: 0,
            previous: None,
            kind: EventKind::Assembled {
                kind,
                build: Build::MassProduction,
                product: self.product.clone(),
                root_of_trust: self.args.root_of_trust,
                key: None,
                parts: Vec::new(),
            },
            at: clock::now(),
            reporter: self.organisation.clone(),
            actor: self.args.actor.clone(),
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        Ok(SignedEvent::sign(&self.key, &event)?.as_bytes().to_vec())
    }
}

/// Reads the whole file before anything is sent: a line that cannot be read stops it at the start.
fn read(path: &Path) -> anyhow::Result<Vec<NewDevice>> {
    let file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file =
            File::open(path).with_context(|| format!("cannot read the file {}", path.display()))?;
        Box::new(file)
    };
    devices(file.take(FILE_BYTES_MAX))
}

fn devices(file: impl Read) -> anyhow::Result<Vec<NewDevice>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let head = reader.headers().context("the first line is no CSV")?.clone();
    let column = |name: &str| {
        // Spreadsheets put a byte order mark in front.
        head.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name)
    };
    let serial = column("serial_number")
        .context("the first line must name the columns: serial_number, or serial_number,device")?;
    let id = column("device");
    let mut devices = Vec::new();
    for record in reader.records() {
        let record = record.context("a line is no CSV")?;
        let line = record.position().map_or(0, csv::Position::line);
        let serial_number = record.get(serial).unwrap_or_default().to_owned();
        if serial_number.is_empty() {
            bail!("line {line}: the serial number is missing");
        }
        let id = match id.and_then(|id| record.get(id)).filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => {
                Some(id.parse().with_context(|| format!("line {line}: {id:?} is no device id"))?)
            }
        };
        devices.push(NewDevice { serial_number, id });
    }
    if devices.is_empty() {
        bail!("the file names no device");
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_or_explained() {
        let read = |text: &str| devices(text.as_bytes());
        let some = read(
            "\u{feff}serial_number,device\nSN-1,\n\"A, B\",00112233445566778899aabbccddeeff\n",
        )
        .unwrap();
        let serials: Vec<_> = some.iter().map(|new| new.serial_number.as_str()).collect();
        assert_eq!(serials, ["SN-1", "A, B"]);
        assert!(some[0].id.is_none() && some[1].id.is_some());
        assert_eq!(read("serial_number\r\n SN-1 \r\n").unwrap()[0].serial_number, "SN-1");
        for (text, want) in [
            ("", "must name the columns"),
            ("number\n1\n", "must name the columns"),
            ("serial_number\n", "names no device"),
            ("serial_number,device\nSN-1,xyz\n", "line 2: \"xyz\" is no device id"),
            ("serial_number,device\nSN-1,\n,\n", "line 3: the serial number is missing"),
            ("serial_number\nSN-1,SN-2\n", "no CSV"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(want), "{text:?}: {error}");
        }
    }
}
