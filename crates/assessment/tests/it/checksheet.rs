//! The check sheet that comes with Tegata.

use assessment::{Item, Layer, Library, Phase};
use std::collections::{BTreeMap, BTreeSet};

/// Cells without items, each for its reason: services and platforms have no circuits of their own,
/// and nothing of a service is manufactured.
const EMPTY: &[(Layer, Phase)] = &[
    (Layer::Service, Phase::HardwareDesign),
    (Layer::Service, Phase::HardwareDevelopment),
    (Layer::Service, Phase::Manufacture),
    (Layer::Service, Phase::MassProduction),
    (Layer::Platform, Phase::HardwareDesign),
    (Layer::Platform, Phase::HardwareDevelopment),
];

#[test]
fn there_are_enough_items_and_every_cell_that_makes_sense_has_some() {
    let library = Library::embedded().unwrap();
    assert!(library.items().len() >= 250, "{}", library.items().len());
    for layer in Layer::ALL {
        for phase in Phase::ALL {
            let items = library.cell(*layer, *phase).count();
            match EMPTY.contains(&(*layer, *phase)) {
                true => assert_eq!(items, 0, "{layer} {phase}"),
                false => assert!(items >= 3, "{layer} {phase} has {items} items"),
            }
        }
    }
}

/// Criteria, attacks and measures of different items differ, in both languages, also when spaces,
/// case and punctuation are left out; checks and evidence do, too.
#[test]
fn no_two_texts_are_equal() {
    let library = Library::embedded().unwrap();
    let mut seen = BTreeMap::<String, String>::new();
    for item in library.items() {
        for (field, text) in item.texts() {
            for text in [&text.en, &text.ja] {
                let plain: String = text
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .flat_map(char::to_lowercase)
                    .collect();
                let place = format!("{}, {field}", item.id);
                if let Some(other) = seen.insert(plain, place.clone()) {
                    panic!("{other} and {place} say the same: {text}");
                }
            }
        }
    }
}

#[test]
fn every_item_is_written_out_in_both_languages() {
    let library = Library::embedded().unwrap();
    for item in library.items() {
        for (field, text) in item.texts() {
            let at = format!("{}, {field}", item.id);
            assert!(text.en.ends_with(['.', '?']), "{at}: {}", text.en);
            assert!(text.ja.ends_with('。'), "{at}: {}", text.ja);
            assert!(text.en.split_whitespace().count() >= 2, "{at}: {}", text.en);
            assert!(text.ja.chars().count() >= 5, "{at}: {}", text.ja);
        }
        assert!(item.criterion.en.split_whitespace().count() >= 8, "{}", item.id);
    }
}

/// The id says where an item stands; whoever moves an item gives it a new id, so that answers to
/// the old one do not count for the new one.
#[test]
fn ids_say_layer_and_phase() {
    let library = Library::embedded().unwrap();
    for item in library.items() {
        let code = format!("{}-{}-", layer(item), phase(item));
        let id = item.id.as_str();
        let number = id.strip_prefix(&code).unwrap_or_else(|| panic!("{id} is not {code}"));
        assert!(number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()), "{id}");
    }
}

fn layer(item: &Item) -> &'static str {
    match item.layer {
        Layer::Service => "SVC",
        Layer::Platform => "PLT",
        Layer::Network => "NET",
        Layer::Device => "DEV",
    }
}

fn phase(item: &Item) -> &'static str {
    match item.phase {
        Phase::Planning => "PLN",
        Phase::Architecture => "ARC",
        Phase::HardwareDesign => "HWD",
        Phase::SoftwareDesign => "SWD",
        Phase::HardwareDevelopment => "HWV",
        Phase::SoftwareDevelopment => "SWV",
        Phase::Manufacture => "MFG",
        Phase::MassProduction => "MSP",
        Phase::Operation => "OPE",
        Phase::Disposal => "DSP",
    }
}

/// Each catalogue is used: an item without a clause could not be verified, a catalogue without
/// items could only be answered clause by clause.
#[test]
fn items_verify_clauses_of_every_catalogue_for_products() {
    let library = Library::embedded().unwrap();
    let used: BTreeSet<&str> = library
        .items()
        .iter()
        .flat_map(|item| &item.clauses)
        .map(|clause| clause.record.source().as_str())
        .collect();
    for catalogue in library.catalogues() {
        assert!(used.contains(catalogue.source.id.as_str()), "{}", catalogue.source.id);
    }
    for feature in library.features() {
        let id = &feature.id;
        let asked = library.items().iter().any(|item| item.when.contains(id))
            || library
                .catalogues()
                .iter()
                .flat_map(|catalogue| &catalogue.records)
                .any(|record| record.when.contains(id));
        assert!(asked, "nothing depends on the feature {id}");
    }
}
