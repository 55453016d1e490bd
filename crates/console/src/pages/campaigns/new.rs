//! A campaign is proposed: what it would be is shown before.

use super::one::{plan_words, span};
use crate::{
    Answer, Asked, Console, Failure, Fields, Frame, Member, Section, failure,
    i18n::Locale,
    pages::{devices::filters, listing, sensitive, words},
    ui::{Choice, Field, Message, Tone},
};
use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use device::{OrganisationId, Phase, StandingKind};
use http::StatusCode;
use policy::Action;
use service::{
    CampaignPreview, DeviceRelation, DeviceSearch, ErrorKind, NewCampaign, Page, ReleaseId,
    ReleaseQuery, ReleaseState, ServiceError,
};
use update::campaign::{OnFailure, Plan, Stage, Window};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/campaigns/new", get(ask).post(propose))
}

/// Stages that the form has room for.
const ROWS: usize = 4;
/// Releases among which one is chosen, the newest first.
const RELEASES: u32 = 200;
const HOUR_S: i64 = 3_600;

/// What was typed, or what the address fills in.
struct Typed(Vec<(String, String)>);

impl Typed {
    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    fn is(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// With what the form proposes where nothing was typed yet.
    fn or_usual(mut self) -> Self {
        let usual = [
            ("relation", "owner"),
            ("share1", "5"),
            ("success1", "90"),
            ("error1", "5"),
            ("soak1", "1"),
            ("share2", "25"),
            ("success2", "90"),
            ("error2", "5"),
            ("soak2", "1"),
            ("share3", "70"),
            ("success3", "90"),
            ("error3", "5"),
            ("soak3", "0"),
            ("deadline", "24"),
            ("attempts", "3"),
        ];
        for (name, value) in usual {
            if self.get(name).is_empty() {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
        self
    }
}

/// What is wrong: with which field, and how.
type Wrong = Vec<(String, String)>;

/// Reads the form.
struct Reader<'a> {
    t: Locale,
    typed: &'a Typed,
    wrong: Wrong,
}

impl Reader<'_> {
    fn number<N: std::str::FromStr>(&mut self, name: &str) -> Option<N> {
        let number = self.typed.get(name).parse().ok();
        if number.is_none() {
            self.wrong.push((name.to_owned(), self.t.text("campaigns-number").to_string()));
        }
        number
    }

    /// Hundredths of a percent from percent with up to two decimals.
    fn share(&mut self, name: &str) -> Option<u16> {
        let text = self.typed.get(name);
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let whole: Option<u16> = whole.parse().ok().filter(|whole| *whole <= 100);
        let part = match part.len() {
            0 => Some(0),
            1 => part.parse::<u16>().ok().map(|part| part * 10),
            2 => part.parse().ok(),
            _ => None,
        };
        let share = whole.zip(part).map(|(whole, part)| whole * 100 + part);
        if share.is_none() {
            self.wrong.push((name.to_owned(), self.t.text("campaigns-share-wrong").to_string()));
        }
        share
    }

    fn stages(&mut self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for row in 1..=ROWS {
            let share = format!("share{row}");
            if self.typed.get(&share).is_empty() {
                continue;
            }
            let stage = (
                self.share(&share),
                self.number(&format!("success{row}")),
                self.number(&format!("error{row}")),
                self.number::<i64>(&format!("soak{row}")),
            );
            if let (Some(share), Some(success_percent), Some(error_percent), Some(soak)) = stage {
                let soak_s = soak.saturating_mul(HOUR_S);
                stages.push(Stage { share, success_percent, error_percent, soak_s });
            }
        }
        stages
    }

    /// `22:00` in minutes after midnight.
    fn minute(&mut self, name: &str) -> Option<u16> {
        let minute = self.typed.get(name).split_once(':').and_then(|(hour, minute)| {
            let hour = hour.parse::<u16>().ok().filter(|hour| *hour < 24)?;
            let minute = minute.parse::<u16>().ok().filter(|minute| *minute < 60)?;
            Some(hour * 60 + minute)
        });
        if minute.is_none() {
            self.wrong.push((name.to_owned(), self.t.text("campaigns-minute-wrong").to_string()));
        }
        minute
    }

    fn window(&mut self) -> Option<Window> {
        let zone = self.typed.get("zone");
        if zone.is_empty() {
            return None;
        }
        let mut days = 0_u8;
        for day in self.typed.all("day").filter_map(|day| day.parse::<u32>().ok()) {
            if (1..=7).contains(&day) {
                days |= 1 << (day - 1);
            }
        }
        let (from, to) = (self.minute("from")?, self.minute("to")?);
        match Window::new(zone, days, from, to) {
            Ok(window) => Some(window),
            Err(_) => {
                self.wrong
                    .push(("zone".to_owned(), self.t.text("campaigns-window-wrong").to_string()));
                None
            }
        }
    }

    fn plan(&mut self) -> Option<Plan> {
        let stages = self.stages();
        let window = self.window();
        let starts_per_minute = match self.typed.get("starts") {
            "" => None,
            _ => self.number("starts"),
        };
        let deadline = self.number::<i64>("deadline");
        let attempts = self.number("attempts");
        if !self.wrong.is_empty() {
            return None;
        }
        let checked = Plan::new(stages).and_then(|mut plan| {
            plan.window = window;
            plan.starts_per_minute = starts_per_minute;
            plan.deadline_s = deadline.unwrap_or(24).saturating_mul(HOUR_S);
            plan.attempts_max = attempts.unwrap_or(3);
            if self.typed.is("roll_back") {
                plan.on_failure = OnFailure::RollBack;
            }
            plan.force = self.typed.is("force");
            plan.confirm = self.typed.is("confirm");
            plan.check().map(|()| plan)
        });
        match checked {
            Ok(plan) => Some(plan),
            Err(_) => {
                self.wrong.push((String::new(), self.t.text("campaigns-plan-wrong").to_string()));
                None
            }
        }
    }

    fn release(&mut self, name: &str) -> Option<ReleaseId> {
        let release = self.typed.get(name).parse().ok();
        if release.is_none() {
            self.wrong.push((name.to_owned(), self.t.text("campaigns-release-wrong").to_string()));
        }
        release
    }

    fn search(&mut self) -> DeviceSearch {
        let typed = self.typed;
        let text = typed.get("text");
        DeviceSearch {
            relation: match typed.get("relation") {
                "maker" => DeviceRelation::Maker,
                _ => DeviceRelation::Owner,
            },
            phase: typed.get("phase").parse().ok(),
            standing: typed.get("standing").parse().ok(),
            text: (!text.is_empty()).then(|| text.to_owned()),
            runs: filters::versions(typed.get("runs")),
            ..DeviceSearch::default()
        }
    }

    fn campaign(&mut self, organisation: &OrganisationId) -> Option<NewCampaign> {
        // A maker's release is named by its id: its list is the maker's own.
        let field = if self.typed.get("other").is_empty() { "release" } else { "other" };
        let release = self.release(field);
        let roll_back_to = match self.typed.get("back") {
            "" => None,
            _ => Some(self.release("back")?),
        };
        let name = self.typed.get("name").to_owned();
        if name.is_empty() {
            self.wrong.push(("name".to_owned(), self.t.text("campaigns-name-missing").to_string()));
        }
        let search = self.search();
        let plan = self.plan();
        if !self.wrong.is_empty() {
            return None;
        }
        let organisation = organisation.clone();
        Some(NewCampaign {
            organisation,
            name,
            release: release?,
            roll_back_to,
            search,
            plan: plan?,
        })
    }
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Asked(pairs): Asked<Vec<(String, String)>>,
) -> Answer {
    if !words::may(&member, Action::ProposeCampaign, &member.signed().organisation) {
        return Err(Failure::forbidden());
    }
    let typed = Typed(pairs).or_usual();
    show(&console, &member, &typed, Vec::new(), None).await
}

async fn propose(State(console): State<Console>, member: Member, fields: Fields) -> Answer {
    let own = &member.signed().organisation;
    let typed = Typed(fields.pairs().to_vec());
    let t = member.t;
    let mut reader = Reader { t, typed: &typed, wrong: Vec::new() };
    let Some(new) = reader.campaign(own) else {
        let wrong = reader.wrong;
        return show(&console, &member, &typed, wrong, None).await;
    };
    if typed.get("what") != "propose" {
        return match console.service.preview_campaign(member.caller(), &new).await {
            Ok(preview) => {
                let preview = Preview::new(t, &preview, &new);
                show(&console, &member, &typed, Vec::new(), Some(preview)).await
            }
            Err(error) => refused(&console, &member, &typed, error).await,
        };
    }
    match console.service.create_campaign(member.caller(), new).await {
        Ok(view) => Ok(member.done(&format!("/campaigns/{}", view.id), "campaign-proposed")),
        Err(error) => refused(&console, &member, &typed, error).await,
    }
}

/// The form again, with the refusal at the field that it is about.
async fn refused(console: &Console, member: &Member, typed: &Typed, error: ServiceError) -> Answer {
    let about_the_form = error.approval().is_none()
        && (matches!(
            error.kind(),
            ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict
        ) || (error.kind() == ErrorKind::NotFound && error.code() == "not-found"));
    if !about_the_form {
        return sensitive::answer(member, error, "/campaigns/new");
    }
    let field = match error.code() {
        "campaign-name" => "name",
        "release-state" | "below-floor" | "not-found" => {
            if typed.get("other").is_empty() {
                "release"
            } else {
                "other"
            }
        }
        "not-a-rollback" => "back",
        _ => "",
    };
    let said = failure::said(member.t.language, error.problem());
    show(console, member, typed, vec![(field.to_owned(), said)], None).await
}

/// What the campaign would be.
struct Preview {
    message: Message,
    rows: Vec<(String, String, String)>,
    notes: Vec<String>,
    plan: Vec<(String, String)>,
}

impl Preview {
    fn new(t: Locale, preview: &CampaignPreview, new: &NewCampaign) -> Self {
        let message = if preview.members == 0 {
            Message::new(Tone::Warn, t.text("campaigns-preview-none"))
        } else {
            let text = t
                .text("campaigns-preview-says")
                .arg("count", preview.members)
                .arg("version", &preview.version);
            Message::new(Tone::Info, text)
        };
        let rows = preview
            .per_stage
            .iter()
            .zip(new.plan.stages())
            .enumerate()
            .map(|(at, (members, stage))| {
                let says = t
                    .text("campaigns-stage-says")
                    .arg("share", (f64::from(stage.share) / 100.0).to_string())
                    .arg("success", stage.success_percent)
                    .arg("error", stage.error_percent)
                    .arg("soak", span(t, stage.soak_s))
                    .to_string();
                (
                    t.text("campaigns-stage-number").arg("number", at + 1).to_string(),
                    t.number(*members),
                    says,
                )
            })
            .collect();
        let mut notes = vec![t.text("campaigns-preview-lot").to_string()];
        if preview.second_person {
            notes.push(t.text("campaigns-preview-second").to_string());
        }
        if preview.without_consent {
            notes.push(t.text("campaigns-preview-consent").to_string());
        }
        Self { message, rows, notes, plan: plan_words(t, &new.plan) }
    }
}

/// A stage's fields, side by side.
struct StageRow {
    name: String,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "campaigns/new.html")]
struct NewPage {
    t: Locale,
    frame: Frame,
    wrong: Option<Message>,
    preview: Option<Preview>,
    what: Vec<Field>,
    whom: Vec<Field>,
    stages: Vec<StageRow>,
    failing: Vec<Field>,
    when: Vec<Field>,
    devices: Vec<Field>,
}

async fn show(
    console: &Console,
    member: &Member,
    typed: &Typed,
    wrong: Wrong,
    preview: Option<Preview>,
) -> Answer {
    let t = member.t;
    let releases = releases(console, member).await?;
    let mut page = NewPage {
        t,
        frame: member.frame(Section::Campaigns, t.text("campaigns-new")),
        wrong: None,
        preview,
        what: what(t, typed, &releases),
        whom: whom(t, typed),
        stages: stages(t, typed),
        failing: failing(t, typed, &releases),
        when: when(t, typed),
        devices: of_devices(t, typed),
    };
    if wrong.is_empty() {
        return Ok(member.page(&page));
    }
    Ok(page.refuse(member, wrong))
}

impl NewPage {
    fn refuse(&mut self, member: &Member, wrong: Wrong) -> Response {
        let t = self.t;
        let mut above = Vec::new();
        for (name, text) in wrong {
            let stages = self.stages.iter_mut().flat_map(|row| &mut row.fields);
            let groups = [
                &mut self.what,
                &mut self.whom,
                &mut self.failing,
                &mut self.when,
                &mut self.devices,
            ];
            let mut fields = groups.into_iter().flatten().chain(stages);
            match fields.find(|field| field.name() == name) {
                Some(field) => field.mark(text),
                None => above.push(text),
            }
        }
        let text =
            if above.is_empty() { t.text("forms-look").to_string() } else { above.join(" ") };
        self.wrong = Some(Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved")));
        member.page_with(StatusCode::UNPROCESSABLE_ENTITY, self)
    }
}

async fn releases(console: &Console, member: &Member) -> Result<Vec<Choice>, Failure> {
    let own = &member.signed().organisation;
    let query = ReleaseQuery { state: Some(ReleaseState::Published), ..ReleaseQuery::default() };
    let page = Page { after: None, limit: RELEASES };
    let found = console.service.releases(member.caller(), own, &query, &page).await?;
    Ok(found
        .items
        .iter()
        .map(|release| {
            let label = format!("{} {}", release.product, release.version);
            Choice::new(release.id.to_string(), label)
        })
        .collect())
}

fn what(t: Locale, typed: &Typed, releases: &[Choice]) -> Vec<Field> {
    let mut choices = vec![Choice::new("", t.text("campaigns-choose"))];
    choices.extend(releases.iter().cloned());
    vec![
        Field::text(t, "name", t.text("campaigns-name"))
            .value(typed.get("name"))
            .required()
            .most(100),
        Field::select(t, "release", t.text("campaigns-release"), choices)
            .value(typed.get("release"))
            .hint(t.text("campaigns-release-hint")),
        Field::text(t, "other", t.text("campaigns-other-release"))
            .value(typed.get("other"))
            .hint(t.text("campaigns-other-release-hint"))
            .optional()
            .most(32),
    ]
}

fn whom(t: Locale, typed: &Typed) -> Vec<Field> {
    let relations = ["owner", "maker"]
        .map(|name| Choice::new(name, t.word("relation", name).to_string()))
        .to_vec();
    let phases =
        Phase::ALL.iter().map(|phase| (phase.name().to_owned(), t.of(phase.text()).to_owned()));
    let standings =
        StandingKind::ALL.iter().map(|one| (one.name().to_owned(), t.of(one.text()).to_owned()));
    let all = || t.text("words-all");
    vec![
        Field::radios(t, "relation", t.text("campaigns-relation"), relations)
            .value(typed.get("relation"))
            .hint(t.text("campaigns-relation-hint")),
        Field::text(t, "runs", t.text("devices-runs"))
            .value(typed.get("runs"))
            .hint(t.text("devices-runs-hint"))
            .optional()
            .most(4_000),
        Field::select(t, "phase", t.text("devices-phase"), words::choices(all(), phases))
            .value(typed.get("phase")),
        Field::select(t, "standing", t.text("devices-standing"), words::choices(all(), standings))
            .value(typed.get("standing")),
        Field::text(t, "text", t.text("devices-text"))
            .value(typed.get("text"))
            .hint(t.text("devices-text-hint"))
            .optional()
            .most(200),
    ]
}

fn stages(t: Locale, typed: &Typed) -> Vec<StageRow> {
    (1..=ROWS)
        .map(|row| {
            let field = |name: &str, label: &'static str, share: bool| {
                let name = format!("{name}{row}");
                let value = typed.get(&name).to_owned();
                let field = match share {
                    true => Field::text(t, &name, t.text(label)).most(6),
                    false => Field::number(t, &name, t.text(label)),
                };
                field.value(value)
            };
            StageRow {
                name: t.text("campaigns-stage-number").arg("number", row).to_string(),
                fields: vec![
                    field("share", "campaigns-share", true),
                    field("success", "campaigns-success", false),
                    field("error", "campaigns-error", false),
                    field("soak", "campaigns-soak", false),
                ],
            }
        })
        .collect()
}

fn failing(t: Locale, typed: &Typed, releases: &[Choice]) -> Vec<Field> {
    let mut choices = vec![Choice::new("", t.text("campaigns-no-back"))];
    choices.extend(releases.iter().cloned());
    let checkbox = |name: &str, label: &'static str| {
        let field = Field::checkbox(t, name, t.text(label));
        if typed.is(name) { field.value("yes") } else { field }
    };
    vec![
        Field::select(t, "back", t.text("campaigns-roll-back-to"), choices)
            .value(typed.get("back"))
            .hint(t.text("campaigns-back-hint")),
        checkbox("roll_back", "campaigns-roll-back"),
    ]
}

fn when(t: Locale, typed: &Typed) -> Vec<Field> {
    let days = (1..=7)
        .map(|day: u8| Choice::new(day.to_string(), t.word("weekday", &day.to_string())))
        .collect();
    let mut weekdays = Field::checkboxes(t, "day", t.text("campaigns-days"), days);
    for day in typed.all("day") {
        weekdays = weekdays.value(day);
    }
    vec![
        Field::text(t, "zone", t.text("campaigns-zone"))
            .value(typed.get("zone"))
            .hint(t.text("campaigns-zone-hint"))
            .optional()
            .most(64),
        weekdays,
        Field::text(t, "from", t.text("campaigns-from"))
            .value(typed.get("from"))
            .hint(t.text("campaigns-minute-hint"))
            .optional()
            .most(5),
        Field::text(t, "to", t.text("campaigns-to")).value(typed.get("to")).optional().most(5),
        Field::number(t, "starts", t.text("campaigns-starts"))
            .value(typed.get("starts"))
            .optional(),
    ]
}

fn of_devices(t: Locale, typed: &Typed) -> Vec<Field> {
    let checkbox = |name: &str, label: &'static str| {
        let field = Field::checkbox(t, name, t.text(label));
        if typed.is(name) { field.value("yes") } else { field }
    };
    vec![
        Field::number(t, "deadline", t.text("campaigns-deadline-hours"))
            .value(typed.get("deadline"))
            .hint(t.text("campaigns-deadline-hint"))
            .required(),
        Field::number(t, "attempts", t.text("campaigns-attempts"))
            .value(typed.get("attempts"))
            .required(),
        checkbox("force", "campaigns-force-says"),
        checkbox("confirm", "campaigns-confirm-says"),
    ]
}

/// The form, filled in for a release over the devices that run some versions.
pub(in crate::pages) fn filled(
    release: &ReleaseId,
    relation: &str,
    name: &str,
    versions: &[&str],
) -> String {
    listing::address(
        "/campaigns/new",
        &[
            ("release", &release.to_string()),
            ("relation", relation),
            ("name", name),
            ("runs", &versions.join(",")),
        ],
    )
}
