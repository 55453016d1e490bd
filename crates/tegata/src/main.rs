//! The one binary: device passports from a laptop to a cluster.

#![expect(unreachable_pub, reason = "a binary has no outside: pub means used by other modules")]

mod bench;
mod cli;
mod clock;
mod coap;
mod commands;
mod csr;
mod demo;
mod files;
mod mqtt;
mod output;
mod remote;
mod sim;

use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Command, mud::MudCommand};
use output::Output;
use std::process::ExitCode;

/// A certificate costs some hundred allocations; the system's allocator would take a tenth of the
/// time for them (docs/performance.md). It serves the C libraries too (feature `override`): SQLite
/// allocates each page of its caches by itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = tracing_subscriber::EnvFilter::try_from_env("TEGATA_LOG").unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new(match cli.command {
            // Its witness is shown a forked log on purpose.
            Command::Demo(_) => "warn,server::witness=off",
            _ => "warn",
        })
    });
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .init();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(hint) = hint(&error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output { json: cli.json };
    let language = cli.language;
    match cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tegata", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Man { dir } => {
            std::fs::create_dir_all(&dir)?;
            clap_mangen::generate_to(Cli::command(), &dir)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Glossary { term } => {
            commands::glossary::run(term.as_deref(), output, language)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Verify(args) => {
            return Ok(ExitCode::from(commands::verify::run(&args, output, language)?));
        }
        Command::Message(command) => return commands::message::run(command, output),
        Command::Sbom(command) => {
            return Ok(ExitCode::from(commands::vulnerability::sbom(command, output, language)?));
        }
        Command::Advisory(command) => {
            return Ok(ExitCode::from(commands::vulnerability::advisory(
                command, output, language,
            )?));
        }
        Command::Catalogue(command) => {
            commands::assessment::catalogue(command, output, language)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Checksheet(command) => {
            commands::assessment::checksheet(command, output, language)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Threat(command) if !command.needs_server() => {
            commands::assessment::threat(command, output, language)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Mud(command) if !command.needs_server() => {
            return commands::mud::run(command, output, language);
        }
        Command::Vex(command) => {
            return Ok(ExitCode::from(commands::vulnerability::vex(command, output)?));
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => return demo::run(&args, output, language).await,
            Command::Init(args) => commands::init::run(&args, output).await?,
            Command::Serve(args) => commands::serve::run(&args).await?,
            Command::Ca(command) => commands::ca::run(command, output, language).await?,
            Command::Org(command) => commands::org::run(command, output, language).await?,
            Command::Product(command) => commands::product::run(command, output, language).await?,
            Command::Device(command) => commands::device::run(command, output, language).await?,
            Command::View(command) => commands::fleet::view(command, output, language).await?,
            Command::Campaign(command) => {
                commands::campaign::run(command, output, language).await?;
            }
            Command::Gate(args) => {
                return commands::assessment::gate(&args, output, language).await;
            }
            Command::Operation(command) => {
                commands::operation::run(command, output, language).await?;
            }
            Command::Threat(cli::threat::ThreatCommand::Kept(command)) => {
                commands::threat::run(command, output, language).await?;
            }
            Command::Diagnosis(command) => {
                commands::diagnosis::run(command, output, language).await?;
            }
            Command::Job(command) => commands::fleet::job(command, output, language).await?,
            Command::Overview(args) => commands::fleet::overview(&args, output, language).await?,
            Command::Event(command) => commands::event::run(command, output, language).await?,
            Command::Passport(command) => {
                commands::passport::run(command, output, language).await?;
            }
            Command::Log(command) => commands::log::run(command, output, language).await?,
            Command::Witness(args) => commands::witness::run(args.command, output).await?,
            Command::Alert(command) => commands::alert::run(command, output, language).await?,
            Command::Profile(command) => {
                commands::behaviour::run(command, output, language).await?;
            }
            Command::Traffic(args) => commands::route::traffic(args, output, language).await?,
            Command::Route(command) => commands::route::run(command, output, language).await?,
            Command::Audit(command) => commands::audit::run(command, output, language).await?,
            Command::Person(command) => commands::person::run(command, output, language).await?,
            Command::Approval(command) => {
                commands::approval::run(command, output, language).await?;
            }
            Command::Token(command) => commands::token::run(command, output, language).await?,
            Command::Platform(command) => {
                commands::platform::run(command, output, language).await?;
            }
            Command::Policy(command) => {
                return commands::policy::run(command, output, language).await;
            }
            Command::Schema(command) => {
                return commands::schema::run(command, output, language).await;
            }
            Command::Mud(MudCommand::Suggest(args)) => {
                commands::mud_kept::suggest(*args, output, language).await?;
            }
            Command::Mud(MudCommand::Kept(command)) => {
                return commands::mud_kept::run(command, output, language).await;
            }
            Command::Purpose(command) => {
                commands::purpose::run(command, output, language).await?;
            }
            Command::TrustBundle(command) => {
                commands::trust_bundle::run(command, output, language).await?;
            }
            Command::Consent(command) => {
                commands::purpose::consent(command, output, language).await?;
            }
            Command::Release(command) => {
                return commands::release::run(command, output, language).await;
            }
            Command::Update(command) => {
                return commands::update::run(command, output, language).await;
            }
            Command::Vulnerability(command) => {
                return commands::vulnerabilities::run(command, output, language).await;
            }
            Command::Bench(args) => bench::run(&args, output).await?,
            Command::Sim(command) => return sim::run(command, output, language).await,
            Command::Verify(_)
            | Command::Sbom(_)
            | Command::Advisory(_)
            | Command::Vex(_)
            | Command::Mud(_)
            | Command::Catalogue(_)
            | Command::Checksheet(_)
            | Command::Threat(_)
            | Command::Message(_)
            | Command::Glossary { .. }
            | Command::Completions { .. }
            | Command::Man { .. } => {}
        }
        anyhow::Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    code
}

/// What to do next, where the server or the domain said so.
fn hint(error: &anyhow::Error) -> Option<String> {
    let found = error.chain().find_map(|cause| cause.downcast_ref::<advisory::AdvisoryError>());
    if let Some(error) = found {
        return Some(error.hint().to_owned());
    }
    let found = error.chain().find_map(|cause| cause.downcast_ref::<assessment::AssessmentError>());
    if let Some(error) = found {
        return Some(error.hint().to_owned());
    }
    let problem = error.chain().find_map(|cause| {
        cause.downcast_ref::<api::ClientError>().and_then(api::ClientError::problem)
    })?;
    problem.hint.clone()
}
