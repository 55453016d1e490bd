//! What an owner chooses.

use crate::{
    CaKind, Service, ServiceError,
    live::found,
    store::{Effect, peer_trust as store},
};
use ::peer::{AUTHORITIES_MAX, LIFE_S_MAX, LIFE_S_MIN};
use audit::{Kind, Outcome, Severity};
use crypto::UnixTime;
use device::{OrganisationId, ProductId};
use policy::{Action, Caller};
use std::collections::BTreeSet;

/// Most makers, organisations and product lines that are named, of each.
const NAMED_MAX: usize = 32;

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPeerTrust {
    /// for how long a decision may rest on a bundle, in seconds: 1 hour to 90 days
    pub life_s: i64,
    /// makers whose devices are known by their makers' certificates, too
    pub makers: Vec<OrganisationId>,
    /// other organisations whose devices are known
    pub organisations: Vec<OrganisationId>,
    /// the product lines of which own devices are known; empty: all
    pub products: Vec<(OrganisationId, ProductId)>,
}

/// What stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTrustView {
    /// what was chosen
    pub chosen: NewPeerTrust,
    /// by whom
    pub set_by: String,
    /// when
    pub set_at: UnixTime,
}

impl PeerTrustView {
    pub(super) fn of(row: store::SettingsRow) -> Result<Self, ServiceError> {
        let damaged =
            || ServiceError::fatal("store-damaged", "the row of a device's trust is damaged");
        let names = |all: Vec<String>| {
            let read = |text: &String| OrganisationId::new(text).map_err(|_| damaged());
            all.iter().map(read).collect::<Result<Vec<_>, _>>()
        };
        let line = |text: &String| {
            let (maker, product) = text.split_once('/')?;
            Some((maker.parse().ok()?, product.parse().ok()?))
        };
        let products = row.products.iter().map(line).collect::<Option<_>>().ok_or_else(damaged)?;
        Ok(Self {
            chosen: NewPeerTrust {
                life_s: row.life_s,
                makers: names(row.makers)?,
                organisations: names(row.organisations)?,
                products,
            },
            set_by: row.set_by,
            set_at: row.set_at,
        })
    }
}

impl Service {
    /// What the caller's organisation chose; `None`: its devices are given no bundles.
    ///
    /// # Errors
    /// `role`.
    pub async fn peer_trust(&self, caller: &Caller) -> Result<Option<PeerTrustView>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let found = self.read(|connection| store::settings(connection, row.id))?;
        found.map(PeerTrustView::of).transpose()
    }

    /// Chooses. In force with the next bundle that a device fetches.
    ///
    /// # Errors
    /// `peer-trust` for what cannot be chosen, `peer-authority` where a maker or an organisation has no CA
    /// that vouches for devices, `role`.
    pub async fn set_peer_trust(
        &self,
        caller: &Caller,
        new: NewPeerTrust,
    ) -> Result<PeerTrustView, ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ManagePeerTrust)?;
        if !(LIFE_S_MIN..=LIFE_S_MAX).contains(&new.life_s) {
            return Err(ServiceError::malformed(
                "peer-trust",
                "a trust bundle is good for 1 hour to 90 days",
            )
            .in_japanese("信頼バンドルの有効期間は1時間から90日までにしてください"));
        }
        let makers: BTreeSet<_> = new.makers.into_iter().collect();
        let organisations: BTreeSet<_> =
            new.organisations.into_iter().filter(|it| *it != own).collect();
        let products: BTreeSet<_> = new.products.into_iter().collect();
        if [makers.len(), organisations.len(), products.len()].iter().any(|it| *it > NAMED_MAX) {
            return Err(ServiceError::malformed(
                "peer-trust",
                "at most 32 makers, 32 organisations and 32 product lines can be named",
            )
            .in_japanese("メーカー・組織・製品ラインはそれぞれ32個まで指定できます"));
        }
        let index = self.ca_index()?;
        let of = |slug: &OrganisationId, kind: CaKind| {
            let row = self.organisation_row(slug.as_str()).ok().map(|row| row.id);
            index.all().filter(|ca| Some(ca.organisation) == row && ca.kind == kind).count()
        };
        let wanted = makers.iter().map(|it| (it, CaKind::Device));
        let wanted = wanted.chain(organisations.iter().map(|it| (it, CaKind::Owner)));
        let mut authorities = 1_usize;
        // Their certificates are public, so that nothing is told by that.
        for (slug, kind) in wanted.chain([(&own, CaKind::Owner)]) {
            let count = of(slug, kind);
            if count == 0 {
                return Err(ServiceError::conflict(
                    "peer-authority",
                    format!("{slug} has no CA that vouches for devices ({})", kind.name()),
                )
                .in_japanese(format!("{slug}には機器を証明する認証局がありません")));
            }
            authorities = authorities.saturating_add(count);
        }
        if authorities > AUTHORITIES_MAX {
            return Err(ServiceError::conflict(
                "peer-trust",
                format!("these have more than {AUTHORITIES_MAX} CAs; name fewer makers"),
            )
            .in_japanese("認証局の数が上限を超えています。指定するメーカーを減らしてください"));
        }
        let text = |all: &BTreeSet<OrganisationId>| all.iter().map(ToString::to_string).collect();
        let chosen = store::SettingsRow {
            life_s: new.life_s,
            makers: text(&makers),
            organisations: text(&organisations),
            products: products.iter().map(|(maker, line)| format!("{maker}/{line}")).collect(),
            set_by: caller.to_string(),
            set_at: self.now(),
        };
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(own.as_str())
            .severity(Severity::Medium)
            .detail("what", "peer-trust")
            .detail("life_s", &chosen.life_s.to_string())
            .detail("makers", &chosen.makers.join(" "))
            .detail("organisations", &chosen.organisations.join(" "))
            .detail("products", &chosen.products.join(" "));
        let kept = chosen.clone();
        self.commit(move |tx| {
            store::set(tx, row.id, &kept)?;
            tx.effect(Effect::PeerTrust(row.id));
            tx.audit(&event).map(|_| ())
        })
        .await?;
        PeerTrustView::of(chosen)
    }

    /// Gives the organisation's devices no bundles any more. Those that they have are good until their end.
    ///
    /// # Errors
    /// `not-found` where nothing was chosen, `role`.
    pub async fn end_peer_trust(&self, caller: &Caller) -> Result<(), ServiceError> {
        let (own, row) = self.for_policies(caller, Action::ManagePeerTrust)?;
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(own.as_str())
            .severity(Severity::Medium)
            .detail("what", "peer-trust-ended");
        self.commit(move |tx| {
            let was = store::end(tx, row.id)?;
            found(was.then_some(()), "settings of trust between devices")?;
            tx.effect(Effect::PeerTrust(row.id));
            tx.audit(&event).map(|_| ())
        })
        .await
    }
}
