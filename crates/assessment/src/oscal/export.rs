use super::{Document, DocumentKind, OSCAL_VERSION, answers, control_id, item_control_id};
use crate::{
    Answer, Basis, Catalogue, ClauseCoverage, ClauseState, Coverage, Day, Diagnosis, Item, Layer,
    Library, RecordRef, SourceId, State, Topic,
};
use crypto::sha256_of;
use device::Language;
use serde_json::{Map, Value, json};

/// The namespace of our properties.
pub(super) const NAMESPACE: &str = "https://tegata.example/ns/oscal";

/// What a document is made for.
#[derive(Clone, Copy, Debug)]
pub struct OscalExport<'a> {
    /// catalogues and mappings
    pub library: &'a Library,
    /// the day that the document bears, 00:00 UTC
    pub on: Day,
    /// the language of titles and texts
    pub language: Language,
}

/// A catalogue with its groups.
pub fn catalog(export: OscalExport<'_>, catalogue: &Catalogue) -> Document {
    let source = &catalogue.source;
    let groups: Vec<Value> = catalogue
        .groups
        .iter()
        .zip(1..)
        .map(|((id, title), number): (_, usize)| {
            let controls: Vec<Value> = catalogue
                .records
                .iter()
                .filter(|record| record.group == *id)
                .map(|record| {
                    let control = control_id(&record.reference);
                    let mut props = vec![
                        json!({"name": "label", "value": record.reference.id()}),
                        own("strength", record.strength.word()),
                        own("checked", record.checked.as_deref().unwrap_or("nobody")),
                    ];
                    if let Some(level) = record.security_level {
                        props.push(own("security-level", &level.to_string()));
                    }
                    props.extend(record.when.iter().map(|one| own("when", one.as_str())));
                    let mut parts = vec![json!({
                        "id": format!("{control}_smt"),
                        "name": "statement",
                        "prose": record.text.of(export.language),
                    })];
                    if let Some(condition) = &record.condition {
                        parts.push(json!({
                            "id": format!("{control}_gdn"),
                            "name": "guidance",
                            "title": "condition",
                            "prose": condition.of(export.language),
                        }));
                    }
                    json!({
                        "id": control,
                        "title": record.title.of(export.language),
                        "props": props,
                        "parts": parts,
                    })
                })
                .collect();
            json!({
                "id": format!("{}_group-{number}", source.id),
                "title": title.of(export.language),
                "props": [{"name": "label", "value": id}],
                "controls": controls,
            })
        })
        .collect();
    let mut metadata = metadata(export, source.title.of(export.language), &source.edition);
    push(&mut metadata, "props", own("licence", source.licence.word()));
    let link = json!([{"href": source.url, "rel": "canonical"}]);
    metadata.insert("links".to_owned(), link);
    let id = uuid(&["catalog", source.id.as_str(), &source.edition]);
    document(DocumentKind::Catalog, &id, metadata, [("groups", Value::Array(groups))])
}

/// The controls of a catalogue that concern a product.
pub fn profile(export: OscalExport<'_>, diagnosis: &Diagnosis, catalogue: &Catalogue) -> Document {
    let coverage = Coverage::of(export.library, diagnosis, export.on);
    let ids: Vec<String> = coverage
        .catalogue(export.library, &catalogue.source.id)
        .filter(|one| one.state != ClauseState::NotApplicable)
        .map(|one| control_id(&one.record))
        .collect();
    let source = catalogue.source.id.as_str();
    let resource = uuid(&["resource", source]);
    let source_title = catalogue.source.title.of(export.language);
    let title = one_line(&format!("{}: {source_title}", diagnosis.product));
    let include = if ids.is_empty() {
        json!([{"href": format!("#{resource}")}])
    } else {
        json!([{"href": format!("#{resource}"), "include-controls": [{"with-ids": ids}]}])
    };
    let id = uuid(&["profile", &diagnosis.product, &diagnosis.subject, source]);
    let resources = back_matter(export, &[&catalogue.source.id]);
    let metadata = metadata(export, &title, &diagnosis.subject);
    document(
        DocumentKind::Profile,
        &id,
        metadata,
        [("imports", include), ("merge", json!({"as-is": true})), ("back-matter", resources)],
    )
}

/// What the product does for the controls of some catalogues.
pub fn component_definition(
    export: OscalExport<'_>,
    diagnosis: &Diagnosis,
    catalogues: &[&Catalogue],
) -> Document {
    let coverage = Coverage::of(export.library, diagnosis, export.on);
    let product = [diagnosis.product.as_str(), diagnosis.subject.as_str()];
    let implementations: Vec<Value> = catalogues
        .iter()
        .filter_map(|catalogue| {
            let source = catalogue.source.id.as_str();
            let requirements: Vec<Value> = coverage
                .catalogue(export.library, &catalogue.source.id)
                .filter_map(|one| {
                    let status = match one.state {
                        ClauseState::Met => "implemented",
                        ClauseState::Claimed | ClauseState::Partly => "partial",
                        ClauseState::NotMet => "planned",
                        ClauseState::NotApplicable => "not-applicable",
                        ClauseState::Open | ClauseState::Untouched => return None,
                    };
                    let control = control_id(&one.record);
                    Some(json!({
                        "uuid": uuid(&["requirement", product[0], product[1], &control]),
                        "control-id": control,
                        "description": basis(one, export.language),
                        "props": [
                            {"name": "implementation-status", "value": status},
                            own("state", one.state.word()),
                        ],
                    }))
                })
                .collect();
            (!requirements.is_empty()).then(|| {
                json!({
                    "uuid": uuid(&["implementation", product[0], product[1], source]),
                    "source": format!("#{}", uuid(&["resource", source])),
                    "description": catalogue.source.title.of(export.language),
                    "implemented-requirements": requirements,
                })
            })
        })
        .collect();
    let mut component = json!({
        "uuid": uuid(&["component", product[0], product[1]]),
        "type": "hardware",
        "title": one_line(&diagnosis.product),
        "description": diagnosis.subject,
    });
    if let (false, Some(fields)) = (implementations.is_empty(), component.as_object_mut()) {
        fields.insert("control-implementations".to_owned(), Value::Array(implementations));
    }
    let ids: Vec<&SourceId> = catalogues.iter().map(|one| &one.source.id).collect();
    let metadata = metadata(export, &diagnosis.product, &diagnosis.subject);
    document(
        DocumentKind::Component,
        &uuid(&["component-definition", product[0], product[1]]),
        metadata,
        [("components", json!([component])), ("back-matter", back_matter(export, &ids))],
    )
}

/// What a diagnosis found about the controls of some catalogues: a finding for each that is
/// answered, nothing for what nobody answered. An extract: what it rests on is told in words.
pub fn assessment_results(
    export: OscalExport<'_>,
    diagnosis: &Diagnosis,
    catalogues: &[&Catalogue],
) -> Document {
    results(export, diagnosis, catalogues, false)
}

/// The whole diagnosis: a finding for every clause that is answered and every item, with the answers
/// themselves, their evidence and the signatures. [`diagnosis_from`](super::diagnosis_from) makes the
/// same diagnosis of it.
pub fn diagnosis_results(export: OscalExport<'_>, diagnosis: &Diagnosis) -> Document {
    let all: Vec<&Catalogue> = export.library.catalogues().iter().collect();
    results(export, diagnosis, &all, true)
}

fn results(
    export: OscalExport<'_>,
    diagnosis: &Diagnosis,
    catalogues: &[&Catalogue],
    whole: bool,
) -> Document {
    let content = diagnosis.content().to_string();
    let mut found = Found {
        content: &content,
        on: diagnosis.on,
        reviewed: Vec::new(),
        findings: Vec::new(),
        observations: Vec::new(),
    };
    let coverage = Coverage::of(export.library, diagnosis, export.on);
    for one in catalogues
        .iter()
        .flat_map(|catalogue| coverage.catalogue(export.library, &catalogue.source.id))
    {
        let answer = diagnosis.clauses.get(&one.record).filter(|_| whole);
        let status = match one.state {
            ClauseState::Met => ("satisfied", "pass"),
            ClauseState::NotApplicable => ("satisfied", "other"),
            ClauseState::NotMet | ClauseState::Partly => ("not-satisfied", "fail"),
            ClauseState::Claimed => ("not-satisfied", "other"),
            // An answer whose evidence has run out stands nevertheless.
            ClauseState::Open | ClauseState::Untouched if answer.is_some() => {
                ("not-satisfied", "other")
            }
            ClauseState::Open | ClauseState::Untouched => continue,
        };
        let record = export.library.record(&one.record);
        let topic = Topic::Clause(one.record.clone());
        found.add(
            &control_id(&one.record),
            record.map(|record| record.title.of(export.language)),
            (status, one.state.word(), basis(one, export.language)),
            answer.map(|answer| (&topic, answer)),
        );
    }
    for (id, answer) in diagnosis.answers.iter().filter(|_| whole) {
        let item = export.library.item(id.as_str());
        let state = item
            .map_or(State::of(Some(answer), export.on), |item| diagnosis.state(item, export.on));
        let status = match state {
            State::Met => ("satisfied", "pass"),
            State::NotApplicable => ("satisfied", "other"),
            State::NotMet | State::Partly => ("not-satisfied", "fail"),
            State::Claimed | State::Expired | State::Open => ("not-satisfied", "other"),
        };
        let topic = Topic::Item(id.clone());
        found.add(
            &item_control_id(id),
            item.map(|item| item.criterion.of(export.language)),
            (status, state.word(), state.title(export.language).to_owned()),
            Some((&topic, answer)),
        );
    }
    let selections = if found.reviewed.is_empty() {
        json!([{"description": "nothing was answered"}])
    } else {
        json!([{"include-controls": found.reviewed}])
    };
    let mut props = if whole {
        answers::front(diagnosis)
    } else {
        vec![
            own("product", &diagnosis.product),
            own("subject", &diagnosis.subject),
            own("on", &diagnosis.on.to_string()),
        ]
    };
    props.push(own("content", &content));
    let mut result = Map::new();
    result.insert("uuid".to_owned(), json!(uuid(&["result", &content])));
    result.insert("title".to_owned(), json!(one_line(&diagnosis.product)));
    result.insert("description".to_owned(), json!(diagnosis.subject));
    result.insert("start".to_owned(), json!(stamp(diagnosis.on)));
    result.insert("props".to_owned(), Value::Array(props));
    result.insert("reviewed-controls".to_owned(), json!({"control-selections": selections}));
    let signed = if whole { answers::attestations(diagnosis) } else { Vec::new() };
    let lists = [
        ("attestations", signed),
        ("observations", found.observations),
        ("findings", found.findings),
    ];
    for (name, list) in lists {
        if !list.is_empty() {
            result.insert(name.to_owned(), Value::Array(list));
        }
    }
    let plan = uuid(&["plan", "check sheet"]);
    let ids: Vec<&SourceId> = catalogues.iter().map(|one| &one.source.id).collect();
    let mut matter = back_matter(export, &ids);
    let sheet = json!({"uuid": plan, "title": "check sheet", "description": "The items of the check sheet are the plan."});
    if let Some(resources) = matter.get_mut("resources").and_then(Value::as_array_mut) {
        resources.push(sheet);
    }
    let mut metadata = metadata(export, &diagnosis.product, &diagnosis.subject);
    if whole {
        let role = match export.language {
            Language::En => "who stands for the diagnosis",
            Language::Ja => "診断に責任を持つ人",
        };
        answers::parties(diagnosis, role, &mut metadata);
    }
    document(
        DocumentKind::Results,
        &uuid(&["assessment-results", &content]),
        metadata,
        [
            ("import-ap", json!({"href": format!("#{plan}")})),
            ("results", json!([result])),
            ("back-matter", matter),
        ],
    )
}

/// Findings in the making.
struct Found<'a> {
    content: &'a str,
    on: Day,
    reviewed: Vec<Value>,
    findings: Vec<Value>,
    observations: Vec<Value>,
}

impl Found<'_> {
    /// What is known of a control: its status (state and reason), our word for it, what it rests on, and
    /// the answer to it where it goes along.
    fn add(
        &mut self,
        control: &str,
        title: Option<&str>,
        ((state, reason), word, why): ((&str, &str), &str, String),
        answer: Option<(&Topic, &Answer)>,
    ) {
        self.reviewed.push(json!({"control-id": control}));
        let mut related = vec![uuid(&["observation", self.content, control])];
        let mut props = vec![own("state", word)];
        if let Some((topic, answer)) = answer {
            props.extend(answers::answered(topic, answer));
            let pieces = answers::observations(self.content, topic, answer);
            let ids = pieces.iter().filter_map(|one| one.get("uuid")?.as_str());
            related.extend(ids.map(str::to_owned));
            self.observations.extend(pieces);
        }
        self.observations.push(json!({
            "uuid": related.first(),
            "description": why,
            "methods": ["EXAMINE"],
            "collected": stamp(self.on),
        }));
        let related: Vec<Value> =
            related.iter().map(|id| json!({"observation-uuid": id})).collect();
        self.findings.push(json!({
            "uuid": uuid(&["finding", self.content, control]),
            "title": title.unwrap_or(control),
            "description": why,
            "props": props,
            "target": {
                "type": "objective-id",
                "target-id": control,
                "status": {"state": state, "reason": reason},
            },
            "related-observations": related,
        }));
    }
}

/// The check sheet as a catalogue: a group for each layer, a control for each item.
pub fn sheet_catalog(export: OscalExport<'_>) -> Document {
    let groups: Vec<Value> = Layer::ALL
        .iter()
        .filter_map(|layer| {
            let items = export.library.items().iter().filter(|item| item.layer == *layer);
            let controls: Vec<Value> = items.map(|item| item_control(export, item)).collect();
            (!controls.is_empty()).then(|| {
                json!({
                    "id": format!("check-sheet_{layer}"),
                    "title": layer.title(export.language),
                    "controls": controls,
                })
            })
        })
        .collect();
    let title = match export.language {
        Language::En => "Check sheet",
        Language::Ja => "チェックシート",
    };
    let digest = export.library.digest().to_string();
    let metadata = metadata(export, title, &digest);
    let id = uuid(&["catalog", "check-sheet", &digest]);
    document(DocumentKind::Catalog, &id, metadata, [("groups", Value::Array(groups))])
}

fn item_control(export: OscalExport<'_>, item: &Item) -> Value {
    let id = item_control_id(&item.id);
    let mut props = vec![
        json!({"name": "label", "value": item.id.as_str()}),
        own("phase", item.phase.word()),
        own("threat", item.threat.word()),
        own("weight", &item.weight.to_string()),
    ];
    props.extend(item.when.iter().map(|one| own("when", one.as_str())));
    props.extend(item.clauses.iter().map(|one| {
        let mut property = own("clause", &control_id(&one.record));
        if let Some(fields) = property.as_object_mut() {
            fields.insert("class".to_owned(), json!(one.relation.word()));
        }
        property
    }));
    let part = |end: &str, name: &str, title: &str, prose: &str| json!({"id": format!("{id}_{end}"), "name": name, "title": title, "prose": prose});
    let text = |name: &str| {
        let found = item.texts().into_iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, words)| words.of(export.language))
    };
    json!({
        "id": id,
        "title": text("criterion"),
        "props": props,
        "parts": [
            part("smt", "statement", "criterion", text("criterion")),
            part("gdn", "guidance", "measure", text("measure")),
            part("atk", "guidance", "attack", text("attack")),
            part("obj", "assessment-objective", "check", text("check")),
            part("evd", "guidance", "evidence", text("evidence")),
        ],
    })
}

/// What is to be done: the items of the check sheet that are not fulfilled.
pub fn plan_of_action(export: OscalExport<'_>, diagnosis: &Diagnosis) -> Document {
    let content = diagnosis.content().to_string();
    let items: Vec<Value> = diagnosis
        .gaps(export.library, export.on)
        .into_iter()
        .filter_map(|gap| {
            let item = export.library.item(gap.item.as_str())?;
            let mut props = vec![
                own("item", gap.item.as_str()),
                own("state", gap.state.word()),
                own("weight", &gap.weight.to_string()),
            ];
            if let Some(owner) = &gap.owner {
                // A property is one line.
                props.push(own("owner", &owner.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            if let Some(due) = gap.due {
                props.push(own("due", &due.to_string()));
            }
            Some(json!({
                "uuid": uuid(&["poam-item", &content, gap.item.as_str()]),
                "title": item.criterion.of(export.language),
                "description": item.measure.of(export.language),
                "props": props,
            }))
        })
        .collect();
    let items = if items.is_empty() {
        json!([{"title": "nothing to do", "description": "All items are fulfilled.",
                "uuid": uuid(&["poam-item", &content, "none"])}])
    } else {
        Value::Array(items)
    };
    let metadata = metadata(export, &diagnosis.product, &diagnosis.subject);
    let system = json!({"id": uuid(&["component", &diagnosis.product, &diagnosis.subject]),
                        "identifier-type": "http://ietf.org/rfc/rfc4122"});
    document(
        DocumentKind::ActionPlan,
        &uuid(&["poam", &content]),
        metadata,
        [("system-id", system), ("poam-items", items)],
    )
}

fn document<const N: usize>(
    kind: DocumentKind,
    id: &str,
    metadata: Map<String, Value>,
    fields: [(&str, Value); N],
) -> Document {
    let mut body = Map::new();
    body.insert("uuid".to_owned(), json!(id));
    body.insert("metadata".to_owned(), Value::Object(metadata));
    body.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Document::new(kind, body)
}

fn metadata(export: OscalExport<'_>, title: &str, version: &str) -> Map<String, Value> {
    let language = match export.language {
        Language::En => "en",
        Language::Ja => "ja",
    };
    let mut metadata = Map::new();
    metadata.insert("title".to_owned(), json!(one_line(title)));
    metadata.insert("last-modified".to_owned(), json!(stamp(export.on)));
    metadata.insert("version".to_owned(), json!(one_line(version)));
    metadata.insert("oscal-version".to_owned(), json!(OSCAL_VERSION));
    metadata.insert("props".to_owned(), json!([own("language", language)]));
    metadata
}

/// One of the catalogues as a resource that others point to.
fn back_matter(export: OscalExport<'_>, catalogues: &[&SourceId]) -> Value {
    let resources: Vec<Value> = catalogues
        .iter()
        .filter_map(|id| export.library.catalogue(id.as_str()))
        .map(|one| {
            json!({
                "uuid": uuid(&["resource", one.source.id.as_str()]),
                "title": one.source.title.of(export.language),
                "rlinks": [{"href": format!("{}.json", one.source.id), "media-type": "application/oscal.catalog+json"}],
            })
        })
        .collect();
    json!({"resources": resources})
}

fn push(metadata: &mut Map<String, Value>, list: &str, value: Value) {
    if let Some(Value::Array(values)) = metadata.get_mut(list) {
        values.push(value);
    }
}

/// A property of ours. A value has no line breaks and no spaces at its ends.
pub(super) fn own(name: &str, value: &str) -> Value {
    json!({"name": name, "ns": NAMESPACE, "value": one_line(value)})
}

/// As OSCAL wants titles, versions and values of properties.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a day. OSCAL's schema knows no year after 2999; "for ever" is often written so.
pub(super) fn stamp(day: Day) -> String {
    let text = day.to_string();
    let text = if text.as_str() < "3000" { text.as_str() } else { "2999-12-31" };
    format!("{text}T00:00:00Z")
}

/// The end of a day.
pub(super) fn stamp_end(day: Day) -> String {
    stamp(day).replace("T00:00:00Z", "T23:59:59Z")
}

/// What a state rests on, for people.
fn basis(one: &ClauseCoverage, language: Language) -> String {
    let mut parts = vec![one.state.title(language).to_owned()];
    for basis in &one.basis {
        parts.push(match basis {
            Basis::Answer(state) => state.title(language).to_owned(),
            Basis::Item(item, relation, state) => {
                format!("{item} ({}): {}", relation.title(language), state.title(language))
            }
            Basis::Record(record, relation, state) => {
                format!("{record} ({}): {}", relation.title(language), state.title(language))
            }
            Basis::Absent(reason) => reason.clone(),
        });
    }
    parts.join("; ")
}

/// A UUID that is a digest of what it names: the layout of version 5 (RFC 9562) over SHA-256.
pub(super) fn uuid(parts: &[&str]) -> String {
    let joined = parts.join("\0");
    let digest = sha256_of(&[b"tegata/oscal/v1\0", joined.as_bytes()]).to_string();
    let mut hex: Vec<char> = digest.chars().take(32).collect();
    for (at, c) in [(12, '5'), (16, 'a')] {
        if let Some(slot) = hex.get_mut(at) {
            *slot = c;
        }
    }
    let mut out = String::with_capacity(36);
    for (at, c) in hex.into_iter().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(c);
    }
    out
}

/// The records of a library by the ids of their controls.
pub(super) fn controls(library: &Library) -> std::collections::BTreeMap<String, &RecordRef> {
    library
        .catalogues()
        .iter()
        .flat_map(|one| &one.records)
        .map(|record| (control_id(&record.reference), &record.reference))
        .collect()
}
