//! Who takes part: organisations with credentials and signing keys of their own.

use crate::{
    commands::org::{add_member, register_signer},
    commands::{credential_pem, key_pem, write_private},
    demo::world::Site,
    remote::Remote,
};
use api::{
    Client, Identity, Settings,
    wire::{
        Authority, AuthorityKind, AuthorityRequest, CertificateUpload, NewAuthority,
        NewOrganisation, NewProduct, Organisation as Joined, OrganisationRole, Product as Created,
        scalar::{
            AlgorithmName, CertificatePem, KindName, OrganisationRef, ProductRef, RootOfTrustName,
        },
    },
};
use crypto::{KeyAlgorithm, SoftwareKey};
use device::{DeviceKind, OrganisationId, ProductId, RootOfTrust};
use pki::Certificate;
use service::ceremony::{CaRequest, Root};
use std::sync::Arc;

/// An organisation of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// chip maker
    Kaede,
    /// device maker, and its repair shop
    Yamato,
    /// distributor
    Tokai,
    /// operator
    Kawa,
    /// another operator
    Hoshi,
    /// recycler
    Midori,
    /// a maker that joined properly and builds counterfeits
    Kage,
}

impl Who {
    pub(super) const ALL: [Self; 7] =
        [Self::Kaede, Self::Yamato, Self::Tokai, Self::Kawa, Self::Hoshi, Self::Midori, Self::Kage];

    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Kaede => "kaede-semi",
            Self::Yamato => "yamato-devices",
            Self::Tokai => "tokai-trading",
            Self::Kawa => "kawa-waterworks",
            Self::Hoshi => "hoshi-rail",
            Self::Midori => "midori-recycling",
            Self::Kage => "kage-works",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kaede => "楓セミコンダクター",
            Self::Yamato => "大和デバイス",
            Self::Tokai => "東海商事",
            Self::Kawa => "川の水道局",
            Self::Hoshi => "星鉄道",
            Self::Midori => "みどりリサイクル",
            Self::Kage => "影製作所",
        }
    }

    fn roles(self) -> &'static [OrganisationRole] {
        match self {
            Self::Kaede | Self::Yamato | Self::Kage => &[OrganisationRole::Maker],
            Self::Midori => &[OrganisationRole::Recycler],
            Self::Tokai | Self::Kawa | Self::Hoshi => &[],
        }
    }

    /// Whether it gives its devices certificates of its own (LDevID).
    fn operates(self) -> bool {
        matches!(self, Self::Kawa | Self::Hoshi)
    }
}

/// A product line of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// chip: a secure element
    Chip,
    /// gateway with a secure element
    Gate,
    /// gateway whose owner's certificates live for seconds, to see them end
    Brief,
    /// tag that keeps its key in software
    Tag,
    /// what the counterfeiter builds
    Shadow,
}

/// Seconds for which the owners' certificates of [`Line::Brief`] are valid.
pub(super) const BRIEF_SECONDS: u32 = 3;

impl Line {
    pub(super) const ALL: [Self; 5] =
        [Self::Chip, Self::Gate, Self::Brief, Self::Tag, Self::Shadow];

    pub(super) fn maker(self) -> Who {
        match self {
            Self::Chip => Who::Kaede,
            Self::Gate | Self::Brief | Self::Tag => Who::Yamato,
            Self::Shadow => Who::Kage,
        }
    }

    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Chip => "kaede-se1",
            Self::Gate => "gate-7",
            Self::Brief => "gate-7-brief",
            Self::Tag => "tag-1",
            Self::Shadow => "gate-seven",
        }
    }

    pub(super) fn id(self) -> anyhow::Result<ProductId> {
        Ok(ProductId::new(self.slug())?)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Chip => "セキュアエレメント SE1",
            Self::Gate => "ゲートウェイ 7",
            Self::Brief => "ゲートウェイ 7(短期証明書)",
            Self::Tag => "タグ 1",
            Self::Shadow => "ゲートウェイ Seven",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Chip => "SE1-A",
            Self::Gate => "GW-7",
            Self::Brief => "GW-7B",
            Self::Tag => "TG-1",
            Self::Shadow => "GW-Seven",
        }
    }

    pub(super) fn root_of_trust(self) -> RootOfTrust {
        match self {
            Self::Tag => RootOfTrust::Software,
            Self::Chip | Self::Gate | Self::Brief | Self::Shadow => RootOfTrust::SecureElement,
        }
    }

    fn kind(self) -> DeviceKind {
        match self {
            Self::Chip => DeviceKind::Chip,
            Self::Gate | Self::Brief | Self::Tag | Self::Shadow => DeviceKind::Device,
        }
    }

    fn ldevid_validity_s(self) -> Option<u32> {
        (self == Self::Brief).then_some(BRIEF_SECONDS)
    }

    /// Nobody certifies the counterfeiter's line: it has no need of it.
    fn certified(self) -> bool {
        self != Self::Shadow
    }
}

/// An organisation with what it holds in hand.
pub(super) struct Organisation {
    pub(super) id: OrganisationId,
    /// manages members, keys, product lines
    pub(super) administrator: Remote,
    /// runs devices
    pub(super) desk: Remote,
    /// signs life events
    pub(super) signer: SoftwareKey,
}

/// Lets an organisation join, and lets it set itself up.
pub(super) async fn join(
    site: &Site,
    platform: &Remote,
    root: &Root,
    who: Who,
) -> anyhow::Result<(Organisation, Vec<Certificate>)> {
    let id = OrganisationId::new(who.slug())?;
    let new = NewOrganisation {
        id: OrganisationRef(id.clone()),
        name: who.name().to_owned(),
        roles: who.roles().to_vec(),
    };
    let _joined: Joined = platform.post("/v1/organisations", &new).await?;
    // The platform admits the first administrator; everything else is the organisation's own.
    let administrator = member(site, platform, &id, "administrator").await?;
    let desk = member(site, &administrator, &id, "operator").await?;
    let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
    let path = site.credentials.join(format!("{id}-events.pem"));
    write_private(&path, key_pem(&signer)?.as_bytes())?;
    register_signer(&administrator, id.as_str(), &signer).await?;

    let mut issuers = Vec::new();
    for line in Line::ALL.into_iter().filter(|line| line.maker() == who) {
        let new = NewProduct {
            id: ProductRef(line.id()?),
            name: line.name().to_owned(),
            model: line.model().to_owned(),
            kind: KindName(line.kind()),
            root_of_trust: RootOfTrustName(line.root_of_trust()),
            support_end: None,
            ldevid_validity_s: line.ldevid_validity_s(),
        };
        let path = format!("/v1/organisations/{id}/products");
        let _made: Created = administrator.post(&path, &new).await?;
        if line.certified() {
            let name = format!("{} {} CA", id, line.slug());
            let issues = AuthorityKind::Device;
            let product = Some(ProductRef(line.id()?));
            issuers.push(authority(&administrator, root, &id, product, issues, name).await?);
        }
    }
    if who.operates() {
        let name = format!("{id} owner CA");
        let issues = AuthorityKind::Owner;
        issuers.push(authority(&administrator, root, &id, None, issues, name).await?);
    }
    Ok((Organisation { id, administrator, desk, signer }, issuers))
}

/// A member of one role, with its credential in a file and its client.
async fn member(
    site: &Site,
    by: &Remote,
    organisation: &OrganisationId,
    role: &str,
) -> anyhow::Result<Remote> {
    let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
    let made = add_member(by, organisation.as_str(), role, &[role.to_owned()], &key).await?;
    let chain: Vec<_> = made.chain.into_iter().map(|pem| pem.0).collect();
    let pem = credential_pem(&chain, &key)?;
    write_private(&site.credentials.join(format!("{organisation}-{role}.pem")), pem.expose())?;
    Ok(Remote::new(client(site, Some(&Identity { chain, key: Arc::new(key) }))?))
}

/// A client of the TLS door.
pub(super) fn client(site: &Site, identity: Option<&Identity>) -> anyhow::Result<Client> {
    let settings = Settings { language: site.language, ..Settings::default() };
    Ok(Client::new(&site.tls_url, &site.roots, identity, settings)?)
}

/// The ceremony: the CA's key stays at the server, its request goes to the root and the certificate
/// comes back.
async fn authority(
    administrator: &Remote,
    root: &Root,
    organisation: &OrganisationId,
    product: Option<ProductRef>,
    issues: AuthorityKind,
    name: String,
) -> anyhow::Result<Certificate> {
    let new = NewAuthority {
        product,
        issues,
        name,
        algorithm: AlgorithmName(KeyAlgorithm::EcdsaP256),
        // As long as the root: an IDevID must not outlive its issuer, and it has no end.
        years: 0,
    };
    let path = format!("/v1/organisations/{organisation}/authorities");
    let request: AuthorityRequest = administrator.post(&path, &new).await?;
    let request = CaRequest::from_text(&request.request)?;
    let certificate = root.sign_ca(&request, pki::Locations::default(), crate::clock::now())?;
    let upload = CertificateUpload { certificate: CertificatePem(certificate.clone()) };
    let _installed: Authority = administrator.post("/v1/authorities/certificates", &upload).await?;
    Ok(certificate)
}
