//! The command line of `tegata-agent`.

use crate::{
    Agent, Config, Failure, Kind, Round, Slots, Store,
    agent::{RESTARTING_S, Word},
    boot::BootRecord,
    files, log, notes, peer,
    self_test::{self, Consequence, Finding},
};
use clap::{Args, Parser, Subcommand};
use crypto::Secret;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Seconds to wait for a clock, or another thing that mends itself.
const MEND_S: u64 = 30;
/// Longest file of a one-time code, in bytes.
const CODE_BYTES_MAX: u64 = 256;

/// Exit codes beside 0 and 2 (usage).
const FAILED: u8 = 1;
const REFUSED: u8 = 3;
const SELF_TEST: u8 = 4;
const UNAVAILABLE: u8 = 5;

/// Identity and secure update of a device.
#[derive(Parser, Debug)]
#[command(name = "tegata-agent", version, about)]
pub struct Cli {
    /// Configuration file
    #[arg(long, global = true, default_value = "/etc/tegata-agent/agent.toml")]
    config: PathBuf,
    /// One JSON object on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Work until stopped: renew, poll, update, confirm, report
    Run,
    /// Do what can be done now, and end
    Once,
    /// Get the first certificate, by a one-time code or the maker's certificate
    Enrol(Enrol),
    /// Show identity, slots, update and reports that wait; changes nothing
    Status,
    /// Test program, algorithms, configuration, state and clock
    SelfTest(SelfTest),
    /// Keep the image that is on trial
    Confirm,
    /// Leave the image that is on trial
    Rollback,
    /// Put an entry into the device's log, for other programs of the device
    Note(Note),
    /// Other devices: the trust bundle, decisions about them, conversations with them; works without the
    /// platform
    #[command(subcommand)]
    Peer(peer::cli::PeerCommand),
    /// Print the slot to start and take one try away; for boot scripts
    Boot(Boot),
}

#[derive(Args, Debug)]
struct Enrol {
    /// File with the one-time code; `-` reads it from standard input
    #[arg(long)]
    code_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct SelfTest {
    /// Take the program as it is now for right, after an update of it
    #[arg(long)]
    accept_program: bool,
    /// Take the clock as it is now for right, after it was wrong
    #[arg(long)]
    accept_clock: bool,
    /// Take every tamper input for well, after somebody has looked at the device
    #[arg(long)]
    accept_tamper: bool,
}

#[derive(Args, Debug)]
struct Note {
    /// What: local-login, account-change, clock … as docs/device-log.md has it
    kind: String,
    /// informational, low, medium, high or critical
    #[arg(long, default_value = "low")]
    severity: String,
    /// success, failure or error
    #[arg(long, default_value = "success")]
    outcome: String,
    /// Who did it
    #[arg(long)]
    actor: Option<String>,
    /// What it was done to
    #[arg(long)]
    subject: Option<String>,
    /// More: a name and a value, up to four times
    #[arg(long = "detail", value_name = "NAME=VALUE")]
    details: Vec<String>,
}

#[derive(Args, Debug)]
struct Boot {
    /// The boot record, where the configuration cannot be read yet
    #[arg(long)]
    record: Option<PathBuf>,
}

/// Runs a command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(failure) => {
            if cli.json {
                let kind = format!("{:?}", failure.kind).to_lowercase();
                println!(
                    "{}",
                    json!({"error": failure.code, "detail": failure.detail, "kind": kind})
                );
            }
            log::error(failure.code, &failure.detail);
            ExitCode::from(exit_code(&failure))
        }
    }
}

fn exit_code(failure: &Failure) -> u8 {
    match failure.kind {
        Kind::Refused => REFUSED,
        Kind::Unavailable => UNAVAILABLE,
        Kind::Fatal => SELF_TEST,
        Kind::Malformed => FAILED,
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    if let Command::Boot(boot) = &cli.command {
        return self::boot(cli, boot);
    }
    let config = Config::read(&cli.config)?;
    match &cli.command {
        Command::Run => work(config),
        Command::Once => once(cli, config),
        Command::Enrol(enrol) => self::enrol(cli, &config, enrol),
        Command::Status => {
            let status = status(&config)?;
            show(cli, &status);
            Ok(ExitCode::SUCCESS)
        }
        Command::SelfTest(args) => self_test(cli, config, args),
        Command::Confirm => word(&config, Word::Confirm),
        Command::Rollback => word(&config, Word::Rollback),
        Command::Note(note) => self::note(&config, note),
        Command::Peer(command) => {
            peer::cli::run(&config, command, cli.json, |value| show(cli, value))
        }
        Command::Boot(_) => Ok(ExitCode::SUCCESS),
    }
}

/// The service: never ends by itself but for a self-test that failed.
fn work(config: Config) -> Result<ExitCode, Failure> {
    let mut agent = Agent::open(config)?;
    agent.began();
    loop {
        match require_fit(&agent.self_test()?) {
            Ok(()) => break,
            Err(failure) if failure.passes() => {
                log::warning(failure.code, &failure.detail);
                agent.tell_unfit();
                pause(&mut agent, MEND_S);
            }
            Err(failure) => {
                agent.tell_unfit();
                return Err(failure);
            }
        }
    }
    loop {
        match agent.round() {
            Ok(Round::Rest(seconds)) => pause(&mut agent, seconds),
            Ok(Round::Restarting) => pause(&mut agent, RESTARTING_S),
            Err(failure) if failure.kind == Kind::Fatal => return Err(failure),
            Err(failure) => {
                let seconds = agent.pause_s();
                log::warning(failure.code, &format!("{}; again in {seconds} s", failure.detail));
                pause(&mut agent, seconds);
            }
        }
    }
}

/// Waits, or less where a person has something to say or somebody tampers with the device.
fn pause(agent: &mut Agent, seconds: u64) {
    let mut left = Duration::from_secs(seconds);
    let look = agent.look_every();
    while !left.is_zero() && !agent.asked() && !agent.watch() {
        let some = left.min(look);
        std::thread::sleep(some);
        left = left.saturating_sub(some);
    }
}

fn once(cli: &Cli, config: Config) -> Result<ExitCode, Failure> {
    let mut agent = Agent::open(config)?;
    if let Err(failure) = require_fit(&agent.self_test()?) {
        agent.tell_unfit();
        return Err(failure);
    }
    agent.watch_once();
    let round = agent.round()?;
    let (outcome, seconds) = match round {
        Round::Rest(seconds) => ("rest", Some(seconds)),
        Round::Restarting => ("restarting", None),
    };
    show(cli, &json!({"outcome": outcome, "again_in_s": seconds, "update": agent.state()}));
    Ok(ExitCode::SUCCESS)
}

fn enrol(cli: &Cli, config: &Config, args: &Enrol) -> Result<ExitCode, Failure> {
    let code = args.code_file.as_ref().map(|path| {
        let path = if path.as_os_str() == "-" { "/dev/stdin".into() } else { path.clone() };
        let missing = || Failure::malformed("code", format!("there is no {}", path.display()));
        files::read(&path, CODE_BYTES_MAX)?.map(Secret::new).ok_or_else(missing)
    });
    let mut agent = Agent::open(config.clone())?;
    require_fit(&agent.self_test()?)?;
    agent.enrol(code.transpose()?.as_ref())?;
    drop(agent);
    show(cli, &status(config)?);
    Ok(ExitCode::SUCCESS)
}

fn note(config: &Config, args: &Note) -> Result<ExitCode, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let wrong = || Failure::malformed("note", "a detail is NAME=VALUE".to_owned());
    let details = args.details.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?;
    let note = notes::Note {
        kind: args.kind.clone(),
        severity: args.severity.clone(),
        outcome: args.outcome.clone(),
        actor: args.actor.clone(),
        subject: args.subject.clone(),
        details,
        at: 0,
    };
    note.leave(config)?;
    Ok(ExitCode::SUCCESS)
}

fn self_test(cli: &Cli, config: Config, args: &SelfTest) -> Result<ExitCode, Failure> {
    let findings = if args.accept_program || args.accept_clock || args.accept_tamper {
        let mut agent = Agent::open(config)?;
        if args.accept_program {
            agent.accept_program()?;
        }
        if args.accept_clock {
            agent.accept_clock()?;
        }
        if args.accept_tamper {
            agent.accept_tamper()?;
        }
        agent.self_test()?
    } else {
        let now = crate::clock::wall();
        self_test::run(&config, &Store::look(&config.state), now)
    };
    let worst = self_test::worst(&findings);
    show(cli, &json!({"outcome": worst, "findings": findings}));
    let fit = !matches!(worst, Consequence::Stop | Consequence::Wait);
    Ok(if fit { ExitCode::SUCCESS } else { ExitCode::from(SELF_TEST) })
}

fn require_fit(findings: &[Finding]) -> Result<(), Failure> {
    let with = |consequence| findings.iter().find(|one| one.consequence == consequence);
    if let Some(finding) = with(Consequence::Stop) {
        return Err(Failure::fatal(finding.code, finding.detail.clone()));
    }
    if let Some(finding) = with(Consequence::Wait) {
        return Err(Failure::unavailable(finding.code, finding.detail.clone()));
    }
    for finding in findings.iter().filter(|one| one.consequence == Consequence::Warn) {
        log::warning(finding.code, &finding.detail);
    }
    Ok(())
}

fn word(config: &Config, word: Word) -> Result<ExitCode, Failure> {
    match Agent::open(config.clone()) {
        Ok(mut agent) => {
            agent.word(word)?;
            log::info("heard", "the next round of the agent acts on it");
        }
        Err(failure) if failure.code == "busy" => {
            Agent::leave_word(config, word)?;
            log::info("asked", "left for the agent that runs; see: tegata-agent status");
        }
        Err(failure) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

fn boot(cli: &Cli, args: &Boot) -> Result<ExitCode, Failure> {
    let record = match &args.record {
        Some(record) => Some(record.clone()),
        None => Config::read(&cli.config)?.slots.and_then(|slots| slots.boot_record),
    };
    let path = record.ok_or_else(|| {
        Failure::malformed("configuration", "give --record: slots.boot_record is not set")
    })?;
    let record = BootRecord::read(&path)?.ok_or_else(|| {
        let detail = format!("there is no {}; write: tegata-boot 1, good=a", path.display());
        Failure::malformed("boot-record", detail)
    })?;
    let (slot, next) = record.choose();
    // INVARIANT: the try is taken away before the image is started.
    if next != record {
        next.write(&path)?;
    }
    if cli.json {
        println!("{}", json!({"slot": slot, "good": next.good, "trying": slot != next.good}));
    } else {
        println!("{slot}");
    }
    Ok(ExitCode::SUCCESS)
}

fn status(config: &Config) -> Result<Value, Failure> {
    let store = Store::look(&config.state);
    let identity = crate::identity::shown(&store)?;
    let slots = config.slots.clone().map(Slots::new);
    let running = slots.as_ref().and_then(|slots| slots.running().ok());
    let record = slots.as_ref().and_then(Slots::record_path).map(BootRecord::read).transpose()?;
    let record = record.flatten().map(|record| {
        let (trying, tries) = record.trying.unzip();
        json!({"good": record.good, "trying": trying, "tries": tries})
    });
    Ok(json!({
        "server": config.server,
        "identity": identity,
        "running": running,
        "boot_record": record,
        "update": store.state()?,
        "commands": crate::commands::shown(&store)?,
        "device_log": crate::device_log::shown(&store)?,
        "trust_bundle": peer::shown(&store)?,
    }))
}

/// Data on stdout: one object as JSON, or the same indented.
fn show(cli: &Cli, value: &Value) {
    match cli.json {
        true => println!("{value}"),
        false => println!("{value:#}"),
    }
}
