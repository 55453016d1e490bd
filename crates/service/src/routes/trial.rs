//! A rule is tried before it is used: on messages that were kept, or on samples.

use crate::{Service, ServiceError, messages::MessageDoor, store::route_queue as queue};
use admission::{
    TopicFilter, TopicName,
    route::{Candidate, Condition, RouteRule, RoutedMessage},
};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Most messages that a rule is tried on.
pub const SAMPLES_MAX: usize = 200;

/// A message that somebody thought of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// who would send it
    pub device: Option<DeviceId>,
    /// of which product line, `MAKER/PRODUCT`
    pub product: Option<String>,
    /// topic below the device's space
    pub topic: String,
    /// its media type
    pub media_type: Option<String>,
    /// what it would say
    pub payload: Vec<u8>,
}

/// What a rule did with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedMessage {
    /// who sent it
    pub device: DeviceId,
    /// topic below the device's space
    pub topic: String,
    /// when it came
    pub received_at: UnixTime,
    /// whether the route would take it
    pub takes: bool,
    /// what the receiver would get: one JSON object
    pub sent: String,
}

/// Reads what a route says of the messages it takes.
///
/// # Errors
/// `route-product`, `route-filter`, `route-condition`.
pub fn read_rule(
    product: Option<&str>,
    filter: Option<&str>,
    condition: Option<&str>,
) -> Result<RouteRule, ServiceError> {
    let named = |text: &str| {
        let (maker, product) = text.split_once('/')?;
        OrganisationId::new(maker).ok()?;
        product.parse::<ProductId>().ok()
    };
    if let Some(product) = product
        && named(product).is_none()
    {
        return Err(ServiceError::malformed(
            "route-product",
            "a product line is MAKER/PRODUCT, such as acme/gate-3",
        )
        .in_japanese("製品ラインは「製造者/製品」の形で書いてください（例: acme/gate-3）"));
    }
    let filter = filter
        .map(|text| {
            TopicFilter::new(text).map_err(|error| {
                ServiceError::malformed(
                    "route-filter",
                    format!("the topic filter: {error}; one is up/+/temperature or up/#"),
                )
                .in_japanese(
                    "トピックフィルターの書き方が正しくありません（例: up/+/temperature、up/#）",
                )
            })
        })
        .transpose()?;
    let condition = condition
        .map(|text| {
            Condition::parse(text).map_err(|error| {
                let japanese = match &error {
                    admission::route::ConditionError::TooLong => {
                        "条件は1024バイトまでです".to_owned()
                    }
                    admission::route::ConditionError::Costly { position, .. } => format!(
                        "条件の{position}文字目: 処理に時間がかかりすぎるおそれのある書き方です。\
                         「..」は1回まで、フィルターの中では「@」だけが使えます"
                    ),
                    admission::route::ConditionError::Malformed { position, .. } => format!(
                        "条件の{position}文字目がJSONPath（RFC 9535）として読めません（例: $[?@.celsius > 30]）"
                    ),
                };
                ServiceError::malformed("route-condition", format!("the condition: {error}"))
                    .in_japanese(japanese)
            })
        })
        .transpose()?;
    Ok(RouteRule { product: product.map(str::to_owned), filter, condition })
}

impl Service {
    /// Tries a rule on samples, or, where there are none, on the newest messages of the
    /// organisation's devices: which of them it takes and what would be sent.
    ///
    /// # Errors
    /// `role`, `not-found`; `route-samples`, and what [`read_rule`] refuses.
    pub async fn try_route(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        rule: RouteRule,
        samples: Vec<Sample>,
        last: usize,
    ) -> Result<Vec<TriedMessage>, ServiceError> {
        let _permit =
            self.authorize(caller, Action::ReadRoutes, &Resource::organisation(organisation))?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        if samples.len() > SAMPLES_MAX || last > SAMPLES_MAX {
            return Err(ServiceError::malformed(
                "route-samples",
                "a route is tried on 200 messages at most",
            )
            .in_japanese("試験に使えるメッセージは200件までです"));
        }
        let (service, now) = (self.clone(), self.now());
        let work = move || {
            if samples.is_empty() {
                return service.try_on_kept(&rule, owner, last);
            }
            samples.into_iter().map(|sample| try_on(&rule, &sample, now)).collect()
        };
        self.pool.begin(work).outcome().await?
    }

    fn try_on_kept(
        &self,
        rule: &RouteRule,
        owner: i64,
        last: usize,
    ) -> Result<Vec<TriedMessage>, ServiceError> {
        let rows = self.read(|connection| queue::newest_messages(connection, owner, last))?;
        rows.into_iter()
            .map(|row| {
                let device = DeviceId::from_bytes(row.device);
                let product = self.product_name(&device)?;
                let message = RoutedMessage {
                    device,
                    product: product.as_deref(),
                    topic: &row.topic,
                    door: MessageDoor::from_code(row.door).map_or("unknown", MessageDoor::name),
                    received_at: row.received_at,
                    media_type: row.media_type.as_deref(),
                    payload: &row.payload,
                };
                Ok(tried(rule, &message))
            })
            .collect()
    }
}

fn try_on(rule: &RouteRule, sample: &Sample, now: UnixTime) -> Result<TriedMessage, ServiceError> {
    TopicName::new(sample.topic.clone()).map_err(|error| {
        ServiceError::malformed("route-samples", format!("the topic of a sample: {error}"))
            .in_japanese("サンプルのトピックの書き方が正しくありません")
    })?;
    let message = RoutedMessage {
        device: sample.device.unwrap_or(DeviceId::from_bytes([0; 16])),
        product: sample.product.as_deref(),
        topic: &sample.topic,
        door: MessageDoor::Mqtt.name(),
        received_at: now,
        media_type: sample.media_type.as_deref(),
        payload: &sample.payload,
    };
    Ok(tried(rule, &message))
}

fn tried(rule: &RouteRule, message: &RoutedMessage<'_>) -> TriedMessage {
    let candidate = Candidate::new(message);
    TriedMessage {
        device: message.device,
        topic: message.topic.to_owned(),
        received_at: message.received_at,
        takes: rule.takes(&candidate),
        sent: candidate.envelope().value().to_string(),
    }
}
