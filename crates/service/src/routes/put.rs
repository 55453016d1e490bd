//! Routes are put, paused and ended by an organisation's administrators.

use super::{
    RouteTarget, RouteView, TargetError, plain, read_rule,
    target::{signing_key, signing_key_text},
};
use crate::{
    Service, ServiceError,
    live::found,
    store::{
        Effect, message as messages,
        route::{self as store, RouteRow, StateRow},
    },
    streams::{check_name, read_roots},
};
use broker::Speaks;
use crypto::Secret;
use device::OrganisationId;
use policy::{Action, Caller, Resource};
use std::ops::RangeInclusive;

/// Most routes of an organisation, and of all.
pub const ROUTES_MAX: (usize, usize) = (16, 1000);

/// What may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLimits {
    /// messages in a queue or a table
    pub count: RangeInclusive<u64>,
    /// bytes in a queue or a table
    pub bytes: RangeInclusive<u64>,
    /// attempts before a message is dead
    pub attempts: RangeInclusive<u32>,
    /// days that rows of a table stay
    pub days: RangeInclusive<u32>,
}

/// What may be chosen.
pub const ROUTE_LIMITS: RouteLimits = RouteLimits {
    count: 1..=1_000_000,
    bytes: 1024..=1024 * 1024 * 1024,
    attempts: 1..=100,
    days: 1..=3650,
};

/// A route as somebody wants it.
#[derive(Debug)]
pub struct NewRoute {
    /// messages of one product line only, `MAKER/PRODUCT`
    pub product: Option<String>,
    /// messages of some topics only: an MQTT topic filter below the device's space
    pub filter: Option<String>,
    /// messages of which this holds only: JSONPath over the envelope
    pub condition: Option<String>,
    /// messages of one purpose of the product line only, where it stands
    pub purpose: Option<String>,
    /// where they go, as [`RouteTarget::parse`] reads it
    pub target: String,
    /// CAs of the receiver, in PEM; those of the machine where there are none
    pub roots: Option<String>,
    /// key of a web hook, `whsec_…`: one is made where none is given and none is there; or how the
    /// platform logs in at a broker ([`broker::Login::parse`])
    pub secret: Option<Secret>,
    /// the oldest go when the queue is full; otherwise doors refuse
    pub drops: bool,
    /// most messages in the queue or the table
    pub count_max: u64,
    /// most bytes in them
    pub bytes_max: u64,
    /// attempts before a message is dead
    pub attempts_max: u32,
    /// days that rows of a table stay
    pub retention_days: u32,
}

/// A route that was put.
#[derive(Debug)]
pub struct PutRoute {
    /// as it is now
    pub view: RouteView,
    /// the key of a web hook that was made for it; it is not shown again
    pub secret: Option<Secret>,
}

impl Service {
    /// Makes a route, or changes one.
    ///
    /// # Errors
    /// `role`, `not-found`; `route-name`, `route-target`, `route-secret`, `route-roots`,
    /// `route-limits`, `route-device`, `route-kind`, `too-many-routes`, and what
    /// [`read_rule`](super::read_rule) refuses.
    pub async fn put_route(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        new: NewRoute,
    ) -> Result<PutRoute, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageRoutes, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        check_name(name)?;
        let (product, filter, condition) =
            (given(new.product), given(new.filter), given(new.condition));
        read_rule(product.as_deref(), filter.as_deref(), condition.as_deref())?;
        let purpose = self.purpose_of_route(product.as_deref(), given(new.purpose))?;
        check_limits(&new.count_max, &new.bytes_max, new.attempts_max, new.retention_days)?;
        let target = RouteTarget::parse(new.target.trim()).map_err(|error| {
            let japanese = match &error {
                TargetError::Template(_) => {
                    "サブジェクトやルーティングキーは、英数字と「-」「_」を「.」で区切って書きます。\
                     {device}、{product}、{topic}、{door} が使えます"
                }
                _ => {
                    "宛先は https://ホスト/パス、nats://ホスト/ストリーム/サブジェクト、\
                     amqps://ホスト/仮想ホスト/キュー、table、file、topic:機器ID/down/… のいずれかです"
                }
            };
            ServiceError::malformed("route-target", error.to_string()).in_japanese(japanese)
        })?;
        let roots = given(new.roots).filter(|_| target.is_remote());
        roots.as_deref().map(read_roots).transpose()?;
        if let RouteTarget::Topic { device, .. } = &target
            && !self.owns(owner, device)?
        {
            return Err(ServiceError::refused(
                "route-device",
                "the device that is to hear the messages is not the organisation's",
            )
            .in_japanese("宛先の機器はこの組織のものではありません"));
        }
        let known = self.read(|connection| store::route(connection, owner, name))?;
        let keeps = known.as_ref().filter(|known| {
            let old = RouteTarget::parse(&known.target).ok();
            let old = old.as_ref().and_then(RouteTarget::confidant);
            old == target.confidant() && (old.is_none() || known.roots == roots)
        });
        let (sealed, made) =
            self.route_secret(&target, (known.as_ref(), keeps), new.secret, organisation, name)?;
        let now = self.now();
        let row = RouteRow {
            id: known.as_ref().map_or(0, |row| row.id),
            organisation: owner,
            name: name.to_owned(),
            product,
            filter,
            condition,
            purpose,
            target: new.target.trim().to_owned(),
            roots,
            secret: sealed,
            paused: false,
            drops: new.drops,
            count_max: new.count_max,
            bytes_max: new.bytes_max,
            attempts_max: new.attempts_max,
            retention_days: new.retention_days,
            revision: 0,
            created_at: now,
            created_by: caller.to_string(),
            changed_at: now,
            changed_by: caller.to_string(),
            state: StateRow::default(),
        };
        let change = if known.is_some() { "changed" } else { "made" };
        let event = self
            .route_event(caller, organisation, (name, change))
            .detail("target", super::told_of(&row.target));
        let kind = target.kind();
        self.commit(move |tx| {
            match store::route(tx, row.organisation, &row.name)? {
                Some(known) if known.id == row.id => {
                    let old = RouteTarget::parse(&known.target).ok().map(|old| old.kind() == "table");
                    if known.state.count > 0 && old != Some(kind == "table") {
                        return Err(ServiceError::refused(
                            "route-kind",
                            "what a table keeps cannot be sent, and what waits is no row; make another \
                             route and end this one",
                        )
                        .in_japanese(
                            "表と送信先は、メッセージが残っている間は切り替えられません。\
                             別のルートを作り、このルートを終了してください",
                        ));
                    }
                    store::update(tx, &row)?;
                }
                None if row.id == 0 => {
                    let (of_all, of_organisation) = store::count(tx, row.organisation)?;
                    if of_organisation >= ROUTES_MAX.0 || of_all >= ROUTES_MAX.1 {
                        return Err(ServiceError::refused(
                            "too-many-routes",
                            "an organisation has 16 routes at most, an installation 1,000; end one first",
                        )
                        .in_japanese(
                            "ルートは組織ごとに16、全体で1,000までです。先に1つ終了してください",
                        ));
                    }
                    store::insert(tx, &row)?;
                }
                _ => {
                    return Err(ServiceError::conflict(
                        "route-changed",
                        "somebody has just made or ended this route; look and try again",
                    )
                    .in_japanese("ほかの人がこのルートを変更しました。確認してやり直してください"));
                }
            }
            tx.effect(Effect::Routes);
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|connection| store::route(connection, owner, name))?;
        Ok(PutRoute { view: RouteView::of(found(row, "route")?, organisation), secret: made })
    }

    /// The purpose that a route serves: one of its product line's.
    fn purpose_of_route(
        &self,
        product: Option<&str>,
        purpose: Option<String>,
    ) -> Result<Option<String>, ServiceError> {
        let Some(purpose) = purpose else { return Ok(None) };
        let wrong = || {
            ServiceError::malformed(
                "route-purpose",
                "a route serves a purpose of its product line; name the product line, and a purpose \
                 that it has",
            )
            .in_japanese("ルートの目的は製品ラインの目的から選びます。製品ラインと、その目的を指定してください")
        };
        let (maker, line) = product.and_then(|it| it.split_once('/')).ok_or_else(wrong)?;
        let maker = maker.parse::<OrganisationId>().map_err(|_| wrong())?;
        let line = line.parse::<device::ProductId>().map_err(|_| wrong())?;
        let row = self.product_row(&maker, &line).map_err(|_| wrong())?;
        let known =
            self.read(|connection| crate::store::purpose::newest(connection, row.id, &purpose))?;
        known.map(|_| Some(purpose)).ok_or_else(wrong)
    }

    /// The sealed secret of a route, and the one that was made for it.
    fn route_secret(
        &self,
        target: &RouteTarget,
        (known, keeps): (Option<&RouteRow>, Option<&RouteRow>),
        secret: Option<Secret>,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<(Option<Vec<u8>>, Option<Secret>), ServiceError> {
        let label = label(organisation, name);
        if let Some(speaks) = target.speaks() {
            let kept = keeps.and_then(|row| row.secret.clone());
            let Some(secret) = secret else {
                let had = known
                    .is_some_and(|row| row.secret.is_some() && !row.target.starts_with("https:"));
                if kept.is_some() || (speaks == Speaks::Nats && !had) {
                    return Ok((kept, None));
                }
                return Err(ServiceError::malformed(
                    "route-secret",
                    "give the secret for this broker: what the route has is not sent to another broker, \
                     nor to one under other CAs",
                )
                .in_japanese(
                    "このブローカーの認証情報を入力してください。登録済みの認証情報が、別のブローカーや\
                     別のCAの相手に送られることはありません",
                ));
            };
            broker::Login::parse(&secret, speaks).map_err(|error| {
                ServiceError::malformed("route-secret", error.to_string()).in_japanese(
                    "ブローカーの認証情報は「ユーザー:パスワード」か、クライアント証明書と秘密鍵（PEM）です。\
                     NATSではトークン、NKeyシード（SU…）、credsファイルも使えます",
                )
            })?;
            return Ok((Some(self.keys.seal_secret(&label, &secret)?), None));
        }
        let RouteTarget::Https { .. } = target else {
            if secret.is_some() {
                return Err(ServiceError::malformed(
                    "route-secret",
                    "only web hooks and brokers have a secret",
                )
                .in_japanese("鍵や認証情報があるのはWebhookとブローカーだけです"));
            }
            return Ok((None, None));
        };
        if let Some(secret) = secret {
            return Ok((Some(self.keys.seal_secret(&label, &signing_key(&secret)?)?), None));
        }
        // A web hook's key is never sent: it stays wherever the hook moves to.
        let hook = known.filter(|row| row.target.starts_with("https:"));
        if let Some(sealed) = hook.and_then(|row| row.secret.clone()) {
            return Ok((Some(sealed), None));
        }
        let key = crypto::random::secret::<32>();
        Ok((Some(self.keys.seal_secret(&label, &key)?), Some(signing_key_text(&key))))
    }

    /// The key of a web hook, or how the platform logs in at a broker.
    pub(super) fn open_route_secret(
        &self,
        organisation: &OrganisationId,
        row: &RouteRow,
    ) -> Result<Option<Secret>, ServiceError> {
        let label = label(organisation, &row.name);
        row.secret.as_deref().map(|sealed| self.keys.open_secret(&label, sealed)).transpose()
    }

    /// Whether a device belongs to an organisation now.
    pub(super) fn owns(&self, owner: i64, device: &device::DeviceId) -> Result<bool, ServiceError> {
        let row = self.read(|connection| messages::sender(connection, device.as_bytes()))?;
        Ok(row.is_some_and(|row| row.owner == owner))
    }

    /// Pauses a route, or lets it go on from where it stands. Messages are queued meanwhile.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn pause_route(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        paused: bool,
    ) -> Result<RouteView, ServiceError> {
        let row = self.route_for(caller, Action::ManageRoutes, (organisation, name))?;
        let change = if paused { "paused" } else { "resumed" };
        let event = self.route_event(caller, organisation, (name, change));
        let id = row.id;
        self.commit(move |tx| {
            found(store::route_of_id(tx, id)?, "route")?;
            store::pause(tx, id, paused)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.route(caller, organisation, name).await
    }

    /// Ends a route. Where it keeps messages they go with it, which has to be said.
    ///
    /// # Errors
    /// `role`, `not-found`; `route-not-empty`.
    pub async fn end_route(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        discard: bool,
    ) -> Result<(), ServiceError> {
        let row = self.route_for(caller, Action::ManageRoutes, (organisation, name))?;
        let event = self.route_event(caller, organisation, (name, "ended"));
        let id = row.id;
        self.commit(move |tx| {
            let row = found(store::route_of_id(tx, id)?, "route")?;
            if row.state.count > 0 && !discard {
                return Err(ServiceError::refused(
                    "route-not-empty",
                    "the route keeps messages that would be lost; say that they may be discarded",
                )
                .in_japanese(
                    "このルートにはメッセージが残っており、終了すると失われます。破棄してよいことを指定してください",
                ));
            }
            store::delete(tx, id)?;
            tx.effect(Effect::Routes);
            tx.audit(&event.detail("discarded", &row.state.count.to_string())).map(|_| ())
        })
        .await
    }

    /// Has dead messages of a route wait again: one, or all; a thousand at a time. How many.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn retry_dead(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        one: Option<u64>,
    ) -> Result<u64, ServiceError> {
        self.look_after_dead(caller, (organisation, name), one, true).await
    }

    /// Discards dead messages of a route for good: one, or all; a thousand at a time. How many.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn discard_dead(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        one: Option<u64>,
    ) -> Result<u64, ServiceError> {
        self.look_after_dead(caller, (organisation, name), one, false).await
    }

    async fn look_after_dead(
        &self,
        caller: &Caller,
        (organisation, name): (&OrganisationId, &str),
        one: Option<u64>,
        again: bool,
    ) -> Result<u64, ServiceError> {
        use crate::store::route_queue as queue;
        let row = self.route_for(caller, Action::ManageRoutes, (organisation, name))?;
        let change = if again { "dead messages retried" } else { "dead messages discarded" };
        let event = self.route_event(caller, organisation, (name, change));
        let (id, message) = (row.id, one.map(crate::store::to_i64));
        let mut all = 0_u64;
        loop {
            let event = event.clone();
            let (count, more) = self
                .commit(move |tx| {
                    const AT_ONCE: usize = 1000;
                    let act = if again { queue::revive } else { queue::discard };
                    let count = act(tx, id, message, AT_ONCE)?;
                    if count > 0 {
                        tx.audit(&event.detail("count", &count.to_string()))?;
                    }
                    let more = message.is_none() && count == u64::try_from(AT_ONCE).unwrap_or(0);
                    Ok((count, more))
                })
                .await?;
            all = all.saturating_add(count);
            if one.is_some() && count == 0 {
                return Err(ServiceError::not_found("dead message"));
            }
            if !more {
                return Ok(all);
            }
        }
    }
}

/// What somebody wrote, where it says anything.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn label(organisation: &OrganisationId, name: &str) -> String {
    format!("tegata/route/{}/{}", organisation, plain(name))
}

fn check_limits(count: &u64, bytes: &u64, attempts: u32, days: u32) -> Result<(), ServiceError> {
    let limits = ROUTE_LIMITS;
    let within = limits.count.contains(count)
        && limits.bytes.contains(bytes)
        && limits.attempts.contains(&attempts)
        && limits.days.contains(&days);
    within.then_some(()).ok_or_else(|| {
        ServiceError::malformed(
            "route-limits",
            "a queue or table has 1 to 1,000,000 messages and 1 KiB to 1 GiB; 1 to 100 attempts; rows \
             stay 1 to 3,650 days",
        )
        .in_japanese(
            "待ち行列と表は1〜1,000,000件、1 KiB〜1 GiB、試行は1〜100回、保存は1〜3,650日の範囲で指定してください",
        )
    })
}
