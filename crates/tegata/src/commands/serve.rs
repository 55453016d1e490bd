use crate::{cli::ServeArgs, clock, commands::Unlocking};
use anyhow::Context as _;
use server::{ConsoleCertificate, ConsoleDoor, Limits, Rate, Server, witness::HttpWitness};
use service::{Config, Service, Urls, WitnessClient};
use std::sync::Arc;

/// Runs `tegata serve` until it is told to stop.
pub async fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let unlocking = Unlocking::read(&args.unlock, &args.dir, false)?;
    let public_url =
        args.public_url.clone().unwrap_or_else(|| format!("http://{}", args.listen_public));
    let witnesses = args
        .witnesses
        .iter()
        .map(|witness| {
            let (url, key) = witness.split_once('#').ok_or_else(|| {
                anyhow::anyhow!("{witness:?} is not a witness; give it as URL#VKEY")
            })?;
            Ok(Arc::new(HttpWitness::new(key, url)?) as Arc<dyn WitnessClient>)
        })
        .collect::<anyhow::Result<_>>()?;
    let console = console_door(args)?;
    let people = service::PeopleConfig { idle_s: args.session_idle * 60, ..Default::default() };
    let (urls, places) = (urls(&public_url), places(args)?);
    let config = Config {
        witnesses,
        urls,
        people,
        advisories: args.advisories.clone(),
        report_font: args.report_font.clone(),
        places,
        cosignature_wait_ms: args.cosignature_wait_ms,
        passports_unwitnessed: args.passports_unwitnessed,
        ..Config::default()
    };
    let config = match &args.hardware_type {
        Some(hardware_type) => Config { hardware_type: hardware_type.0, ..config },
        None => {
            eprintln!(
                "IDevIDs name their hardware below {}, the arc for documentation; give \
                 --hardware-type with an identifier below your own enterprise number before you \
                 ship devices",
                config.hardware_type
            );
            config
        }
    };
    let service =
        Service::open(&args.dir, &unlocking.unlock(), config, Arc::new(clock::SystemClock))?;
    drop(unlocking);
    let config = server::Config {
        tls: args.listen,
        public: args.listen_public,
        names: args.hosts.clone(),
        console,
        mqtt: args.mqtt,
        mqtt_websocket: args.mqtt_websocket,
        coap: args.coap,
        coap_raw_keys: args.coap_raw_keys,
        route_networks: args.route_networks.clone(),
        websocket_origins: args.mqtt_websocket_origins.clone(),
        limits: Limits {
            rate_per_source: Rate::new(
                args.requests_per_source,
                args.requests_per_source.saturating_mul(2),
            ),
            connections_max: usize::try_from(args.connections)?,
            ..Limits::default()
        },
        ..server::Config::default()
    };
    let running = Server::start(config, service.clone()).await?;
    eprintln!("serving https://{} and http://{}", running.tls_address(), running.public_address());
    if let Some(address) = running.mqtt_address() {
        eprintln!("mqtts://{address}");
    }
    if let Some(address) = running.websocket_address() {
        eprintln!("wss://{address}/mqtt");
    }
    if let Some(address) = running.coap_address() {
        eprintln!("coaps://{address}");
    }
    if let Some(origin) = running.console_origin() {
        eprintln!("console {origin}");
        invite_first(&service, &origin.to_string()).await?;
    }
    tokio::select! {
        told = told_to_stop() => told?,
        () = stdin_closed(), if args.stop_with_stdin => {}
    }
    eprintln!("stopping");
    running.shutdown().await;
    tokio::task::spawn_blocking(move || service.close()).await?;
    Ok(())
}

/// While nobody has registered, says how the first administrator comes in.
async fn invite_first(service: &Service, origin: &str) -> anyhow::Result<()> {
    // An address without a host name has no passkeys; the pages still work.
    if let Err(error) = service.open_console(origin) {
        eprintln!("nobody can sign in: {error}");
        return Ok(());
    }
    if let Some(link) = service.first_link_of_a_start(&service.local_administrator()).await? {
        eprintln!("nobody has registered yet; the first administrator opens, within one hour:");
        eprintln!("  {}", link.url(origin));
    }
    Ok(())
}

/// What is known of where visitors of the public page come from.
fn places(args: &ServeArgs) -> anyhow::Result<service::Places> {
    let table = args.public_places.as_deref().map(|path| {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the places {}", path.display()))?;
        Ok::<_, anyhow::Error>(Arc::new(service::PlaceTable::parse(&text)?))
    });
    let proxies = args.trusted_proxies.iter().map(|network| {
        network.parse().map_err(|why| anyhow::anyhow!("--trusted-proxy {network}: {why}"))
    });
    Ok(service::Places { table: table.transpose()?, proxies: proxies.collect::<Result<_, _>>()? })
}

/// The door for people, as the flags say.
fn console_door(args: &ServeArgs) -> anyhow::Result<Option<ConsoleDoor>> {
    let Some(address) = args.console.0 else { return Ok(None) };
    let url = args.console_url.as_deref().map(console::Origin::parse).transpose()?;
    let certificate = match (&args.console_certificate, &args.console_key) {
        (Some(chain), Some(key)) => {
            Some(ConsoleCertificate { chain: chain.clone(), key: key.clone() })
        }
        _ => None,
    };
    Ok(Some(ConsoleDoor { address, url, certificate }))
}

/// URLs that go into certificates.
pub fn urls(public_url: &str) -> Urls {
    let base = public_url.trim_end_matches('/');
    Urls {
        crl: Some(format!("{base}/crl/{{ca}}.crl")),
        ocsp: Some(format!("{base}/ocsp")),
        ca_issuers: Some(format!("{base}/ca/{{ca}}.der")),
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn told_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Waits until standard input is closed; what comes in before is thrown away.
async fn stdin_closed() {
    let (closed, wait) = tokio::sync::oneshot::channel();
    // A thread of its own: a read that is never answered must not hold up the runtime's end.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let _ = wait.await;
}
