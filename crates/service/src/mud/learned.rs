//! A usage description is suggested, by what devices of a product line were seen to do.

use crate::{
    Service, ServiceError,
    store::{mud_seen as store, organisation as organisations},
};
use ::behaviour::mud::{
    DAYS_NEEDED, DEVICES_NEEDED, Mud, Needed, SeenDoor, Suggested, SuggestedDoor, Taken, learned,
    suggest,
};
use device::{OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Doors that are looked at: more than a file has room for.
const DOORS_MAX: usize = 512;
/// Longest text of what a device is, in characters (RFC 8520 section 3.8).
const SYSTEMINFO_MAX: usize = 60;

/// How a suggestion is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HowToSuggest {
    /// how much has to be seen of a connection
    pub needed: Needed,
    /// where the file will be found; without: here
    pub url: Option<String>,
}

/// What was seen of the devices of a product line, and what a file may say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MudLearned {
    /// devices that are looked at: they told of connections within 30 days
    pub devices: u32,
    /// devices that have to have shown a connection
    pub needed: u32,
    /// on so many days each
    pub days: u32,
    /// whom they connected to, and what becomes of it: what most of them showed first, 512 at most
    pub seen: Vec<(SeenDoor, Taken)>,
    /// the file; `None` where too little was seen
    pub file: Option<Vec<u8>>,
}

impl Service {
    /// What was seen of an organisation's own devices of a product line, and what a usage description may say
    /// of it. Of a product line of which it has no devices nothing was seen, and so of one that there is not.
    ///
    /// # Errors
    /// `not-found`, `role`; `mud-suggestion` for what cannot be asked for.
    pub async fn learned_mud(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (maker, product): (&OrganisationId, &ProductId),
        how: &HowToSuggest,
    ) -> Result<MudLearned, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadAlerts, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let Needed { devices, days } = how.needed;
        if !DEVICES_NEEDED.contains(&devices) || !DAYS_NEEDED.contains(&days) {
            return Err(wrong(
                "a connection has to be seen of 2 to 64 devices, on 1 to 30 days each",
                "機器は2〜64台、日数は1〜30日で指定してください",
            ));
        }
        let row = self.read(|connection| {
            let maker = organisations::organisation(connection, maker.as_str())?;
            let Some(maker) = maker else { return Ok(None) };
            let row = organisations::product(connection, maker.id, product.as_str())?;
            Ok(row.map(|row| (maker, row)))
        })?;
        let nothing =
            MudLearned { devices: 0, needed: devices, days, seen: Vec::new(), file: None };
        let Some((maker_row, row)) = row else { return Ok(nothing) };
        let url = match &how.url {
            Some(url) => Some(url.clone()),
            None => {
                self.mud_url((maker, product), "json").filter(|url| url.starts_with("https://"))
            }
        };
        let (now, service, needed) = (self.now(), self.clone(), how.needed);
        let work = move || -> Result<MudLearned, ServiceError> {
            let (looked_at, rows) = service.read(|connection| {
                let of = (owner, row.id);
                let looked_at = store::devices(connection, of, now)?;
                Ok((looked_at, store::doors(connection, of, days, now, DOORS_MAX)?))
            })?;
            if looked_at == 0 {
                return Ok(nothing);
            }
            let seen = rows.iter().map(door).collect::<Result<Vec<_>, _>>()?;
            let seen = learned(seen, looked_at, needed);
            let entries = || seen.iter().filter(|(_, taken)| *taken == Taken::Entry);
            // The same rows give the same file, whenever it is asked for.
            let newest = entries().map(|(it, _)| it.last_at).max();
            let file = match newest {
                None => None,
                Some(at) => {
                    let Some(url) = url else { return Err(no_url()) };
                    let doors = entries().map(|(it, _)| SuggestedDoor {
                        door: it.door.clone(),
                        note: Some(it.note()),
                    });
                    Some(made(&Suggested {
                        url,
                        at: at.to_string(),
                        systeminfo: row.name.chars().take(SYSTEMINFO_MAX).collect(),
                        made: (maker_row.name, row.model),
                        doors: doors.collect(),
                    })?)
                }
            };
            let needed = needed.of(looked_at);
            Ok(MudLearned { devices: looked_at, needed, days, seen, file })
        };
        self.pool.begin(work).outcome().await?
    }

    /// The same, where enough was seen for a file.
    ///
    /// # Errors
    /// As [`Self::learned_mud`], and `too-little-seen`.
    pub async fn suggest_mud(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        line: (&OrganisationId, &ProductId),
        how: &HowToSuggest,
    ) -> Result<(Vec<u8>, MudLearned), ServiceError> {
        let mut found = self.learned_mud(caller, organisation, line, how).await?;
        match found.file.take() {
            Some(file) => Ok((file, found)),
            None => Err(too_little(&found)),
        }
    }
}

/// Too little was seen for a suggestion.
fn too_little(found: &MudLearned) -> ServiceError {
    let MudLearned { devices, needed, days, .. } = found;
    let message = format!(
        "of {devices} devices that told of connections within 30 days, none was seen of {needed} on {days} days \
         each; hand in what routers saw (`tegata mud observe`), have devices tell of connections in their logs, or \
         ask for fewer devices or days"
    );
    let japanese = format!(
        "30日以内に通信を報告した機器は{devices}台で、{needed}台以上がそれぞれ{days}日以上行った通信がありません。\
         通信の報告を続けるか、必要な台数や日数を減らしてください"
    );
    ServiceError::conflict("too-little-seen", message).in_japanese(japanese)
}

fn wrong(message: &'static str, japanese: &'static str) -> ServiceError {
    ServiceError::malformed("mud-suggestion", message).in_japanese(japanese)
}

fn no_url() -> ServiceError {
    wrong(
        "say where the file will be found (url): this console has no address that begins with https://",
        "ファイルの公開場所（URL）を指定してください。このコンソールにはhttps://のアドレスがありません",
    )
}

/// What we do not take ourselves is not handed out.
fn made(of: &Suggested) -> Result<Vec<u8>, ServiceError> {
    let text = suggest(of).into_bytes();
    match Mud::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(ServiceError::malformed("mud-suggestion", error.to_string())
            .in_japanese(format!("MUDファイルを作成できません: {error}"))),
    }
}

fn door(row: &store::SeenRow) -> Result<SeenDoor, ServiceError> {
    let damaged = |_| ServiceError::fatal("store-damaged", "a connection that was seen is damaged");
    Ok(SeenDoor {
        door: row.door.parse().map_err(damaged)?,
        devices: row.devices,
        long: row.long,
        days: row.days,
        first_at: row.first_at,
        last_at: row.last_at,
    })
}
