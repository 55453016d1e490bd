//! Manufacturers' usage descriptions, RFC 8520 (docs/mud.md).

use crate::{
    cli::{Language, mud::MudCommand},
    clock::now,
    output::Output,
};
use anyhow::{Context as _, bail};
use behaviour::mud::{
    Answer, Connection, Direction, Door, MUD_BYTES_MAX, Mud, Peer, Suggested, SuggestedDoor,
    suggest,
};
use pki::Certificate;
use serde::Serialize;
use std::{fs::File, io::Read as _, path::Path, process::ExitCode};

/// A description as it was read.
#[derive(Serialize)]
struct Shown {
    url: String,
    last_update: String,
    cache_validity_h: u8,
    is_supported: bool,
    systeminfo: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    /// a line for each entry
    allows: Vec<String>,
}

/// A door, and what a description says about it.
#[derive(Serialize)]
struct Checked {
    to: String,
    /// `allowed`, `denied`, `unknown`
    answer: &'static str,
    /// the entry that says so
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
}

/// Longest file of certificates, in bytes.
const CERTIFICATES_BYTES_MAX: usize = 256 * 1024;

/// What a certificate says of its device's usage description.
#[derive(Serialize)]
struct CertificateSays {
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mud_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mud_signer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
}

/// Runs `tegata mud …`.
pub fn run(command: MudCommand, output: Output, language: Language) -> anyhow::Result<ExitCode> {
    match command {
        MudCommand::Show { file } => {
            let mud = read(&file)?;
            let allows = match language {
                Language::Ja => mud.japanese(),
                Language::En => mud.english(),
            };
            let shown = Shown {
                url: mud.url,
                last_update: mud.last_update,
                cache_validity_h: mud.cache_validity_h,
                is_supported: mud.is_supported,
                systeminfo: mud.systeminfo,
                manufacturer: mud.mfg_name,
                model: mud.model_name,
                allows,
            };
            output.one(&shown, |shown| {
                let mut out = format!("{}, changed {}", shown.url, shown.last_update);
                if let Some(what) = &shown.systeminfo {
                    out.push_str(&format!("\n{what}"));
                }
                if !shown.is_supported {
                    out.push_str("\nthe maker does not support this device any more");
                }
                for line in &shown.allows {
                    out.push_str(&format!("\n- {line}"));
                }
                out.push_str("\nanything else is not allowed");
                out
            })?;
            Ok(ExitCode::SUCCESS)
        }
        MudCommand::Check(args) => {
            let mud = read(&args.file)?;
            let mut all = Vec::new();
            for to in &args.to {
                let wanted = door(to)?;
                let (answer, entry) = match mud.check(&wanted) {
                    Answer::Allowed(ace) => ("allowed", Some(ace.name.clone())),
                    Answer::Denied => ("denied", None),
                    Answer::Unknown(ace) => ("unknown", Some(ace.name.clone())),
                };
                all.push(Checked { to: to.clone(), answer, entry });
            }
            output.list(&all, &["to", "answer", "entry"], |one| {
                vec![one.to.clone(), one.answer.to_owned(), one.entry.clone().unwrap_or_default()]
            })?;
            let wrong: Vec<_> = all.iter().filter(|one| one.answer != "allowed").collect();
            for one in &wrong {
                match one.answer {
                    "denied" => eprintln!(
                        "the file does not let the device reach {}\nhint: add an entry to its \
                         from-device policy (`tegata mud suggest` writes one)",
                        one.to
                    ),
                    _ => eprintln!(
                        "whether the file lets the device reach {} depends on what the owner's \
                         network knows\nhint: name the door as the file does",
                        one.to
                    ),
                }
            }
            Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        MudCommand::Suggest(args) => {
            let doors = args.to.iter().map(|to| match door(to)? {
                Connection { peer: Peer::Name(name), protocol, port, .. } => {
                    Ok(SuggestedDoor::from(Door::named(name, protocol, port)))
                }
                _ => bail!("{to:?}: a file names doors by their names, such as gate.example:8883"),
            });
            let doors = doors.collect::<anyhow::Result<_>>()?;
            let text = suggest(&Suggested {
                url: args.url.unwrap_or_default(),
                at: now().to_string(),
                systeminfo: args.systeminfo.unwrap_or_default(),
                made: (args.maker.unwrap_or_default(), args.model.unwrap_or_default()),
                doors,
            });
            // What is not accepted is not handed out.
            Mud::parse(text.as_bytes())?;
            output.line(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        MudCommand::Certificate { file } => {
            let most = u64::try_from(CERTIFICATES_BYTES_MAX).unwrap_or(u64::MAX);
            let mut bytes = Vec::new();
            File::open(&file)
                .and_then(|file| file.take(most).read_to_end(&mut bytes))
                .with_context(|| format!("cannot read {}", file.display()))?;
            let certificate = match std::str::from_utf8(&bytes) {
                Ok(pem) => Certificate::from_pem(pem),
                Err(_) => Certificate::from_der(&bytes),
            };
            let certificate = certificate.with_context(|| format!("{}", file.display()))?;
            // A certificate is what it is without it; whoever reads many does not stop at one.
            let (mud, malformed) = match certificate.extensions().mud().transpose() {
                Ok(mud) => (mud, None),
                Err(error) => (None, Some(error.to_string())),
            };
            let said = CertificateSays {
                subject: certificate.subject().to_string(),
                mud_url: mud.as_ref().map(|mud| mud.url().to_owned()),
                mud_signer: mud.as_ref().and_then(|mud| Some(mud.signer()?.to_string())),
                malformed,
            };
            output.one(&said, |said| match (&said.mud_url, &said.mud_signer) {
                (None, _) => match &said.malformed {
                    None => format!("{}: names no usage description", said.subject),
                    Some(why) => format!("{}: names no usage description: {why}", said.subject),
                },
                (Some(url), None) => format!("{}\n{url}", said.subject),
                (Some(url), Some(signer)) => format!("{}\n{url}\nsigned by {signer}", said.subject),
            })?;
            eprintln!(
                "hint: this is what the certificate says; whether to believe it, its chain tells"
            );
            Ok(ExitCode::SUCCESS)
        }
        MudCommand::Kept(_) => bail!("this needs the server"),
    }
}

fn read(path: &Path) -> anyhow::Result<Mud> {
    let most = u64::try_from(MUD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Mud::parse(&bytes).with_context(|| format!("{}", path.display()))
}

/// A door that the device connects to.
fn door(text: &str) -> anyhow::Result<Connection> {
    Connection::parse(Direction::FromDevice, text).with_context(|| format!("{text:?}"))
}
