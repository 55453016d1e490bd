//! OSCAL out and in.

use super::{catalogue::named, read, today};
use crate::{
    cli::assessment::{DiagnosisArgs, OscalModel},
    output::Output,
};
use anyhow::{Context as _, bail};
use assessment::{
    Catalogue, Day, Library,
    oscal::{
        Document, OSCAL_BYTES_MAX, OscalExport, assessment_results, catalog, component_definition,
        diagnosis_from, diagnosis_results, plan_of_action, profile, sheet_catalog,
    },
};
use device::Language as Tongue;
use std::{io::Read as _, path::Path};

/// The check sheet as a catalogue: its items are the controls that results name.
const SHEET: &str = "check-sheet";

/// A catalogue as OSCAL.
pub(super) fn of_catalogue(
    library: &Library,
    name: &str,
    at: Option<Day>,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let export = OscalExport { library, on: today(at)?, language };
    let document = match name {
        SHEET => sheet_catalog(export),
        name => catalog(export, named(library, name)?),
    };
    output.line(document.to_json().trim_end())
}

/// A diagnosis as one of the models of OSCAL.
pub(super) fn of_diagnosis(
    library: &Library,
    args: &DiagnosisArgs,
    model: OscalModel,
    names: &[String],
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let diagnosis = read(&args.file, library)?;
    let export = OscalExport { library, on: today(args.at)?, language };
    let chosen: Vec<&Catalogue> = match names {
        [] => library.catalogues().iter().collect(),
        names => names.iter().map(|name| named(library, name)).collect::<Result<_, _>>()?,
    };
    let document = match (model, names, chosen.as_slice()) {
        (OscalModel::Results, [], _) => diagnosis_results(export, &diagnosis),
        (OscalModel::Results, ..) => assessment_results(export, &diagnosis, &chosen),
        (OscalModel::Poam, ..) => plan_of_action(export, &diagnosis),
        (OscalModel::Component, ..) => component_definition(export, &diagnosis, &chosen),
        (OscalModel::Profile, [_], [one]) => profile(export, &diagnosis, one),
        (OscalModel::Profile, ..) => {
            bail!("a profile is of one catalogue; name it with --catalogue")
        }
    };
    output.line(document.to_json().trim_end())
}

/// Assessment results as a diagnosis.
pub(super) fn to_diagnosis(library: &Library, path: &Path, output: Output) -> anyhow::Result<()> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot read the document {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(u64::try_from(OSCAL_BYTES_MAX)?.saturating_add(1)).read_to_end(&mut bytes)?;
    let document = Document::parse(&path.display().to_string(), &bytes)?;
    let found = diagnosis_from(&document, library)?;
    for id in &found.unknown {
        eprintln!("{id:?} is unknown here; what is said about it is left out");
    }
    for id in &found.contradicted {
        eprintln!("findings about {id} contradict each other; the worse one was taken");
    }
    output.line(found.diagnosis.to_yaml().trim_end())
}
