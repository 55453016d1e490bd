//! The product's impact assessments: safety, privacy and the six items of the framework are answered,
//! concluded by the administrator, and found again in the report.

use crate::demo::rows::Check;
use anyhow::Context as _;
use api::{
    Rest,
    wire::{
        AnswerImpact, ConcludeImpact, DiagnosisReportQuery, ReportAudience, ReportFormat,
        ReportLanguage,
    },
};
use device::{OrganisationId, ProductId};

/// A form with its answers, as the maker of a gateway in waterworks gives them.
type Form = (&'static str, &'static [(&'static str, &'static str)]);

const FORMS: [Form; 3] = [
    (
        "safety",
        &[
            ("acts", "moves,warns"),
            (
                "dependents",
                "The pump, the waterworks' operators, and the town below the reservoir.",
            ),
            (
                "precedents",
                "Controllers of water treatment that stood open on the internet (CISA, 2023).",
            ),
            ("driven", "Somebody shuts the valve while the pump runs at full power."),
            ("driven-level", "severe"),
            ("stopped", "The valve stays where it is; operators set it by hand within the hour."),
            ("stopped-level", "damage"),
            (
                "wrong-data",
                "Operators believe a level that is not there, and the reservoir runs over.",
            ),
            ("wrong-data-level", "injury"),
            (
                "plant",
                "Pressure bursts a pipe in the pump house; the relief valve has no electronics.",
            ),
            ("plant-level", "severe"),
            ("safe-state", "Valve as it is, pump off: a relay falls when the gateway is silent."),
            ("independent", "hardware"),
            ("override", "The hand wheel at the valve, and the switch of the pump beside it."),
            ("markets", "japan,eu"),
            ("kind", "electrical,radio"),
            (
                "law",
                "Radio Act with its technical conformity; the Electrical Appliances Act for the supply.",
            ),
        ],
    ),
    (
        "privacy",
        &[
            ("personal", "some"),
            ("data", "Operators: account name, and when each of them set the valve."),
            ("kinds", "identifiers,behaviour"),
            ("people", "employees"),
            ("purpose", "To tell later who set the valve, and for nothing else."),
            ("minimal", "least"),
            (
                "ground",
                "The duty to operate waterworks safely; it cannot be refused, and is told beforehand.",
            ),
            ("inference", "Who was on shift."),
            ("regions", "japan,eu"),
            (
                "recipients",
                "The operator of the waterworks; the maker's cloud in Tokyo, on contract.",
            ),
            ("sharing", "processors"),
            ("retention", "Two years, then a nightly job deletes them; backups another 35 days."),
            ("deletion", "automatic"),
            ("rights", "Through their employer, who sees the same record."),
            ("bystanders", "A note at the terminal, and in the rules of the workplace."),
            ("linking", "No: the certificate names the gateway, never a person."),
            ("exposure-level", "unpleasant"),
            ("cases", "none"),
            ("criteria", "monitoring,vulnerable"),
        ],
    ),
    (
        "framework",
        &[
            ("scope", "Gateway, radio and cloud service; not the pump. Class: one waterworks."),
            (
                "requirements",
                "The valve moves for its operator only, by hand always, within two seconds.",
            ),
            (
                "recovery",
                "Gateway restarted: 30 seconds. Cloud lost: the last setting holds, by hand it goes on.",
            ),
            (
                "level",
                "Water supply: the Waterworks Act. Network: best effort, nothing is promised.",
            ),
            (
                "faults",
                "Cloud taken over: the gateway refuses commands out of range, the hand wheel works.",
            ),
            (
                "responsibility",
                "Maker: updates until 2036. Operator: who may set it. The records are the operator's.",
            ),
        ],
    ),
];

/// Answers and concludes every form; the forms that stand concluded afterwards.
///
/// # Errors
/// What the server refuses.
pub(super) async fn play(
    rest: &Rest,
    of: &OrganisationId,
    line: &ProductId,
    checks: &mut Vec<Check>,
) -> anyhow::Result<u64> {
    let mut concluded = 0_u64;
    for (form, said) in FORMS {
        let answers = said.iter().map(|(id, text)| ((*id).to_owned(), Some((*text).to_owned())));
        let draft = AnswerImpact { version: 0, answers: answers.collect() };
        let version = rest.answer_impact(of, line, form, &draft).await?.version;
        let standing = rest
            .conclude_impact(of, line, form, &ConcludeImpact { version })
            .await
            .with_context(|| format!("the form {form}"))?;
        concluded += u64::from(standing.concluded_by.is_some() && standing.open == 0);
    }
    checks.push(Check::new(
        "impact assessments are answered and concluded",
        "safety, privacy and the six items",
        format!("{concluded} of {}", FORMS.len()),
        concluded == 3,
    ));
    let safety = rest.impact(of, line, "safety").await?;
    let rated = safety.ratings.iter().find(|one| one.harm == "safety").map_or(0, |one| one.level);
    checks.push(Check::new(
        "no answer lowers what the model rates",
        "safety 5, by the valve",
        format!("safety {rated}"),
        rated == 5,
    ));
    let privacy = rest.impact(of, line, "privacy").await?;
    let owed = privacy.duties.iter().filter(|one| one.state == "applies").count();
    let applies =
        |id: &str| privacy.duties.iter().any(|one| one.id == id && one.state == "applies");
    checks.push(Check::new(
        "laws ask for what the answers come down to",
        "an impact assessment is likely owed (GDPR 35), processors are supervised (APPI 25)",
        format!("{owed} duties"),
        applies("gdpr-dpia-likely") && applies("appi-processors") && !applies("gdpr-dpia"),
    ));
    Ok(concluded)
}

/// Whether the report for engineers says them.
///
/// # Errors
/// What the server refuses.
pub(super) async fn reported(
    rest: &Rest,
    diagnosis: &str,
    checks: &mut Vec<Check>,
) -> anyhow::Result<()> {
    let how = DiagnosisReportQuery {
        audience: Some(ReportAudience::Engineers),
        lang: Some(ReportLanguage::En),
        format: Some(ReportFormat::Html),
    };
    let page = rest.diagnosis_report(diagnosis, &how).await?;
    let page = String::from_utf8(page.to_vec()).context("the report is not UTF-8")?;
    let named = ["Safety impact assessment", "Privacy impact assessment"];
    let found = named.iter().filter(|title| page.contains(**title)).count();
    checks.push(Check::new(
        "the report for engineers has the impact assessments",
        "both, with what laws ask for",
        format!("{found} of {}", named.len()),
        found == named.len() && page.contains("GDPR"),
    ));
    Ok(())
}
