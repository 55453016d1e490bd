//! What a bundle holds: the same for every device of an owner.

use crate::BundleError;
use device::{DeviceId, OrganisationId, ProductId};
use minicbor::{Decode, Encode, bytes::ByteVec};
use permission::TEXT_BYTES_MAX;
use pki::Certificate;

/// Largest contents, in bytes.
pub const CONTENTS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most certification authorities.
pub const AUTHORITIES_MAX: usize = 64;
/// Most certificates that are revoked or suspended, of all authorities together.
pub const REVOKED_MAX: usize = 50_000;
/// Most devices of the owner.
pub const DEVICES_MAX: usize = 20_000;
/// Most product lines of those.
const LINES_MAX: usize = 1000;
/// Bytes of a device's id.
const ID_BYTES: usize = 16;
/// Longest serial number (RFC 5280 section 4.1.2.2).
const SERIAL_BYTES_MAX: usize = 20;

/// For which devices an authority vouches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityKind {
    /// an owner's, for the devices that it owns (LDevID)
    Owner,
    /// a maker's, for those that it makes of one product line (IDevID)
    Maker,
}

/// A certification authority that vouches for devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// for which
    pub kind: AuthorityKind,
    /// whose
    pub organisation: OrganisationId,
    /// the product line of a maker's; `None` for an owner's
    pub product: Option<ProductId>,
    /// its certificate
    pub certificate: Certificate,
    /// serial numbers of what it has revoked for good, ascending
    pub revoked: Vec<Box<[u8]>>,
    /// serial numbers of what it has suspended, ascending
    pub suspended: Vec<Box<[u8]>>,
}

/// Devices of the owner of one product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// the product line with its maker; `None`: none is known
    pub product: Option<(OrganisationId, ProductId)>,
    /// the devices, ascending
    pub devices: Vec<DeviceId>,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// who vouches for devices
    pub authorities: Vec<Authority>,
    /// devices of the owner that stand well; ascending by product line
    pub lines: Vec<Line>,
    /// number of the version of the policies; zero where there are none
    pub version: u64,
    /// the policies that count between devices, in Cedar
    pub policies: String,
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    authorities: Vec<WireAuthority>,
    #[n(2)]
    lines: Vec<WireLine>,
    #[n(3)]
    policies_version: u64,
    #[n(4)]
    policies: String,
}

#[derive(Encode, Decode)]
struct WireAuthority {
    #[n(0)]
    kind: u8,
    #[n(1)]
    organisation: String,
    #[n(2)]
    product: String,
    #[n(3)]
    certificate: ByteVec,
    #[n(4)]
    revoked: Vec<ByteVec>,
    #[n(5)]
    suspended: Vec<ByteVec>,
}

#[derive(Encode, Decode)]
struct WireLine {
    #[n(0)]
    maker: String,
    #[n(1)]
    product: String,
    #[n(2)]
    devices: ByteVec,
}

impl Contents {
    /// Its one encoding.
    ///
    /// # Errors
    /// [`BundleError::TooLarge`], and where it could not be read again.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        let serials = |all: &[Box<[u8]>]| all.iter().map(|it| ByteVec::from(it.to_vec())).collect();
        let text = |product: Option<&ProductId>| product.map(ToString::to_string);
        let wire = Wire {
            version: 1,
            authorities: self
                .authorities
                .iter()
                .map(|it| WireAuthority {
                    kind: match it.kind {
                        AuthorityKind::Owner => 1,
                        AuthorityKind::Maker => 2,
                    },
                    organisation: it.organisation.to_string(),
                    product: text(it.product.as_ref()).unwrap_or_default(),
                    certificate: it.certificate.der().to_vec().into(),
                    revoked: serials(&it.revoked),
                    suspended: serials(&it.suspended),
                })
                .collect(),
            lines: self
                .lines
                .iter()
                .map(|it| {
                    let (maker, product) = it.product.as_ref().map_or_else(
                        || (String::new(), String::new()),
                        |(maker, product)| (maker.to_string(), product.to_string()),
                    );
                    let devices: Vec<u8> =
                        it.devices.iter().flat_map(|one| *one.as_bytes()).collect();
                    WireLine { maker, product, devices: devices.into() }
                })
                .collect(),
            policies_version: self.version,
            policies: self.policies.clone(),
        };
        let bytes = minicbor::to_vec(wire).unwrap_or_default();
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads contents.
    ///
    /// # Errors
    /// [`BundleError::TooLarge`], [`BundleError::Malformed`], [`BundleError::Authority`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let wrong = BundleError::Malformed;
        if bytes.len() > CONTENTS_BYTES_MAX {
            return Err(BundleError::TooLarge("bytes", CONTENTS_BYTES_MAX));
        }
        let wire: Wire =
            minicbor::decode(bytes).map_err(|_| wrong("its contents have another form"))?;
        if minicbor::to_vec(&wire).ok().as_deref() != Some(bytes) {
            return Err(wrong("its contents' encoding is not deterministic"));
        }
        if wire.version != 1 {
            return Err(wrong("the version of its contents is not 1; update the program"));
        }
        if wire.policies.len() > TEXT_BYTES_MAX {
            return Err(BundleError::TooLarge("bytes of policies", TEXT_BYTES_MAX));
        }
        if wire.authorities.len() > AUTHORITIES_MAX {
            return Err(BundleError::TooLarge("authorities", AUTHORITIES_MAX));
        }
        let revoked = wire.authorities.iter().map(|it| it.revoked.len() + it.suspended.len());
        if revoked.sum::<usize>() > REVOKED_MAX {
            return Err(BundleError::TooLarge("revoked certificates", REVOKED_MAX));
        }
        let devices = wire.lines.iter().map(|it| it.devices.len() / ID_BYTES);
        if devices.sum::<usize>() > DEVICES_MAX {
            return Err(BundleError::TooLarge("devices", DEVICES_MAX));
        }
        if wire.lines.len() > LINES_MAX {
            return Err(BundleError::TooLarge("product lines", LINES_MAX));
        }
        let authorities: Vec<_> =
            wire.authorities.into_iter().map(authority).collect::<Result<_, _>>()?;
        let mut known: Vec<_> = authorities.iter().map(|it| it.certificate.fingerprint()).collect();
        known.sort_unstable();
        if known.windows(2).any(|two| two.first() == two.last()) {
            return Err(wrong("an authority stands twice"));
        }
        let lines: Vec<_> = wire.lines.iter().map(line).collect::<Result<_, _>>()?;
        if !ascends(lines.iter().map(|it| &it.product)) {
            return Err(wrong("its product lines do not ascend"));
        }
        let mut all: Vec<&DeviceId> = lines.iter().flat_map(|it| &it.devices).collect();
        all.sort_unstable();
        if !ascends(all.into_iter()) {
            return Err(wrong("a device stands twice"));
        }
        let contents =
            Self { authorities, lines, version: wire.policies_version, policies: wire.policies };
        Ok(contents)
    }
}

fn authority(wire: WireAuthority) -> Result<Authority, BundleError> {
    let wrong = BundleError::Malformed;
    let organisation =
        OrganisationId::new(&wire.organisation).map_err(|_| wrong("no organisation's name"))?;
    let product = product_of(&wire.product)?;
    let kind = match (wire.kind, &product) {
        (1, None) => AuthorityKind::Owner,
        (2, Some(_)) => AuthorityKind::Maker,
        _ => return Err(wrong("an authority is neither an owner's nor a maker's")),
    };
    let certificate = Certificate::from_der(&wire.certificate)
        .map_err(|error| BundleError::Authority(error.to_string()))?;
    if !certificate.is_ca() {
        return Err(BundleError::Authority("its certificate is no authority's".into()));
    }
    Ok(Authority {
        kind,
        organisation,
        product,
        certificate,
        revoked: serials(wire.revoked)?,
        suspended: serials(wire.suspended)?,
    })
}

fn serials(wire: Vec<ByteVec>) -> Result<Vec<Box<[u8]>>, BundleError> {
    let all: Vec<Box<[u8]>> = wire.into_iter().map(|it| Vec::from(it).into_boxed_slice()).collect();
    let right = |it: &[u8]| it.len() <= SERIAL_BYTES_MAX && it.first().is_some_and(|it| *it != 0);
    if !ascends(all.iter()) || !all.iter().all(|it| right(it)) {
        return Err(BundleError::Malformed("its serial numbers are none, or do not ascend"));
    }
    Ok(all)
}

fn line(wire: &WireLine) -> Result<Line, BundleError> {
    let wrong = BundleError::Malformed;
    let product = match (wire.maker.as_str(), product_of(&wire.product)?) {
        ("", None) => None,
        (maker, Some(product)) => {
            let maker = OrganisationId::new(maker).map_err(|_| wrong("no maker's name"))?;
            Some((maker, product))
        }
        _ => return Err(wrong("a product line has no maker, or a maker no product line")),
    };
    let (ids, rest) = wire.devices.as_chunks::<ID_BYTES>();
    let devices: Vec<_> = ids.iter().map(|id| DeviceId::from_bytes(*id)).collect();
    if !rest.is_empty() || devices.is_empty() || !ascends(devices.iter()) {
        return Err(wrong("its devices are none, or do not ascend"));
    }
    Ok(Line { product, devices })
}

fn product_of(text: &str) -> Result<Option<ProductId>, BundleError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| BundleError::Malformed("no product line's name"))
}

/// Whether each is greater than the one before.
fn ascends<T: PartialOrd>(all: impl Iterator<Item = T>) -> bool {
    let mut last = None;
    for one in all {
        if last.as_ref().is_some_and(|last| *last >= one) {
            return false;
        }
        last = Some(one);
    }
    true
}
