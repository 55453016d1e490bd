//! `tegata sim`: fleets of light devices and those who attack them, through the platform's real doors
//! (docs/sim.md).

mod attack;
mod clean;
mod dice;
mod factory;
mod figures;
mod fleet;
mod http;
mod judge;
pub mod net;
mod owner;
mod payload;
mod report;
pub mod scenario;
pub mod session;
mod store;

use crate::{
    cli::{
        Language,
        sim::{SimCommand, SimRunArgs},
    },
    clock,
    commands::serve::told_to_stop,
    files,
    output::{Output, table},
    remote::{Remote, read_roots},
};
use anyhow::{Context as _, bail, ensure};
use api::{client::Est, wire::ServerKey};
use attack::AttackAtWork;
use factory::Factory;
use fleet::{Play, locked};
use indicatif::ProgressBar;
use judge::Judge;
use net::{Doors, Ports};
use owner::OrderAtWork;
use report::Report;
use scenario::{Door, Keeping, Scenario};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::Read as _,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use store::Store;

/// The scenario that `tegata sim example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");
/// What is open beside the connections.
const FILES: u64 = 256;
/// How a run ends where what it expects did not come.
const NOT_MET: u8 = 2;
/// A device may send so many messages a second (docs/gateway.md).
const RATE_OF_DEVICE: f64 = 20.0;

/// Runs `tegata sim …`.
pub async fn run(
    command: SimCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        SimCommand::Example => output.line(EXAMPLE.trim_end())?,
        SimCommand::Check { scenario, connections } => {
            check(&read(&scenario)?, connections, output)?;
        }
        SimCommand::Run(args) => return play(args, output, language).await,
        SimCommand::Clean(args) => clean::run(&args, output, language).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Scenario> {
    let most = u64::try_from(scenario::BYTES_MAX)?.saturating_add(1);
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(most).read_to_string(&mut text))
            .with_context(|| format!("cannot read the scenario {}", path.display()))?;
    }
    Scenario::parse(&text).with_context(|| format!("{}", path.display()))
}

/// Says what a scenario would do.
fn check(scenario: &Scenario, connections: u32, output: Output) -> anyhow::Result<()> {
    let stays = scenario.stays(connections);
    let (mut rows, mut notes, mut all) = (Vec::new(), Vec::new(), 0.0);
    for group in &scenario.groups {
        let honest = group.count - scenario.taken(&group.name);
        let each = group.period.0.as_secs_f64().recip();
        let rate = f64::from(honest) * each;
        all += rate;
        let turns = group.connection == Keeping::Always && !stays;
        if turns {
            notes.push(format!(
                "{}: more devices keep a connection than may be open at once; they take turns",
                group.name
            ));
        }
        if each > RATE_OF_DEVICE {
            notes.push(format!(
                "{}: a device sends more than {RATE_OF_DEVICE} messages a second; the platform refuses \
                 what is beyond",
                group.name
            ));
        }
        let most = scenario.duration.ms().div_ceil(group.period.ms().max(1));
        let most = group.messages.map_or(most, |messages| most.min(u64::from(messages)));
        rows.push(json!({
            "group": group.name,
            "product": scenario.product(group),
            "devices": honest,
            "attacked": group.count - honest,
            "door": group.door.name(),
            "stays_connected": group.connection == Keeping::Always && !turns,
            "messages_per_second": (rate * 100.0).round() / 100.0,
            "messages_at_most": most.saturating_mul(u64::from(honest)),
        }));
    }
    let attackers: Vec<_> = scenario
        .attackers
        .iter()
        .map(|it| {
            json!({
                "attacker": it.name, "kind": it.kind.name(), "group": it.group,
                "devices": it.count, "attempts": it.attempts(),
            })
        })
        .collect();
    let seconds = (scenario.duration.ms() + scenario.drain.ms()).div_ceil(1000);
    let said = json!({
        "scenario": scenario.name,
        "devices": scenario.devices(),
        "messages_per_second": (all * 100.0).round() / 100.0,
        "duration_s": scenario.duration.ms().div_ceil(1000),
        "seconds_at_most": seconds,
        "connections": connections,
        "bytes_per_device": fleet::BYTES_PER_DEVICE,
        "groups": rows,
        "attackers": attackers,
        "commands": scenario.orders.iter().map(|it| json!({
            "command": it.name, "group": it.group, "devices": it.count,
        })).collect::<Vec<_>>(),
        "notes": notes,
    });
    output.one(&said, |_| {
        let cell = |row: &serde_json::Value, name: &str| {
            row.get(name).map(|it| it.to_string().trim_matches('"').to_owned()).unwrap_or_default()
        };
        let list = |head: &[&str], rows: &[serde_json::Value]| {
            table(head, rows.iter().map(|row| head.iter().map(|name| cell(row, name)).collect()))
        };
        let mut text = format!(
            "{}: {} devices, {all:.1} messages/s, {} s and {} s at most to send what waits",
            scenario.name,
            scenario.devices(),
            scenario.duration.ms().div_ceil(1000),
            scenario.drain.ms().div_ceil(1000),
        );
        let head = [
            "group",
            "product",
            "devices",
            "attacked",
            "door",
            "stays_connected",
            "messages_per_second",
            "messages_at_most",
        ];
        text.push_str(&format!("\n{}", list(&head, &rows)));
        if !attackers.is_empty() {
            let head = ["attacker", "kind", "group", "devices", "attempts"];
            text.push_str(&format!("\n{}", list(&head, &attackers)));
        }
        for order in &scenario.orders {
            text.push_str(&format!(
                "\ncommand {} for {} devices of {}",
                order.name, order.count, order.group
            ));
        }
        for note in &notes {
            text.push_str(&format!("\nnote: {note}"));
        }
        text
    })
}

/// Who attacks another machine must say that it may.
fn may_attack(doors: &Doors, scenario: &Scenario, said: Option<&str>) -> anyhow::Result<()> {
    if scenario.attackers.is_empty() || doors.loopback || said == Some(doors.host()) {
        return Ok(());
    }
    bail!(
        "the scenario attacks {}, which is not this machine; give --yes-attack {} if you may",
        doors.host(),
        doors.host()
    )
}

async fn play(args: SimRunArgs, output: Output, language: Language) -> anyhow::Result<ExitCode> {
    let scenario = read(&args.scenario)?;
    let roots = read_roots(&args.server.roots)?;
    let ports =
        Ports { mqtt: args.mqtt_port, websocket: args.websocket_port, coap: args.coap_port };
    let mut doors = Doors::find(&args.server.server, ports, &roots, args.handshakes).await?;
    may_attack(&doors, &scenario, args.yes_attack.as_deref())?;
    // An attacker has two connections of a device at most: here, and elsewhere.
    let attackers: u64 = scenario.attackers.iter().map(|it| 2 * u64::from(it.count)).sum();
    let wanted = u64::from(args.connections).saturating_add(attackers).saturating_add(FILES);
    let may = files::raise(wanted);
    ensure!(
        may >= wanted,
        "{may} files may be open, and {} connections want {wanted}; raise the limit (ulimit -n) or \
         lower --connections",
        args.connections
    );
    let remote = Remote::open(&args.server, language)?;
    let key = args.key.as_deref().map(factory::read_key).transpose()?;
    let factory = Factory::new(remote.clone(), key).await?;
    let root = roots.first().context("there is no root certificate")?.fingerprint();
    let mut store = Store::open(&args.state, &root)?;

    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for group in &scenario.groups {
        let product = scenario.product(group).context("a group without a product")?;
        *wanted.entry(product.to_owned()).or_default() += usize::try_from(group.count)?;
    }
    let (mut enrolled, began) = (0, clock::instant());
    for (product, count) in wanted {
        enrolled += factory.fill(&mut store, &product, count).await?;
    }
    if enrolled > 0 {
        eprintln!("{enrolled} devices enrolled in {:.1} s", began.elapsed().as_secs_f64());
    }
    if args.enrol_only {
        let done = json!({"enrolled": enrolled, "devices": scenario.devices()});
        output.one(&done, |_| format!("{} devices are there", scenario.devices()))?;
        return Ok(ExitCode::SUCCESS);
    }

    if scenario.groups.iter().any(|group| group.door == Door::Coap) {
        let est = Est::new(remote.client().clone(), None);
        doors.know(&est.ca_certificates().await?);
    }
    if scenario.groups.iter().any(|group| group.door == Door::CoapRawKey) {
        let told: ServerKey = remote.get("/v1/server-key").await.context(
            "the server's key for the door coap-raw-key is not to be had; hint: start the server with \
             --coap-raw-keys",
        )?;
        doors.know_key(told.key.0);
    }
    let seed = args.seed.unwrap_or(scenario.seed);
    let play = Arc::new(Play::new(scenario, seed, store, doors, args.connections)?);
    let judge = Judge { remote: &remote, organisation: &factory.organisation, play: &play };
    let before = judge.before().await?;
    play.begin();
    let attacks: Vec<_> = AttackAtWork::all(&play)?.into_iter().map(Arc::new).collect();
    let orders = OrderAtWork::all(&play);
    let began = clock::instant();
    at_work(&play, &attacks, &orders, &remote).await?;
    let seconds = began.elapsed().as_secs();

    let held = judge.held(&before, &attacks).await?;
    let raised = judge.raised(&before, &attacks).await?;
    let mut told = Vec::with_capacity(orders.len());
    for order in &orders {
        told.push(order.report(&remote).await?);
    }
    let report = Report::new(&play, &attacks, (held, raised, told), enrolled, seconds)?;
    output.one(&report, Report::text)?;
    Ok(if report.met { ExitCode::SUCCESS } else { ExitCode::from(NOT_MET) })
}

/// Everybody at once, until all are done or somebody says that it is enough.
async fn at_work(
    play: &Arc<Play>,
    attacks: &[Arc<AttackAtWork>],
    orders: &[Arc<OrderAtWork>],
    remote: &Remote,
) -> anyhow::Result<()> {
    let mut owner = tokio::task::JoinSet::new();
    for order in orders {
        let (order, play, remote) = (order.clone(), play.clone(), remote.clone());
        owner.spawn(async move { order.run(&play, &remote).await });
    }
    let mut attackers = tokio::task::JoinSet::new();
    for attack in attacks {
        let (attack, play, remote) = (attack.clone(), play.clone(), remote.clone());
        attackers.spawn(async move { attack.run(&play, &remote).await });
    }
    let bar = crate::output::progress(play.scenario.duration.ms() / 1000, "seconds played", false);
    let watching = tokio::spawn(watch(play.clone(), bar.clone()));
    let fleet = play.clone();
    let mut fleet = tokio::spawn(async move { fleet.run().await });
    let all = async {
        (&mut fleet).await??;
        while let Some(done) = attackers.join_next().await {
            done?;
        }
        while let Some(done) = owner.join_next().await {
            done??;
        }
        anyhow::Ok(())
    };
    tokio::pin!(all);
    let done = tokio::select! {
        done = &mut all => done,
        told = told_to_stop() => {
            told?;
            eprintln!("stopping; what was acknowledged is looked for all the same");
            play.stopped.store(true, Ordering::Relaxed);
            all.await
        }
    };
    watching.abort();
    bar.finish_and_clear();
    done
}

/// Shows how far it is: a line that moves, or one every ten seconds where nobody looks.
async fn watch(play: Arc<Play>, bar: ProgressBar) {
    let pause = Duration::from_secs(if bar.is_hidden() { 10 } else { 1 });
    let mut before = 0;
    loop {
        tokio::time::sleep(pause).await;
        let (mut acknowledged, mut refused, mut failed, mut open) = (0, 0, 0, 0);
        for at in &play.groups {
            let figures = locked(&at.figures);
            acknowledged += figures.acknowledged;
            refused += figures.refused;
            failed += figures.failed;
            open += figures.connects;
        }
        let rate = (acknowledged - before) / pause.as_secs();
        before = acknowledged;
        let line = format!(
            "{acknowledged} acknowledged ({rate}/s), {refused} refused, {open} connects, {failed} failed"
        );
        if bar.is_hidden() {
            eprintln!("{} s: {line}", play.now_ms() / 1000);
        } else {
            bar.set_position(play.now_ms() / 1000);
            bar.set_message(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_is_a_scenario_and_wrong_ones_are_explained() {
        let example = Scenario::parse(EXAMPLE).unwrap();
        assert_eq!((example.groups.len(), example.attackers.len()), (3, 9));
        let group = |more: &str| {
            format!(
                "name='x'\nduration='10s'\nproduct='gate'\n[[group]]\nname='a'\ncount=2\nperiod='1s'\n{more}"
            )
        };
        assert!(Scenario::parse(&group("")).is_ok());
        for (text, want) in [
            (group("period='1s'"), "duplicate"),
            (group("door='telnet'"), "telnet"),
            (group("jitter=2.0"), "a share"),
            (group("topic='a//b'"), "topic"),
            (group("topic='log'"), "reads that one itself"),
            (group("whatever=1"), "unknown field"),
            (group("size=70000"), "at most 65536"),
            (group("[group.payload]\na={range=[2.0, 1.0]}"), "the lower first"),
            (group("[group.payload]\na={choice=[]}"), "1 to 64 texts"),
            (group("[group.offline]\nshare=0.5\nfor='9s'\nevery='5s'"), "longer than"),
            (group("[[attacker]]\nname='b'\nkind='replay'\ngroup='c'"), "no group"),
            (group("[[attacker]]\nname='b'\nkind='replay'\ngroup='a'\ncount=3"), "3 of its 2"),
            (group("[[attacker]]\nname='b'\nkind='bribery'\ngroup='a'"), "bribery"),
            (group("[[command]]\nname='b'\ngroup='a'"), "does not listen"),
            (group("[[group]]\nname='a'\ncount=1\nperiod='1s'"), "two groups"),
            (group("[[group]]\nname='b'\ncount=1000000\nperiod='1s'"), "at most 1000000"),
            ("name='x'\nduration='10 years'\n[[group]]".to_owned(), "no time"),
            ("name='x'\nduration='9999999h'\ngroup=[]".to_owned(), "a week"),
        ] {
            let error = format!("{:#}", Scenario::parse(&text).unwrap_err());
            assert!(error.contains(want), "{text}\n{error}\nlacks {want:?}");
        }
        let long = format!("{}\n#{}", group(""), "x".repeat(scenario::BYTES_MAX));
        assert!(Scenario::parse(&long).is_err());
    }

    proptest! {
        /// Any text is a scenario within its limits, or an error.
        #[test]
        fn no_text_breaks_the_reader(
            cut in 0..EXAMPLE.len(),
            length in 0..80_usize,
            with in "[ -~\n]{0,40}",
        ) {
            let mut text = EXAMPLE.to_owned();
            let end = cut.saturating_add(length).min(text.len());
            if text.is_char_boundary(cut) && text.is_char_boundary(end) {
                text.replace_range(cut..end, &with);
            }
            if let Ok(scenario) = Scenario::parse(&text) {
                prop_assert!(scenario.devices() <= scenario::DEVICES_MAX);
                for group in &scenario.groups {
                    prop_assert!(scenario.taken(&group.name) <= group.count);
                    prop_assert!(group.period.ms() >= 10);
                }
            }
            let _ = Scenario::parse(&with);
        }

        #[test]
        fn times_are_read_back(number in 0..600_000_u64) {
            for (unit, ms) in [("ms", 1), ("s", 1000)] {
                let span: Result<scenario::Span, _> = format!("{number}{unit}").parse();
                prop_assert_eq!(span.ok().map(scenario::Span::ms), (number * ms <= 604_800_000).then_some(number * ms));
            }
        }
    }

    #[tokio::test]
    async fn another_machine_is_attacked_by_those_alone_who_say_so() {
        let scenario = Scenario::parse(EXAMPLE).unwrap();
        let peaceful = {
            let mut scenario = scenario.clone();
            scenario.attackers.clear();
            scenario
        };
        let root = crate::demo::rogue::RogueCa::new(clock::now()).unwrap();
        let roots = [root.root().clone()];
        let find = |url: &'static str| {
            Doors::find(url, Ports { mqtt: 1, websocket: 2, coap: 3 }, &roots, 1)
        };
        let here = find("https://127.0.0.1:8443").await.unwrap();
        assert!(here.loopback && may_attack(&here, &scenario, None).is_ok());
        let there = find("https://192.0.2.1:8443").await.unwrap();
        assert!(may_attack(&there, &scenario, None).is_err());
        assert!(may_attack(&there, &scenario, Some("127.0.0.1")).is_err());
        assert!(may_attack(&there, &scenario, Some("192.0.2.1")).is_ok());
        assert!(may_attack(&there, &peaceful, None).is_ok());
    }
}
