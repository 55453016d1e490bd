//! What the pages and endpoints of the assessment cost with many products, each diagnosed by every item
//! of the check sheet, modelled, and looked at by the collectors.

use super::{
    Bench,
    figure::{Figure, percentile},
    ledger::random_below,
    machine,
    world::World,
};
use anyhow::Context as _;
use assessment::{Answer, Day, Diagnosis, Evidence, Outcome, threat::Theme};
use device::{DeviceKind, Language, ProductId, RootOfTrust};
use service::{
    DiagnosisId, DiagnosisImport, ImportForm, ItemQuery, NewDiagnosis, NewProduct, NewThreatModel,
    Page, Service, ServiceError, ThreatsLooked, TraceLooked, check_sheet,
};

const BENCH: &str = "assessment";
const TARGET_MS: f64 = 100.0;
/// Queries of each kind.
const QUERIES: usize = 100;
/// Lines on a page.
const LIMIT: u32 = 100;
/// A model of ordinary size: this many devices, each with interfaces and a flow.
const DEVICES: usize = 12;

/// What is asked about.
struct Asked {
    service: Service,
    caller: policy::Caller,
    of: device::OrganisationId,
    products: Vec<(ProductId, DiagnosisId)>,
}

impl Asked {
    fn any(&self) -> anyhow::Result<&(ProductId, DiagnosisId)> {
        let at = usize::try_from(random_below(u64::try_from(self.products.len())?))?;
        self.products.get(at).context("there are products")
    }
}

pub async fn run(bench: &Bench) -> anyhow::Result<()> {
    let count = bench.count(500);
    let world = World::create(bench.dir()).await?;
    let maker = world.maker();
    let mut asked = Asked {
        service: world.service().clone(),
        caller: maker.caller.clone(),
        of: maker.organisation.clone(),
        products: Vec::with_capacity(count),
    };
    let items = check_sheet()?.items().len();
    let bar = bench.progress(count, "products diagnosed and modelled");
    for number in 0..count {
        let made = product(&asked, number).await?;
        asked.products.push(made);
        bar.inc(1);
    }
    bar.finish_and_clear();
    eprintln!("{count} products, {items} items each");
    lists(bench, &asked).await?;
    diagnoses(bench, &asked).await?;
    threats(bench, &asked).await?;
    for (what, mut times) in pages(bench, &world, &asked).await? {
        show(bench, &what, &mut times)?;
    }
    world.close().await
}

/// A product with its model, a whole diagnosis, and what collectors find.
async fn product(asked: &Asked, number: usize) -> anyhow::Result<(ProductId, DiagnosisId)> {
    let (service, caller) = (&asked.service, &asked.caller);
    let id = ProductId::new(&format!("line-{number}"))?;
    let new = NewProduct {
        organisation: asked.of.clone(),
        id: id.clone(),
        name: format!("Line {number}"),
        model: "L".to_owned(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    service.create_product(caller, new).await?;
    let new = NewThreatModel { version: 0, text: model(number), note: None };
    service.put_threat_model(caller, &asked.of, &id, new).await?;
    let new = NewDiagnosis {
        organisation: asked.of.clone(),
        product: id.clone(),
        subject: "1.0".to_owned(),
        from: None,
    };
    let opened = service.open_diagnosis(caller, new).await?;
    let today = Day::of(service.now()).context("the clock shows no day of our time")?;
    let mut diagnosis = Diagnosis::new(&format!("{}/{id}", asked.of), "1.0", today)?;
    for (at, item) in check_sheet()?.items().iter().enumerate() {
        let outcome = match at % 5 {
            0 => Outcome::Partly,
            1 => Outcome::NotMet,
            _ => Outcome::Met,
        };
        let evidence = Evidence {
            what: format!("report {number}-{at}, kept with the build"),
            sha256: Some(crypto::sha256(item.id.as_str().as_bytes())),
            on: today,
            until: None,
        };
        let answer = Answer {
            outcome,
            reason: None,
            evidence: vec![evidence],
            owner: Some("Sato".to_owned()),
            due: None,
            comment: None,
        };
        diagnosis.answers.insert(item.id.clone(), answer);
    }
    let import = DiagnosisImport {
        form: ImportForm::Yaml,
        bytes: diagnosis.to_yaml().into_bytes(),
        replace: false,
        apply: Some(opened.version),
    };
    service.import_answers(caller, &opened.id, import).await?;
    service.collect_evidence(caller, &asked.of, &id).await?;
    Ok((id, opened.id))
}

fn model(number: usize) -> String {
    let mut text = format!(
        "tegata: threat-model/1\nname: Line {number}\ncategory: [industrial]\nzones:\n  - {{id: \
         field, title: Field, trust: 2}}\n  - {{id: cloud, title: Cloud, trust: 4}}\nassets:\n  - {{id: \
         key, title: Key, kind: key}}\nelements:\n  - {{id: cloud, title: Cloud, kind: service, zone: \
         cloud, traits: [internet-facing]}}\n"
    );
    for device in 0..DEVICES {
        text.push_str(&format!(
            "  - {{id: d{device}, title: Device {device}, kind: device, zone: field, place: shared, \
             identity: unique, traits: [updatable, actuator], holds: [key], interfaces: [{{id: a, kind: \
             debug}}, {{id: b, kind: radio}}], measures: [unique-keys, signed-updates]}}\n"
        ));
    }
    text.push_str("flows:\n");
    for device in 0..DEVICES {
        text.push_str(&format!(
            "  - {{id: f{device}, title: Flow {device}, from: d{device}, to: cloud, purpose: telemetry, \
             protocol: mqtt, authentication: mutual-certificate, encryption: transport, carries: \
             [key]}}\n"
        ));
    }
    text
}

/// Measures one use case on products chosen at random.
async fn measure<'a, T, W>(
    bench: &Bench,
    asked: &'a Asked,
    what: &str,
    work: impl Fn(&'a ProductId, &'a DiagnosisId) -> W,
) -> anyhow::Result<()>
where
    W: Future<Output = Result<T, ServiceError>> + 'a,
{
    let mut times = Vec::with_capacity(QUERIES);
    for _ in 0..QUERIES {
        let (product, diagnosis) = asked.any()?;
        let start = machine::clock();
        let found = work(product, diagnosis).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        std::hint::black_box(found);
    }
    show(bench, what, &mut times)
}

async fn lists(bench: &Bench, asked: &Asked) -> anyhow::Result<()> {
    let (service, caller, of) = (&asked.service, &asked.caller, &asked.of);
    let mut page = Page { after: None, limit: LIMIT };
    let mut times = Vec::with_capacity(QUERIES);
    for _ in 0..QUERIES {
        let start = machine::clock();
        let list = service.diagnoses(caller, of, None, &page).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        page.after = list.next;
    }
    show(bench, &format!("list of diagnoses, page of {LIMIT}"), &mut times)?;
    measure(bench, asked, "diagnoses of a product", |product, _| async move {
        let page = Page { after: None, limit: LIMIT };
        service.diagnoses(caller, of, Some(product), &page).await
    })
    .await
}

async fn diagnoses(bench: &Bench, asked: &Asked) -> anyhow::Result<()> {
    let (service, caller, of) = (&asked.service, &asked.caller, &asked.of);
    let page = || Page { after: None, limit: LIMIT };
    measure(bench, asked, "figures of a diagnosis", |_, id| service.diagnosis_figures(caller, id))
        .await?;
    measure(bench, asked, "items, page of 100", |_, id| async move {
        service.diagnosed_items(caller, id, &ItemQuery::default(), &page()).await
    })
    .await?;
    measure(bench, asked, "gaps", |_, id| service.diagnosis_gaps(caller, id)).await?;
    measure(bench, asked, "coverage of a catalogue", |_, id| {
        service.diagnosis_coverage(caller, id, "etsi-en-303-645")
    })
    .await?;
    measure(bench, asked, "history of a diagnosis", |_, id| async move {
        service.diagnosis_history(caller, id, None, &page()).await
    })
    .await?;
    measure(bench, asked, "file of a diagnosis", |_, id| service.diagnosis_file(caller, id))
        .await?;
    measure(bench, asked, "workbook of a diagnosis", |_, id| {
        service.diagnosis_workbook(caller, id, Language::Ja)
    })
    .await?;
    measure(bench, asked, "gate of operation", |product, _| service.operation(caller, of, product))
        .await?;
    measure(bench, asked, "live evidence", |product, _| service.evidence(caller, of, product))
        .await?;
    measure(bench, asked, "looking at the platform now", |product, _| {
        service.collect_evidence(caller, of, product)
    })
    .await
}

async fn threats(bench: &Bench, asked: &Asked) -> anyhow::Result<()> {
    let (service, caller, of) = (&asked.service, &asked.caller, &asked.of);
    measure(bench, asked, "threats of a product", |product, _| {
        service.look_at_threats(caller, of, product, |looked: &ThreatsLooked<'_>| {
            looked.analysis.threats.len()
        })
    })
    .await?;
    measure(bench, asked, "drawing of a model", |product, _| {
        service.look_at_threats(caller, of, product, |looked: &ThreatsLooked<'_>| {
            assessment::threat::diagram(looked.analysis, Theme::Light, Language::Ja)
        })
    })
    .await?;
    measure(bench, asked, "preview of a change", |product, _| {
        service.preview_threat_model(caller, of, product, model(0))
    })
    .await?;
    measure(bench, asked, "trace of a product", |product, _| {
        service
            .look_at_trace(caller, of, product, |looked: &TraceLooked<'_>| looked.trace.gaps.len())
    })
    .await
}

/// Every page of the assessment and every file that is downloaded from them, by what they are and
/// their paths: `P` stands for a product, `D` for its diagnosis, `I` for an item, `T` for a threat.
const PAGES: [(&str, &str); 34] = [
    ("products", "/products"),
    ("one product", "/products/P"),
    ("diagnoses", "/diagnoses"),
    ("diagnoses of a product", "/products/P/diagnoses"),
    ("a diagnosis", "/diagnoses/D"),
    ("items", "/diagnoses/D/items"),
    ("an item", "/diagnoses/D/items/I"),
    ("clauses", "/diagnoses/D/clauses"),
    ("clauses of a catalogue", "/diagnoses/D/clauses/nist-sp-800-171r3"),
    ("features", "/diagnoses/D/features"),
    ("evidence", "/diagnoses/D/evidence"),
    ("gaps", "/diagnoses/D/gaps"),
    ("history of a diagnosis", "/diagnoses/D/history"),
    ("files of a diagnosis", "/diagnoses/D/files"),
    ("sign-off", "/diagnoses/D/sign"),
    ("impact assessments", "/products/P/impact"),
    ("safety impact", "/products/P/impact/safety"),
    ("a step of safety impact", "/products/P/impact/safety/step/scene"),
    ("threats", "/products/P/threats"),
    ("a threat", "/products/P/threats/one/T"),
    ("deciding a threat", "/products/P/threats/one/T/decide"),
    ("an asset", "/products/P/threats/asset/key"),
    ("editing a model", "/products/P/threats/edit"),
    ("history of a model", "/products/P/threats/history"),
    ("trace", "/products/P/trace"),
    ("trace of a threat", "/products/P/trace/T"),
    ("report for managers", "/diagnoses/D/report?audience=managers"),
    ("report for engineers", "/diagnoses/D/report?audience=engineers"),
    ("file, YAML", "/diagnoses/D/file?format=yaml"),
    ("file, XLSX", "/diagnoses/D/file?format=xlsx"),
    ("file, OSCAL results", "/diagnoses/D/file?format=oscal"),
    ("file, OSCAL plan of action", "/diagnoses/D/file?format=poam"),
    ("file, PDF for managers", "/diagnoses/D/report?audience=managers&format=pdf"),
    ("file, PDF for engineers", "/diagnoses/D/report?audience=engineers&format=pdf"),
];

async fn pages(
    bench: &Bench,
    world: &World,
    asked: &Asked,
) -> anyhow::Result<Vec<(String, Vec<f64>)>> {
    let (product, _) = asked.any()?;
    // The models are alike, and the ids of threats come from them.
    let threat = |looked: &ThreatsLooked<'_>| {
        looked.analysis.threats.first().map(|threat| threat.id.to_string())
    };
    let threat = asked.service.look_at_threats(&asked.caller, &asked.of, product, threat).await?;
    let threat = threat.context("a model with threats")?;
    let has_font = asked.service.report_font().await.is_ok();
    if !has_font {
        eprintln!("no font with Japanese characters on this machine: reports as PDF are left out");
    }
    let paths: Vec<(&str, super::pages::Path<'_>)> = PAGES
        .into_iter()
        .filter(|(_, path)| has_font || !path.ends_with("pdf"))
        .map(|(what, path)| {
            let threat = threat.as_str();
            let path = move || {
                let (product, diagnosis) = asked.any()?;
                let items = check_sheet()?.items();
                let at = random_below(u64::try_from(items.len())?);
                let item = items.get(usize::try_from(at)?).context("there are items")?;
                let path = path
                    .replace("/products/P", &format!("/products/{}/{product}", asked.of))
                    .replace("/D", &format!("/{diagnosis}"))
                    .replace("/I", &format!("/{}", item.id))
                    .replace("/T", &format!("/{threat}"));
                let sign = if path.contains('?') { '&' } else { '?' };
                Ok(format!("{path}{sign}lang=ja"))
            };
            (what, Box::new(path) as super::pages::Path<'_>)
        })
        .collect();
    let times = super::pages::times(bench, world, &paths).await?;
    Ok(times.into_iter().map(|(what, times)| (format!("page: {what}"), times)).collect())
}

fn show(bench: &Bench, what: &str, times: &mut [f64]) -> anyhow::Result<()> {
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let time = percentile(times, share);
        let figure = Figure::new(BENCH, format!("{what}, {name}"), time, "ms", TARGET_MS, "target");
        bench.show(&figure)?;
    }
    Ok(())
}
