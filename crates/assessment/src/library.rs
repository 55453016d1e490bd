use crate::{
    AssessmentError, Bilingual, Catalogue, FeatureId, Item, ItemId, Layer, Mapping, Phase, Record,
    RecordRef, Relation, embedded,
    yaml::{inconsistent, parse},
};
use crypto::{Sha256, sha256_of};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Something that a product may have or not, and on which conditions depend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// short name
    pub id: FeatureId,
    /// what is meant
    pub title: Bilingual,
}

/// A file of a library: its name, for errors, and its text.
#[derive(Clone, Copy, Debug)]
pub struct LibraryFile<'a> {
    /// name
    pub name: &'a str,
    /// contents
    pub text: &'a str,
}

/// The files that a library is made of.
#[derive(Clone, Copy, Debug)]
pub struct LibraryFiles<'a> {
    /// features
    pub features: LibraryFile<'a>,
    /// catalogues
    pub catalogues: &'a [LibraryFile<'a>],
    /// mappings between catalogues
    pub mappings: &'a [LibraryFile<'a>],
    /// items of the check sheet
    pub sheets: &'a [LibraryFile<'a>],
}

/// Catalogues, mappings and check sheet that fit together: every reference resolves, every id is
/// unique.
#[derive(Clone, Debug)]
pub struct Library {
    features: Vec<Feature>,
    catalogues: Vec<Catalogue>,
    mappings: Vec<Mapping>,
    items: Vec<Item>,
    records: BTreeMap<RecordRef, (usize, usize)>,
    item_index: BTreeMap<ItemId, usize>,
    /// from a record to what it hands on to, both directions of every mapping
    neighbours: BTreeMap<RecordRef, Vec<(Relation, RecordRef)>>,
    /// from a record to the items that name it
    items_of: BTreeMap<RecordRef, Vec<(usize, Relation)>>,
    digest: Sha256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeatures {
    features: Vec<RawFeature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeature {
    id: Spanned<String>,
    title: Bilingual,
}

impl Library {
    /// The catalogues and the check sheet that come with Tegata (`catalogues/`).
    ///
    /// # Errors
    /// Never for files that the tests have seen; the reason otherwise.
    pub fn embedded() -> Result<Self, AssessmentError> {
        Self::build(&embedded::FILES)
    }

    /// Reads the files and checks that they fit together.
    ///
    /// # Errors
    /// [`AssessmentError`] with file and line of the first fault.
    pub fn build(files: &LibraryFiles<'_>) -> Result<Self, AssessmentError> {
        let mut library = Self {
            features: read_features(files.features)?,
            catalogues: Vec::new(),
            mappings: Vec::new(),
            items: Vec::new(),
            records: BTreeMap::new(),
            item_index: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            items_of: BTreeMap::new(),
            digest: files.digest(),
        };
        for file in files.catalogues {
            library.add_catalogue(file)?;
        }
        for file in files.mappings {
            library.add_mappings(file)?;
        }
        for file in files.sheets {
            library.add_items(file)?;
        }
        Ok(library)
    }

    /// The digest of all files that it was read from: another one means that a catalogue, a mapping
    /// or an item has changed.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The feature `id`.
    pub fn feature(&self, id: &str) -> Option<&Feature> {
        self.features.iter().find(|one| one.id.as_str() == id)
    }

    /// Features, in their order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Catalogues, in their order.
    pub fn catalogues(&self) -> &[Catalogue] {
        &self.catalogues
    }

    /// The catalogue `id`.
    pub fn catalogue(&self, id: &str) -> Option<&Catalogue> {
        self.catalogues.iter().find(|one| one.source.id.as_str() == id)
    }

    /// The record that `reference` names.
    pub fn record(&self, reference: &RecordRef) -> Option<&Record> {
        let (catalogue, record) = self.records.get(reference)?;
        self.catalogues.get(*catalogue)?.records.get(*record)
    }

    /// All mappings, as they are written.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// What `reference` relates to in other catalogues, seen from it.
    pub fn neighbours(&self, reference: &RecordRef) -> &[(Relation, RecordRef)] {
        self.neighbours.get(reference).map_or(&[], Vec::as_slice)
    }

    /// Items of the check sheet, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item `id`.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.item_index.get(id)?)
    }

    /// The items that name `reference`, each with how it relates to it.
    pub fn items_of(&self, reference: &RecordRef) -> impl Iterator<Item = (&Item, Relation)> {
        let found = self.items_of.get(reference).map_or(&[] as &[_], Vec::as_slice);
        found.iter().filter_map(|(item, relation)| Some((self.items.get(*item)?, *relation)))
    }

    /// The items of one cell of the matrix.
    pub fn cell(&self, layer: Layer, phase: Phase) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.layer == layer && item.phase == phase)
    }

    fn knows(&self, feature: &FeatureId) -> bool {
        self.features.iter().any(|one| one.id == *feature)
    }

    fn add_catalogue(&mut self, file: &LibraryFile<'_>) -> Result<(), AssessmentError> {
        let catalogue = Catalogue::parse(file.name, file.text)?;
        let fault = |detail: String| AssessmentError::Inconsistent {
            file: file.name.to_owned(),
            line: 0,
            detail: detail.into(),
        };
        if self.catalogue(catalogue.source.id.as_str()).is_some() {
            return Err(fault(format!("there is a catalogue {} already", catalogue.source.id)));
        }
        for (index, record) in catalogue.records.iter().enumerate() {
            if let Some(unknown) = record.when.iter().find(|feature| !self.knows(feature)) {
                return Err(fault(format!("{}: no feature {unknown}", record.reference)));
            }
            self.records.insert(record.reference.clone(), (self.catalogues.len(), index));
        }
        self.catalogues.push(catalogue);
        Ok(())
    }

    fn add_mappings(&mut self, file: &LibraryFile<'_>) -> Result<(), AssessmentError> {
        for mapping in Mapping::parse(file.name, file.text)? {
            let fault = |detail: String| AssessmentError::Inconsistent {
                file: file.name.to_owned(),
                line: mapping.line,
                detail: detail.into(),
            };
            for reference in [&mapping.from, &mapping.to] {
                if !self.records.contains_key(reference) {
                    return Err(fault(format!("no record {reference}")));
                }
            }
            if self.neighbours(&mapping.from).iter().any(|(_, to)| *to == mapping.to) {
                let (from, to) = (&mapping.from, &mapping.to);
                return Err(fault(format!("{from} and {to} are related already")));
            }
            let (from, to) = (mapping.from.clone(), mapping.to.clone());
            self.neighbours.entry(from.clone()).or_default().push((mapping.relation, to.clone()));
            self.neighbours.entry(to).or_default().push((mapping.relation.inverse(), from));
            self.mappings.push(mapping);
        }
        Ok(())
    }

    fn add_items(&mut self, file: &LibraryFile<'_>) -> Result<(), AssessmentError> {
        for item in Item::parse(file.name, file.text)? {
            let fault = |detail: String| AssessmentError::Inconsistent {
                file: file.name.to_owned(),
                line: item.line,
                detail: detail.into(),
            };
            let index = self.items.len();
            if self.item_index.insert(item.id.clone(), index).is_some() {
                return Err(fault(format!("there is an item {} already", item.id)));
            }
            if let Some(unknown) = item.when.iter().find(|feature| !self.knows(feature)) {
                return Err(fault(format!("{}: no feature {unknown}", item.id)));
            }
            for clause in &item.clauses {
                if !self.records.contains_key(&clause.record) {
                    return Err(fault(format!("{}: no record {}", item.id, clause.record)));
                }
                let items = self.items_of.entry(clause.record.clone()).or_default();
                if items.iter().any(|(other, _)| *other == index) {
                    return Err(fault(format!("{} names {} twice", item.id, clause.record)));
                }
                items.push((index, clause.relation));
            }
            self.items.push(item);
        }
        Ok(())
    }
}

impl LibraryFiles<'_> {
    /// `SHA-256("tegata/library/v1\0" ‖ for each file: its SHA-256)`, features first.
    fn digest(&self) -> Sha256 {
        let files = std::iter::once(&self.features)
            .chain(self.catalogues)
            .chain(self.mappings)
            .chain(self.sheets);
        let mut parts: Vec<Vec<u8>> = vec![b"tegata/library/v1\0".to_vec()];
        parts.extend(files.map(|file| crypto::sha256(file.text.as_bytes()).as_bytes().to_vec()));
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        sha256_of(&parts)
    }
}

fn read_features(file: LibraryFile<'_>) -> Result<Vec<Feature>, AssessmentError> {
    let raw: RawFeatures = parse(file.name, file.text)?;
    let mut features: Vec<Feature> = Vec::with_capacity(raw.features.len());
    for one in raw.features {
        let id = FeatureId::parse(&one.id.value).ok_or_else(|| {
            let detail = "an id of a feature is lower-case letters, digits and hyphens";
            inconsistent(file.name, &one.id, detail)
        })?;
        if features.iter().any(|other| other.id == id) {
            return Err(inconsistent(file.name, &one.id, format!("{id} is there already")));
        }
        if let Some(fault) = one.title.fault() {
            return Err(inconsistent(file.name, &one.id, fault));
        }
        features.push(Feature { id, title: one.title });
    }
    Ok(features)
}
