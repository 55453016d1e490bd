use super::{Statement, Status};
use crate::{Component, Sbom, VulnerabilityId};
use crypto::UnixTime;
use std::collections::HashMap;

/// Whose statement it is. A later one outranks an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// who supplied the component or its SBOM
    Supplier,
    /// the organisation that answers for the release
    Own,
}

impl Origin {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supplier => "supplier",
            Self::Own => "own",
        }
    }
}

/// Statements with whose they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatementSet {
    statements: Vec<(Origin, Statement)>,
}

/// A statement may be dated a little into the future: clocks differ.
const CLOCK_SECONDS_MAX: i64 = 300;

impl StatementSet {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds statements of one origin.
    pub fn add(&mut self, origin: Origin, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements.into_iter().map(|statement| (origin, statement)));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// Whether a statement holds at a time: neither expired nor from the future.
pub(crate) fn holds(statement: &Statement, now: UnixTime) -> bool {
    let claim = statement.claim();
    claim.expires.is_none_or(|expires| now < expires)
        && claim.at.is_none_or(|at| at <= now.plus(CLOCK_SECONDS_MAX))
}

#[derive(Clone, Copy)]
struct Voice<'a> {
    origin: Origin,
    statement: &'a Statement,
    /// it stands in the SBOM itself
    embedded: bool,
}

/// The statements that hold for one SBOM, found by vulnerability.
pub(crate) struct Voices<'a> {
    all: Vec<Voice<'a>>,
    by_id: HashMap<&'a VulnerabilityId, Vec<usize>>,
}

impl<'a> Voices<'a> {
    pub(crate) fn of(
        set: &'a StatementSet,
        sbom: &'a Sbom,
        embedded: Origin,
        now: UnixTime,
    ) -> Self {
        let given = set.statements.iter().map(|(origin, statement)| Voice {
            origin: *origin,
            statement,
            embedded: false,
        });
        let inside = sbom.statements.iter().map(|statement| Voice {
            origin: embedded,
            statement,
            embedded: true,
        });
        let all: Vec<_> = given.chain(inside).filter(|voice| holds(voice.statement, now)).collect();
        let mut by_id: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, voice) in all.iter().enumerate() {
            let claim = voice.statement.claim();
            for id in claim.aliases.iter().chain([&claim.vulnerability]) {
                by_id.entry(id).or_default().push(index);
            }
        }
        Self { all, by_id }
    }

    /// The statement that holds about a vulnerability, known by several ids, in a component: of the
    /// own organisation before the supplier's, then the latest, then the one that warns.
    pub(crate) fn holding(
        &self,
        sbom: &Sbom,
        component: &Component,
        ids: &[VulnerabilityId],
    ) -> Option<(Origin, &'a Statement)> {
        ids.iter()
            .filter_map(|id| self.by_id.get(id))
            .flatten()
            .filter_map(|index| self.all.get(*index))
            .filter(|voice| voice.statement.covers(sbom, component, voice.embedded))
            .max_by_key(|voice| {
                let claim = voice.statement.claim();
                // Undated statements are older than any.
                let at = claim.at.map_or(i64::MIN, |at| at.0);
                (voice.origin, at, !claim.status.silences())
            })
            .map(|voice| (voice.origin, voice.statement))
    }

    /// Statements that call exactly this component affected.
    pub(crate) fn warnings(
        &self,
        sbom: &Sbom,
        component: &Component,
    ) -> Vec<(Origin, &'a Statement)> {
        self.all
            .iter()
            .filter(|voice| matches!(voice.statement.claim().status, Status::Affected { .. }))
            .filter(|voice| voice.statement.names(sbom, component, voice.embedded))
            .map(|voice| (voice.origin, voice.statement))
            .collect()
    }
}
