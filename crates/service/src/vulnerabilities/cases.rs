//! Use case: what a manufacturer must report (Regulation (EU) 2024/2847, article 14): one case for
//! each vulnerability that is exploited and each severe incident, with its three deadlines, who did
//! what when, and drafts of the reports from what is known.

use super::{record_line, settle::ExposureStatus};
use crate::{
    Page, Paged, Service, ServiceError,
    live::found,
    store::{
        Tx,
        case::{self as store, ActRow, CaseRow, ItemRow},
        exposure::{self, ExposureRow},
        organisation as organisations, sbom as sboms,
    },
};
use advisory::{CraCase, CraDeadline, CraDraft, CraItem, CraKind, CraState, CraStep};
use crypto::{UnixTime, random};
use device::{Language, OrganisationId};
use policy::{Action, Caller, Resource};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// Longest title and reason, in characters.
const TITLE_MAX: usize = 200;
/// Longest text of an item, in characters.
const TEXT_MAX: usize = 10_000;
/// Acts of a case that are shown.
const ACTS_MAX: usize = 1_000;
/// Open cases of an organisation.
const OPEN_MAX: usize = 1_000;
/// Seconds before a deadline at which somebody is reminded, and at the deadline itself.
const REMINDERS_S: [i64; 3] = [12 * 3_600, 2 * 3_600, 0];
/// Cases that are reminded of per commit.
const REMINDED: usize = 100;

/// Identifier of a case: 16 bytes, as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CaseId(pub(crate) [u8; 16]);

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for CaseId {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

/// A case to be opened.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// whose duty it is
    pub organisation: OrganisationId,
    /// what happened
    pub kind: CraKind,
    /// the vulnerability, where it is one
    pub vulnerability: Option<String>,
    /// one line
    pub title: String,
    /// when the organisation became aware; `None`: now
    pub aware: Option<UnixTime>,
}

/// What is changed in a case; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct CaseChange {
    /// one line
    pub title: Option<String>,
    /// when the organisation became aware
    pub aware: Option<UnixTime>,
    /// when a corrective or mitigating measure became available
    pub corrected: Option<UnixTime>,
    /// what a report must say: item, its text, empty to take it away
    pub text: Option<(CraItem, Language, String)>,
    /// a report was submitted: which, and when; `None`: now
    pub submitted: Option<(CraStep, Option<UnixTime>)>,
    /// the case is closed, and why
    pub closed: Option<String>,
}

/// A case in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseLine {
    /// its id
    pub id: CaseId,
    /// what happened
    pub kind: CraKind,
    /// the vulnerability, where it is one
    pub vulnerability: Option<String>,
    /// one line
    pub title: String,
    /// when the organisation became aware
    pub aware: UnixTime,
    /// when a corrective or mitigating measure became available
    pub corrected: Option<UnixTime>,
    /// the three reports with where they stand
    pub deadlines: [(CraDeadline, CraState); 3],
    /// who opened it
    pub opened_by: String,
    /// when
    pub opened_at: UnixTime,
    /// when it was closed
    pub closed_at: Option<UnixTime>,
    /// why
    pub closed_why: Option<String>,
}

impl CaseLine {
    /// The report that is to be made next.
    pub fn next(&self) -> Option<&(CraDeadline, CraState)> {
        let open = self.closed_at.is_none();
        self.deadlines.iter().find(|(deadline, _)| open && deadline.submitted.is_none())
    }
}

/// A case with what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseView {
    /// as in a list
    pub line: CaseLine,
    /// what was written for the reports: item, language, text, by whom, when
    pub texts: Vec<(CraItem, Language, String, String, UnixTime)>,
    /// who did what when: time, who, what, detail
    pub acts: Vec<(UnixTime, String, String, String)>,
}

/// A report in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseDraft {
    /// which report
    pub step: CraStep,
    /// until when
    pub due: Option<UnixTime>,
    /// what it must say, with what is known of it
    pub items: Vec<(CraItem, Option<String>)>,
    /// what it still needs
    pub missing: Vec<CraItem>,
    /// the whole as Markdown
    pub text: String,
}

/// Duties that are open, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaseWatch {
    /// open cases
    pub open: u64,
    /// of these, those whose next report is due within 24 hours
    pub soon: u64,
    /// of these, those whose next report is overdue
    pub overdue: u64,
    /// the next deadline
    pub next_due: Option<UnixTime>,
}

impl CaseRow {
    fn clock(&self) -> Result<CraCase, ServiceError> {
        let kind = CraKind::from_name(&self.kind)
            .ok_or_else(|| ServiceError::fatal("store-damaged", "a case's row is damaged"))?;
        Ok(CraCase {
            kind,
            aware: self.aware_at,
            corrected: self.corrected_at,
            submitted: self.submitted,
        })
    }

    /// When somebody is to be reminded next, after a time.
    fn next_reminder(&self, after: UnixTime) -> Result<Option<UnixTime>, ServiceError> {
        let due = self.clock()?.next().and_then(|deadline| deadline.due);
        let times = due.into_iter().flat_map(|due| REMINDERS_S.map(|before| due.plus(-before)));
        Ok(times.filter(|at| *at > after).min())
    }
}

fn line(row: &CaseRow, now: UnixTime) -> Result<CaseLine, ServiceError> {
    let clock = row.clock()?;
    Ok(CaseLine {
        id: CaseId(row.reference),
        kind: clock.kind,
        vulnerability: row.name.clone(),
        title: row.title.clone(),
        aware: row.aware_at,
        corrected: row.corrected_at,
        deadlines: clock.deadlines().map(|deadline| (deadline, deadline.state(now))),
        opened_by: row.opened_by.clone(),
        opened_at: row.opened_at,
        closed_at: row.closed_at,
        closed_why: row.closed_why.clone(),
    })
}

fn language_name(language: Language) -> &'static str {
    match language {
        Language::Ja => "ja",
        Language::En => "en",
    }
}

impl Service {
    /// Opens a case. The clocks run from when the organisation became aware.
    ///
    /// # Errors
    /// `not-found`, `role`, `title`, `aware`, `case-open`, `too-many-cases`.
    pub async fn open_case(&self, caller: &Caller, new: NewCase) -> Result<CaseLine, ServiceError> {
        let resource = Resource::organisation(&new.organisation);
        let _permit = self.authorize(caller, Action::ManageCases, &resource)?;
        record_line("title", &new.title, TITLE_MAX)?;
        let now = self.now();
        let aware_at = new.aware.unwrap_or(now);
        not_in_the_future("aware", aware_at, now)?;
        let organisation = self.organisation_row(new.organisation.as_str())?.id;
        let name = match &new.vulnerability {
            Some(id) => Some(self.vulnerability_name(organisation, id).or_else(|error| {
                // A vulnerability that nobody published yet has a case as well.
                advisory::VulnerabilityId::new(id).map(|id| id.to_string()).ok_or(error)
            })?),
            None => None,
        };
        let mut row = CaseRow {
            id: 0,
            reference: random::bytes(),
            organisation,
            kind: new.kind.name().to_owned(),
            name,
            title: new.title,
            aware_at,
            corrected_at: None,
            submitted: [None; 3],
            remind_at: None,
            opened_by: caller.to_string(),
            opened_at: now,
            closed_at: None,
            closed_why: None,
        };
        row.remind_at = row.next_reminder(now)?;
        let view = line(&row, now)?;
        let event = self.case_event(caller, &new.organisation, &row, "case-opened");
        self.commit(move |tx| {
            if store::cases(tx, organisation, true, i64::MAX, OPEN_MAX)?.len() >= OPEN_MAX {
                return Err(ServiceError::too_many(
                    "too-many-cases",
                    format!("{OPEN_MAX} cases are open already; close those that are done"),
                ));
            }
            if let Some(name) = &row.name
                && store::open_about(tx, organisation, name)?.is_some()
            {
                return Err(ServiceError::conflict(
                    "case-open",
                    "there is an open case about this vulnerability already; go on with that one",
                ));
            }
            begin(tx, &row)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        Ok(view)
    }

    /// Cases of an organisation, the newest first; with `open` only those that are.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn cases(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        open: bool,
        page: &Page,
    ) -> Result<Paged<CaseLine>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadCases, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if before == 0 { i64::MAX } else { before };
        let rows = self.read(|c| store::cases(c, owner, open, before, limit + 1))?;
        let now = self.now();
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| line(&row, now))
    }

    /// Duties that are open, in numbers.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn case_watch(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<CaseWatch, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadCases, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let rows = self.read(|c| store::cases(c, owner, true, i64::MAX, OPEN_MAX))?;
        let now = self.now();
        let mut watch = CaseWatch::default();
        for row in rows {
            watch.open += 1;
            let Some(next) = row.clock()?.next() else { continue };
            match next.state(now) {
                CraState::Overdue(_) => watch.overdue += 1,
                CraState::Due(seconds) if seconds <= 86_400 => watch.soon += 1,
                _ => {}
            }
            watch.next_due = match (watch.next_due, next.due) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(watch)
    }

    /// One case with what was done.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn case(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: &CaseId,
    ) -> Result<CaseView, ServiceError> {
        let row = self.case_for(caller, Action::ReadCases, organisation, id)?;
        let (texts, acts) = self.read(|connection| {
            Ok((store::items(connection, row.id)?, store::acts(connection, row.id, ACTS_MAX)?))
        })?;
        Ok(CaseView {
            line: line(&row, self.now())?,
            texts: texts
                .into_iter()
                .filter_map(|text| {
                    let item = CraItem::ALL.into_iter().find(|item| item.name() == text.item)?;
                    let language = if text.language == "ja" { Language::Ja } else { Language::En };
                    Some((item, language, text.text, text.by, text.at))
                })
                .collect(),
            acts: acts.into_iter().map(|act| (act.at, act.by, act.what, act.detail)).collect(),
        })
    }

    /// Changes a case: times, texts, reports that were submitted, its end. Each change is kept with
    /// who made it.
    ///
    /// # Errors
    /// `not-found`, `role`, `title`, `aware`, `corrected`, `text`, `submitted`, `case-order`,
    /// `case-submitted`, `case-closed`, `case-reports`.
    pub async fn change_case(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: &CaseId,
        change: CaseChange,
    ) -> Result<CaseLine, ServiceError> {
        let row = self.case_for(caller, Action::ManageCases, organisation, id)?;
        if let Some(title) = &change.title {
            record_line("title", title, TITLE_MAX)?;
        }
        if let Some(why) = &change.closed {
            record_line("closed", why, TITLE_MAX)?;
        }
        if let Some((_, _, text)) = &change.text
            && (text.chars().count() > TEXT_MAX
                || text.chars().any(|c| c.is_control() && c != '\n'))
        {
            return Err(ServiceError::malformed(
                "text",
                format!("at most {TEXT_MAX} characters, without control characters"),
            ));
        }
        let now = self.now();
        let (by, reference) = (caller.to_string(), row.reference);
        let event = self.case_event(caller, organisation, &row, "case-changed");
        self.commit(move |tx| {
            let mut row = found(store::case(tx, &reference)?, "case")?;
            if row.closed_at.is_some() {
                return Err(ServiceError::refused(
                    "case-closed",
                    "this case is closed; open another",
                ));
            }
            let acts = apply(&mut row, &change, now)?;
            if let Some((item, language, text)) = &change.text {
                let item = ItemRow {
                    item: item.name().to_owned(),
                    language: language_name(*language).to_owned(),
                    text: text.trim().to_owned(),
                    by: by.clone(),
                    at: now,
                };
                store::set_item(tx, row.id, &item)?;
            }
            row.remind_at = row.next_reminder(now)?;
            store::update_case(tx, &row)?;
            let mut event = event;
            for (what, detail) in acts {
                // Texts are not for the audit log: what they say is not public yet.
                event = event.detail(what, detail.lines().next().unwrap_or_default());
                let act = ActRow { at: now, by: by.clone(), what: what.to_owned(), detail };
                store::note(tx, row.id, &act)?;
            }
            tx.audit(&event)?;
            line(&row, now)
        })
        .await
    }

    /// A draft of a report from what is known and what was written, in a language. What was written
    /// outranks what follows from the records.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn case_draft(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: &CaseId,
        step: CraStep,
        language: Language,
    ) -> Result<CaseDraft, ServiceError> {
        let row = self.case_for(caller, Action::ReadCases, organisation, id)?;
        let known = self.known_of(&row, language)?;
        let clock = row.clock()?;
        let draft = CraDraft::new(&clock, step, |item| known.get(&item).cloned());
        let due = clock
            .deadlines()
            .into_iter()
            .find(|deadline| deadline.step == step)
            .and_then(|deadline| deadline.due);
        let name = self.organisation_row(organisation.as_str())?.name;
        let missing: Vec<CraItem> = draft.missing().collect();
        let text = markdown(&row, &draft, due, &name, language);
        Ok(CaseDraft { step, due, items: draft.items, missing, text })
    }

    fn case_for(
        &self,
        caller: &Caller,
        action: Action,
        organisation: &OrganisationId,
        id: &CaseId,
    ) -> Result<CaseRow, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, action, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let row = self.read(|connection| store::case(connection, &id.0))?;
        found(row.filter(|row| row.organisation == owner), "case")
    }

    fn case_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        row: &CaseRow,
        what: &str,
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::Vulnerability, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(&hex::encode(row.reference))
            .detail("what", what)
            .detail("kind", &row.kind)
            .detail("vulnerability", row.name.as_deref().unwrap_or_default())
    }

    /// What is known of a case, by item: from the records, then from what was written.
    fn known_of(
        &self,
        row: &CaseRow,
        language: Language,
    ) -> Result<BTreeMap<CraItem, String>, ServiceError> {
        let mut known = BTreeMap::new();
        let ja = language == Language::Ja;
        if let Some(name) = &row.name {
            let exposures = self.read(|c| exposure::exposures_named(c, row.organisation, name))?;
            self.known_of_vulnerability(row, &exposures, ja, &mut known)?;
        } else {
            known.insert(CraItem::Subject, row.title.clone());
        }
        let mut written: BTreeMap<CraItem, (bool, String)> = BTreeMap::new();
        for text in self.read(|connection| store::items(connection, row.id))? {
            let Some(item) = CraItem::ALL.into_iter().find(|item| item.name() == text.item) else {
                continue;
            };
            // In the other language rather than not at all.
            let wanted = text.language == language_name(language);
            if wanted || written.get(&item).is_none_or(|(wanted, _)| !wanted) {
                written.insert(item, (wanted, text.text));
            }
        }
        known.extend(written.into_iter().map(|(item, (_, text))| (item, text)));
        Ok(known)
    }

    fn known_of_vulnerability(
        &self,
        row: &CaseRow,
        exposures: &[ExposureRow],
        ja: bool,
        known: &mut BTreeMap<CraItem, String>,
    ) -> Result<(), ServiceError> {
        let mut affected: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        let (mut facts, mut tenths) = (super::settle::Facts::default(), None);
        for exposure in exposures {
            let read: super::settle::Facts = super::settle::read(&exposure.facts)?;
            facts.ids.extend(read.ids);
            if facts.summary.is_empty() {
                facts.summary = read.summary;
            }
            facts.remedy = facts.remedy.or(read.remedy);
            facts.exploited = facts.exploited.or(read.exploited);
            if exposure.tenths > tenths {
                tenths = exposure.tenths;
                facts.vector = read.vector;
            }
            // Versions that are affected, and those that were.
            if ExposureStatus::from_number(exposure.status) != ExposureStatus::NotAffected {
                let software = self.read(|c| sboms::software_by_id(c, exposure.software))?;
                if let Some(software) = software {
                    affected.entry(software.product).or_default().push(software.version);
                }
            }
        }
        let (mut products, mut remedies) = (Vec::new(), Vec::new());
        for (product, versions) in &affected {
            let named = self.read(|c| organisations::product_by_id(c, *product))?;
            let named = named.map(|row| format!("{} ({})", row.name, row.model));
            let named = named.unwrap_or_default();
            products.push(format!("{named}: {}", versions.join(", ")));
            if let Some(mended) = self.mended_version(*product, &row.name)? {
                remedies.push(if ja {
                    format!("{named}: バージョン {mended} への更新")
                } else {
                    format!("{named}: update to version {mended}")
                });
            }
        }
        let name = row.name.clone().unwrap_or_default();
        let others: BTreeSet<&String> = facts.ids.iter().filter(|id| **id != name).collect();
        let others: Vec<&str> = others.into_iter().map(String::as_str).collect();
        let mut subject = name;
        if !others.is_empty() {
            subject.push_str(&format!(" ({})", others.join(", ")));
        }
        if !facts.summary.is_empty() {
            subject.push_str(&format!(": {}", facts.summary));
        }
        let mut nature = facts.summary.clone();
        if let (Some(tenths), Some(vector)) = (tenths, &facts.vector) {
            nature.push_str(&format!(" CVSS {}.{} ({vector})", tenths / 10, tenths % 10));
        }
        if let Some(fact) = &facts.exploited {
            let since = fact.since.map(|at| UnixTime(at).to_string()).unwrap_or_default();
            let ransom = fact.ransomware;
            nature.push_str(&match (ja, ransom) {
                (true, true) => format!(" 悪用を確認（{since}）。ランサムウェアによる悪用あり。"),
                (true, false) => format!(" 悪用を確認（{since}）。"),
                (false, true) => format!(" Known to be exploited since {since}, by ransomware."),
                (false, false) => format!(" Known to be exploited since {since}."),
            });
        }
        let measures: Vec<String> = remedies.iter().cloned().chain(facts.remedy.clone()).collect();
        for (item, text) in [
            (CraItem::Product, products.join("\n")),
            (CraItem::Subject, subject),
            (CraItem::Nature, nature.trim().to_owned()),
            (CraItem::Description, nature.trim().to_owned()),
            (CraItem::UserMeasures, measures.join("\n")),
            (CraItem::Remedy, remedies.join("\n")),
        ] {
            if !text.is_empty() {
                known.insert(item, text);
            }
        }
        Ok(())
    }

    /// The newest version of a product that has a bill of materials and not the vulnerability.
    fn mended_version(
        &self,
        product: i64,
        name: &Option<String>,
    ) -> Result<Option<String>, ServiceError> {
        let name = name.as_deref().unwrap_or_default();
        self.read(|connection| {
            let mut newest = None;
            let mut after = 0;
            loop {
                let rows = sboms::software_of_product(connection, product, after, 200)?;
                let Some(last) = rows.last() else { return Ok(newest) };
                after = last.id;
                for row in rows {
                    let known = !sboms::sboms(connection, row.id)?.is_empty()
                        && sboms::waiting(connection, None, Some(row.id))? == 0;
                    let open = exposure::exposure(connection, row.id, name)?.is_some_and(|row| {
                        row.closed_at.is_none() && ExposureStatus::from_number(row.status).is_open()
                    });
                    if known && !open {
                        newest = Some(row.version);
                    } else if open {
                        // What is newer than an affected version counts, nothing older.
                        newest = None;
                    }
                }
            }
        })
    }

    /// Reminds of what is due, in the audit log and in the case itself.
    pub(super) fn remind(&self) -> Result<bool, ServiceError> {
        let now = self.now();
        let due = self.read(|connection| store::to_remind(connection, now, REMINDED))?;
        if due.is_empty() {
            return Ok(false);
        }
        self.store.writer.run_blocking(move |tx| {
            for row in &due {
                // Changed since it was looked at.
                let Some(mut row) = store::case(tx, &row.reference)? else { continue };
                if row.closed_at.is_some() || row.remind_at.is_none_or(|at| at > now) {
                    continue;
                }
                row.remind_at = row.next_reminder(now)?;
                store::update_case(tx, &row)?;
                let Some(next) = row.clock()?.next() else { continue };
                let what = match next.state(now) {
                    CraState::Overdue(_) | CraState::Due(0) => "report-overdue",
                    _ => "report-due",
                };
                let detail = format!(
                    "{} {}",
                    next.step.name(),
                    next.due.map(|due| due.to_string()).unwrap_or_default()
                );
                let by = "platform reminders".to_owned();
                let act = ActRow { at: now, by, what: what.to_owned(), detail: detail.clone() };
                store::note(tx, row.id, &act)?;
                let maker = organisations::organisation_by_id(tx, row.organisation)?;
                let event = audit::SecurityEvent::new(
                    now,
                    audit::Kind::Vulnerability,
                    audit::Outcome::Failure,
                )
                .organisation(&maker.map(|maker| maker.slug).unwrap_or_default())
                .subject(&hex::encode(row.reference))
                .detail("what", what)
                .detail("report", &detail);
                tx.audit(&event)?;
            }
            Ok(())
        })?;
        Ok(true)
    }
}

fn begin(tx: &Tx<'_>, row: &CaseRow) -> Result<i64, ServiceError> {
    let id = store::insert_case(tx, row)?;
    let act = ActRow {
        at: row.opened_at,
        by: row.opened_by.clone(),
        what: "opened".to_owned(),
        detail: format!("aware since {}", row.aware_at),
    };
    store::note(tx, id, &act)?;
    Ok(id)
}

/// Opens a case for a vulnerability that became known to be exploited, and is not judged harmless:
/// the manufacturer is aware from this moment on.
pub(super) fn on_exploited(
    tx: &mut Tx<'_>,
    exposure: &ExposureRow,
    ids: &BTreeSet<String>,
    summary: &str,
    now: UnixTime,
) -> Result<(), ServiceError> {
    for id in ids.iter().chain([&exposure.name]) {
        if store::open_about(tx, exposure.organisation, id)?.is_some() {
            return Ok(());
        }
    }
    let title: String =
        format!("{} {summary}", exposure.name).trim().chars().take(TITLE_MAX).collect();
    let mut row = CaseRow {
        id: 0,
        reference: random::bytes(),
        organisation: exposure.organisation,
        kind: CraKind::ExploitedVulnerability.name().to_owned(),
        name: Some(exposure.name.clone()),
        title,
        aware_at: now,
        corrected_at: None,
        submitted: [None; 3],
        remind_at: None,
        opened_by: "platform matching".to_owned(),
        opened_at: now,
        closed_at: None,
        closed_why: None,
    };
    row.remind_at = row.next_reminder(now)?;
    begin(tx, &row)?;
    let maker = organisations::organisation_by_id(tx, exposure.organisation)?;
    let event = audit::SecurityEvent::new(now, audit::Kind::Vulnerability, audit::Outcome::Failure)
        .organisation(&maker.map(|maker| maker.slug).unwrap_or_default())
        .subject(&hex::encode(row.reference))
        .detail("what", "case-opened")
        .detail("kind", &row.kind)
        .detail("vulnerability", &exposure.name);
    tx.audit(&event).map(|_| ())
}

fn not_in_the_future(what: &'static str, at: UnixTime, now: UnixTime) -> Result<(), ServiceError> {
    if at > now || at.0 < 0 {
        return Err(ServiceError::malformed(what, "choose a time that is not in the future"));
    }
    Ok(())
}

/// Applies a change; what was done.
fn apply(
    row: &mut CaseRow,
    change: &CaseChange,
    now: UnixTime,
) -> Result<Vec<(&'static str, String)>, ServiceError> {
    let mut acts = Vec::new();
    if let Some(title) = &change.title {
        row.title.clone_from(title);
        acts.push(("title", title.clone()));
    }
    if let Some(aware) = change.aware {
        not_in_the_future("aware", aware, now)?;
        if row.submitted.iter().flatten().any(|at| *at < aware) {
            return Err(ServiceError::malformed("aware", "a report was submitted before that"));
        }
        acts.push(("aware", format!("{aware}, was {}", row.aware_at)));
        row.aware_at = aware;
    }
    if let Some(corrected) = change.corrected {
        not_in_the_future("corrected", corrected, now)?;
        acts.push(("corrected", corrected.to_string()));
        row.corrected_at = Some(corrected);
    }
    if let Some((item, language, _)) = &change.text {
        acts.push(("text", format!("{} {}", item.name(), language_name(*language))));
    }
    if let Some((step, at)) = change.submitted {
        let at = at.unwrap_or(now);
        not_in_the_future("submitted", at, now)?;
        if at < row.aware_at {
            return Err(ServiceError::malformed("submitted", "that is before anybody was aware"));
        }
        let index = CraStep::ALL.iter().position(|one| *one == step).unwrap_or(0);
        if row.submitted.iter().take(index).any(Option::is_none) {
            return Err(ServiceError::refused(
                "case-order",
                "put the earlier reports on record first: each builds on the one before",
            ));
        }
        match row.submitted.get_mut(index) {
            Some(Some(_)) => {
                return Err(ServiceError::conflict(
                    "case-submitted",
                    "this report is on record as submitted already",
                ));
            }
            Some(slot) => *slot = Some(at),
            None => {}
        }
        acts.push(("submitted", format!("{} {at}", step.name())));
    }
    if let Some(why) = &change.closed {
        row.closed_at = Some(now);
        row.closed_why = Some(why.clone());
        let open = row.submitted.iter().filter(|at| at.is_none()).count();
        acts.push(("closed", format!("{why}; {open} reports not submitted")));
    }
    if acts.is_empty() {
        return Err(ServiceError::malformed("change", "say what is to be changed"));
    }
    Ok(acts)
}

/// A report as text.
fn markdown(
    row: &CaseRow,
    draft: &CraDraft,
    due: Option<UnixTime>,
    organisation: &str,
    language: Language,
) -> String {
    let ja = language == Language::Ja;
    let step = if ja { draft.step.japanese() } else { draft.step.english() };
    let law = if ja {
        "規則 (EU) 2024/2847 第14条に基づく報告"
    } else {
        "Report under Article 14 of Regulation (EU) 2024/2847"
    };
    let mut text = format!("# {step}: {}\n\n{law}\n\n", row.title);
    let (who, case, until) =
        if ja { ("製造業者", "案件", "期限") } else { ("Manufacturer", "Case", "Due") };
    text.push_str(&format!("- {who}: {organisation}\n- {case}: {}\n", hex::encode(row.reference)));
    if let Some(due) = due {
        text.push_str(&format!("- {until}: {due}\n"));
    }
    for (item, known) in &draft.items {
        let heading = if ja { item.japanese() } else { item.english() };
        let open = match (ja, item.is_optional()) {
            (true, true) => "（判明していれば記入）",
            (true, false) => "【要記入】",
            (false, true) => "(where known)",
            (false, false) => "**[to be filled in]**",
        };
        text.push_str(&format!("\n## {heading}\n\n{}\n", known.as_deref().unwrap_or(open)));
    }
    text
}
