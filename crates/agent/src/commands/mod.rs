//! What the owner tells this device (GW-8): commands that are done once, settings that are taken up,
//! and what the device says to that. docs/command.md, docs/agent.md.
//!
//! INVARIANT: a command is on disk before it is begun, its result before it is told. Whatever dies
//! between, nothing is done twice: what was begun and has no result is told as interrupted.

mod erase;
pub(crate) mod journal;
mod line;
mod say;
mod settings;

use crate::{
    Agent, Failure, fault, hooks,
    identity::Credential,
    log,
    net::Client,
    self_test::{self, Consequence},
    store::Store,
};
use admission::{CommandId, CommandName, CommandProgress, Heard, encode_answer};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::UnixTime;
use journal::{Judgement, Outcome, Progress, Stage, Start};
use line::PlatformTime;
use say::Speaker;
use std::{ffi::OsString, time::Duration};

pub(crate) use journal::Journal;
pub(crate) use line::{Line, Taken};
pub(crate) use say::Saying;
pub(crate) use settings::Settings;

/// The record of commands in the agent's folder.
const COMMANDS: &str = "commands";
/// Longest pause before a restart that a command may ask for, in seconds.
const DELAY_S_MAX: u64 = 300;

/// What a look at what there is to hear led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// nothing that concerns anybody else
    On,
    /// the machine is about to start again
    Restarting,
    /// the device has no keys any more
    Erased,
}

/// A command that is to be begun.
struct Order {
    id: CommandId,
    name: CommandName,
    parameters: String,
    times: (UnixTime, UnixTime),
}

impl Order {
    fn key(&self) -> (&CommandId, &str) {
        (&self.id, self.name.as_str())
    }
}

impl Agent {
    /// At the start of the process: what a crash left behind is brought to its end before anything
    /// else.
    ///
    /// # Errors
    /// `state-damaged`, `state-write`.
    pub(crate) fn recover_commands(&mut self) -> Result<(), Failure> {
        self.journal = self.store.record(COMMANDS)?.unwrap_or_default();
        self.settings = Settings::read(&self.store)?;
        self.finish_erasure()?;
        let start = self.start();
        self.note(|journal| journal.settle(&start, true))
    }

    /// Asks what there is to hear, does it and answers. What fails here fails again, or not, at the
    /// next look, and holds up no update.
    pub(crate) fn serve(&mut self, client: &Client, shown: &Credential) -> Served {
        self.try_serve(client, shown).unwrap_or_else(|failure| {
            log::warning(failure.code, &failure.detail);
            Served::On
        })
    }

    fn try_serve(&mut self, client: &Client, shown: &Credential) -> Result<Served, Failure> {
        let speaker = Speaker::new(self.config.messages, shown, self.config.identity.device)?;
        let mut line = Line::new(client, speaker);
        let served = match self.config.commands {
            Some(_) => self.hear_owner(&mut line, shown)?,
            None => Served::On,
        };
        if served == Served::On {
            self.observe(Some(shown));
            self.tell_log(&mut line)?;
            self.tell_telemetry(&mut line)?;
        }
        Ok(served)
    }

    fn hear_owner(&mut self, line: &mut Line<'_>, shown: &Credential) -> Result<Served, Failure> {
        let start = self.start();
        self.note(|journal| journal.settle(&start, false))?;
        self.answer(line)?;
        let (heard, time) = line.ask()?;
        for one in heard {
            match one {
                Err(error) => log::warning("not-understood", &error.to_string()),
                Ok(Heard::Configuration { version, settings }) => {
                    self.configure(line, version, &settings)?;
                }
                Ok(Heard::Command { id, name, parameters, issued_at, expires_at }) => {
                    let order = Order { id, name, parameters, times: (issued_at, expires_at) };
                    let served = self.command(line, shown, &order, time)?;
                    if served != Served::On {
                        return Ok(served);
                    }
                }
            }
        }
        self.note(|journal| journal.forget(time.now()))?;
        Ok(Served::On)
    }

    fn command(
        &mut self,
        line: &mut Line<'_>,
        shown: &Credential,
        order: &Order,
        time: PlatformTime,
    ) -> Result<Served, Failure> {
        let (issued, expires) = order.times;
        match self.journal.judge(&order.id, issued, expires, time.now()) {
            Judgement::Nothing => return Ok(Served::On),
            Judgement::Refuse(outcome) => return self.over(line, order, outcome),
            Judgement::Begin => {}
        }
        let mut cannot = self.cannot(order);
        // Nothing is erased where the proof of it could not be said.
        if cannot.is_none()
            && order.name.as_str() == CommandName::ERASE_KEYS
            && let Err(failure) = self.can_say(line)
        {
            cannot = Some(Outcome::new(Progress::Rejected, failure.to_string()));
        }
        if let Some(outcome) = cannot {
            return self.over(line, order, outcome);
        }
        let start = self.start();
        self.note(|journal| journal.begin(order.key(), order.times, &start))?;
        log::info("command", &format!("{} {}", order.name.as_str(), order.id));
        fault::point("command-begun");
        let outcome = match order.name.as_str() {
            CommandName::RESTART => {
                self.accept(line, order);
                match self.restart(order) {
                    // Over when the machine has started again.
                    Ok(()) => return Ok(Served::Restarting),
                    Err(failure) => failed(&failure),
                }
            }
            // What was begun ends, whatever went wrong: nobody would hear of it before the next start.
            CommandName::SELF_TEST => self.tested().unwrap_or_else(|failure| failed(&failure)),
            CommandName::ERASE_KEYS => {
                self.accept(line, order);
                match self.begin_erasure(shown, order) {
                    Ok(()) => return self.erase(line),
                    // Every key is still there, and nothing says any more that one is to go.
                    Err(failure) => {
                        self.forget_erasure()?;
                        failed(&failure)
                    }
                }
            }
            CommandName::FACTORY_RESET => {
                self.reset(order).unwrap_or_else(|failure| failed(&failure))
            }
            _ => {
                let hook = self.config.hooks.command.clone().unwrap_or_default();
                self.by_hook(&hook, order)
            }
        };
        fault::point("command-done");
        self.over(line, order, outcome)
    }

    /// Why a command is not even begun.
    fn cannot(&self, order: &Order) -> Option<Outcome> {
        let hooks = &self.config.hooks;
        let lacks = match order.name.as_str() {
            CommandName::RESTART if hooks.reboot.is_none() => "hooks.reboot",
            CommandName::FACTORY_RESET if hooks.reset.is_none() => "hooks.reset",
            CommandName::RESTART if delay(&order.parameters).is_none() => {
                let why = format!("[parameters] delay_s must be 0 to {DELAY_S_MAX}");
                return Some(Outcome::new(Progress::Rejected, why));
            }
            CommandName::ERASE_KEYS => return self.cannot_erase(),
            CommandName::RESTART | CommandName::SELF_TEST | CommandName::FACTORY_RESET => {
                return None;
            }
            _ if hooks.command.is_none() => "hooks.command",
            _ => return None,
        };
        let why = format!("[unknown-command] this device has no {lacks}");
        Some(Outcome::new(Progress::Rejected, why))
    }

    /// Keeps a result and tells it.
    fn over(
        &mut self,
        line: &mut Line<'_>,
        order: &Order,
        outcome: Outcome,
    ) -> Result<Served, Failure> {
        log::info(
            "command",
            &format!(
                "{} {}: {:?} {}",
                order.name.as_str(),
                order.id,
                outcome.progress,
                outcome.detail
            ),
        );
        self.note(|journal| journal.finish(order.key(), order.times, outcome))?;
        fault::point("command-result-kept");
        self.answer(line)?;
        Ok(Served::On)
    }

    /// Says that a command is begun. Nobody who hears it is no reason not to go on.
    fn accept(&mut self, line: &mut Line<'_>, order: &Order) {
        let answer = encode_answer(CommandProgress::Accepted, None, None);
        let id = order.id.to_string();
        if let Err(failure) = self.say_answer(line, &id, &answer) {
            log::warning(failure.code, &failure.detail);
        }
    }

    fn say_answer(
        &mut self,
        line: &mut Line<'_>,
        id: &str,
        payload: &[u8],
    ) -> Result<Taken, Failure> {
        let topic = format!("up/commands/{id}");
        let media_type = "application/json";
        self.say(line, &Saying { topic: &topic, media_type, payload, sample: None })
    }

    /// Tells the platform every result that it does not know.
    fn answer(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        while let Some(entry) = self.journal.untold().cloned() {
            let Stage::Over { progress, detail, proof, .. } = &entry.stage else { break };
            let proof = proof.as_ref().and_then(|text| STANDARD.decode(text).ok());
            let detail = Some(detail.as_str()).filter(|detail| !detail.is_empty());
            let answer = encode_answer(progress.said(), detail, proof.as_deref());
            fault::point("before-command-answer");
            let taken = self.say_answer(line, &entry.id, &answer)?;
            if let Taken::Never(why) = taken {
                log::warning("platform-unknown", &why);
            }
            fault::point("after-command-answer");
            self.note(|journal| journal.told(&entry.id))?;
        }
        Ok(())
    }

    fn restart(&self, order: &Order) -> Result<(), Failure> {
        let seconds = delay(&order.parameters).unwrap_or(0);
        std::thread::sleep(Duration::from_secs(seconds));
        fault::point("command-done");
        let hook = self.config.hooks.reboot.clone().unwrap_or_default();
        hooks::call(&hook, &variables(order), self.config.hooks.timeout_s).map(|_| ())
    }

    fn tested(&mut self) -> Result<Outcome, Failure> {
        let findings = self.self_test()?;
        let failed = findings
            .iter()
            .filter(|one| !matches!(one.consequence, Consequence::Pass | Consequence::Warn))
            .map(|one| format!("{} [{}] {}", one.test, one.code, one.detail));
        let failed: Vec<String> = failed.collect();
        Ok(match self_test::worst(&findings) {
            Consequence::Pass | Consequence::Warn => {
                Outcome::new(Progress::Done, format!("{} tests passed", findings.len()))
            }
            Consequence::Wait | Consequence::Stop => {
                Outcome::new(Progress::Failed, failed.join("; "))
            }
        })
    }

    /// Forgets settings; the hook forgets everything else.
    fn reset(&mut self, order: &Order) -> Result<Outcome, Failure> {
        let hook = self.config.hooks.reset.clone().unwrap_or_default();
        let outcome = self.by_hook(&hook, order);
        if outcome.progress == Progress::Done {
            self.settings.forget(&self.store)?;
        }
        Ok(outcome)
    }

    fn by_hook(&self, hook: &[String], order: &Order) -> Outcome {
        match hooks::call(hook, &variables(order), self.config.hooks.timeout_s) {
            Ok(said) => Outcome::new(Progress::Done, String::from_utf8_lossy(&said)),
            Err(failure) => failed(&failure),
        }
    }

    pub(crate) fn start(&self) -> Start {
        let now = self.now();
        Start { boot_id: now.boot_id, uptime_s: now.uptime_s }
    }

    /// INVARIANT: what is in memory is what is on disk.
    fn note(&mut self, change: impl FnOnce(&mut Journal)) -> Result<(), Failure> {
        let mut journal = self.journal.clone();
        change(&mut journal);
        if journal != self.journal {
            self.store.keep(COMMANDS, &journal)?;
            self.journal = journal;
        }
        Ok(())
    }
}

/// What is remembered of commands, for people: with the proof of an erasure, which is handed in by
/// hand where it could not be sent.
///
/// # Errors
/// `state-damaged`.
pub(crate) fn shown(store: &Store) -> Result<serde_json::Value, Failure> {
    let journal = store.record::<Journal>(COMMANDS)?.unwrap_or_default();
    Ok(serde_json::json!(journal.entries))
}

fn failed(failure: &Failure) -> Outcome {
    Outcome::new(Progress::Failed, failure.to_string())
}

fn variables(order: &Order) -> [(&'static str, OsString); 3] {
    [
        ("COMMAND", order.name.as_str().into()),
        ("COMMAND_ID", order.id.to_string().into()),
        ("PARAMETERS", order.parameters.clone().into()),
    ]
}

/// Seconds to wait before a restart; `None` where they are none.
fn delay(parameters: &str) -> Option<u64> {
    let parameters: serde_json::Value = serde_json::from_str(parameters).ok()?;
    match parameters.get("delay_s") {
        None => Some(0),
        Some(value) => value.as_u64().filter(|seconds| *seconds <= DELAY_S_MAX),
    }
}
