use crate::{PersonId, Roles};
use crypto::{Sha256, UnixTime};
use device::{DeviceId, OrganisationId};
use std::fmt;

/// The organisation that runs the platform. Its administrators create organisations; it sees no
/// organisation's devices.
pub const PLATFORM: &str = "platform";

/// With what a device came: a certificate, or what stands in for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceCredential {
    /// a chip's certificate (trust anchor)
    Chip,
    /// the maker's initial identity (802.1AR IDevID)
    Idevid,
    /// the owner's local identity (802.1AR LDevID)
    Ldevid,
    /// a token made for this device: it can be copied, and opens updates alone
    TargetToken,
    /// a gateway's token that speaks for this device: the same, and one step further away
    GatewayToken,
}

impl DeviceCredential {
    /// Whether it is a token, weaker than a certificate.
    pub fn is_token(self) -> bool {
        matches!(self, Self::TargetToken | Self::GatewayToken)
    }
}

/// Who asks. Made only after authentication: a validated client certificate, a checked token, an
/// accepted one-time code, a session that a passkey opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// nobody known
    Anonymous,
    /// a device, by its certificate
    Device {
        /// the device
        device: DeviceId,
        /// whose issuing CA the certificate is from
        organisation: OrganisationId,
        /// which kind of certificate
        credential: DeviceCredential,
        /// SHA-256 of the certificate; the digest of a token
        certificate: Sha256,
    },
    /// a device that is not enrolled yet, by an accepted one-time code
    Code {
        /// the organisation that released the code
        organisation: OrganisationId,
        /// the device that the code is bound to
        subject: crate::EnrolmentSubject,
    },
    /// a person, station or program of an organisation, by its certificate or a token bound to it
    Member {
        /// the organisation
        organisation: OrganisationId,
        /// name within the organisation
        name: String,
        /// what it may be here
        roles: Roles,
        /// SHA-256 of the client certificate
        certificate: Sha256,
        /// SHA-256 of the token, where one was used
        token: Option<Sha256>,
    },
    /// a person of an organisation, signed in with a passkey
    Person {
        /// the organisation
        organisation: OrganisationId,
        /// which person
        person: PersonId,
        /// its handle within the organisation; the same human's certificates bear the same name
        name: String,
        /// what it may be here
        roles: Roles,
        /// SHA-256 of the session's secret
        session: Sha256,
        /// when it last showed its passkey
        authenticated_at: UnixTime,
    },
    /// the platform itself: ceremony and recovery commands on the machine, schedules
    Platform {
        /// which command or schedule
        task: &'static str,
    },
}

impl Caller {
    /// A member that showed its certificate.
    pub fn member(
        organisation: OrganisationId,
        name: &str,
        roles: Roles,
        certificate: Sha256,
    ) -> Self {
        Self::Member { organisation, name: name.to_owned(), roles, certificate, token: None }
    }

    /// The caller's organisation.
    pub fn organisation(&self) -> Option<&OrganisationId> {
        match self {
            Self::Device { organisation, .. }
            | Self::Code { organisation, .. }
            | Self::Member { organisation, .. }
            | Self::Person { organisation, .. } => Some(organisation),
            Self::Anonymous | Self::Platform { .. } => None,
        }
    }

    /// Whether the caller is a member of the organisation that runs the platform.
    pub fn is_platform_member(&self) -> bool {
        matches!(self, Self::Member { organisation, .. } | Self::Person { organisation, .. }
            if organisation.as_str() == PLATFORM)
    }

    /// The name within its organisation of a member or a person: who stands behind the request.
    /// One human may have a passkey and certificates; they bear the same name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Member { name, .. } | Self::Person { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What a member or a person may be here; nothing for others.
    pub fn roles(&self) -> Roles {
        match self {
            Self::Member { roles, .. } | Self::Person { roles, .. } => *roles,
            _ => Roles::NONE,
        }
    }
}

/// For the audit log: no secrets.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Device { device, credential: DeviceCredential::TargetToken, .. } => {
                write!(f, "device {device} by its token")
            }
            Self::Device { device, credential: DeviceCredential::GatewayToken, .. } => {
                write!(f, "device {device} by a gateway's token")
            }
            Self::Device { device, .. } => write!(f, "device {device}"),
            Self::Code { organisation, subject } => {
                write!(f, "code of {organisation} for {subject}")
            }
            Self::Member { organisation, name, .. } => write!(f, "member {organisation}/{name}"),
            Self::Person { organisation, name, .. } => write!(f, "person {organisation}/{name}"),
            Self::Platform { task } => write!(f, "platform {task}"),
        }
    }
}
