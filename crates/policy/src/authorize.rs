use crate::{Action, Caller, EnrolmentSubject, PLATFORM, Roles, access_of};
use device::{DeviceId, OrganisationId};
use std::fmt;

/// What is acted on, and how organisations stand to it.
#[derive(Debug, Clone, Default)]
pub struct Resource<'a> {
    platform: bool,
    owner: Option<&'a OrganisationId>,
    related: Vec<&'a OrganisationId>,
    shared_with: Vec<&'a OrganisationId>,
    authorities: Vec<&'a OrganisationId>,
    device: Option<DeviceId>,
    serial_number: Option<&'a str>,
}

impl<'a> Resource<'a> {
    /// The platform as a whole: settings, the log, the list of organisations.
    pub fn platform() -> Self {
        Self { platform: true, ..Self::default() }
    }

    /// Something of one organisation: its record, members, products, CAs, codes, audit log.
    pub fn organisation(organisation: &'a OrganisationId) -> Self {
        Self {
            platform: organisation.as_str() == PLATFORM,
            owner: Some(organisation),
            ..Self::default()
        }
    }

    /// A device and its present owner.
    pub fn device(device: DeviceId, owner: &'a OrganisationId) -> Self {
        Self { device: Some(device), owner: Some(owner), ..Self::default() }
    }

    /// Something that does not exist, or of which the caller may not learn whether it does. Asking
    /// for it takes the same path and gives the same answer as asking for a stranger's (GW-3).
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Adds organisations that take part in the device's life: maker, holder, the one it was
    /// shipped or offered to.
    #[must_use]
    pub fn related(mut self, organisations: impl IntoIterator<Item = &'a OrganisationId>) -> Self {
        self.related.extend(organisations);
        self
    }

    /// Adds organisations that the owner shares the device with, as of now.
    #[must_use]
    pub fn shared_with(
        mut self,
        organisations: impl IntoIterator<Item = &'a OrganisationId>,
    ) -> Self {
        self.shared_with.extend(organisations);
        self
    }

    /// Adds organisations that are registered as authorities.
    #[must_use]
    pub fn authorities(
        mut self,
        organisations: impl IntoIterator<Item = &'a OrganisationId>,
    ) -> Self {
        self.authorities.extend(organisations);
        self
    }

    /// Adds the device's serial number, to which a one-time code may be bound.
    #[must_use]
    pub fn serial_number(mut self, serial_number: &'a str) -> Self {
        self.serial_number = Some(serial_number);
        self
    }
}

/// Leave to do one action once. Not cloneable: a use case takes it by value.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not handed to a use case permits nothing"]
pub struct Permit {
    action: Action,
}

impl Permit {
    /// What it permits.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Uses the permit up for `action`; false where it was given for another.
    pub fn spend(self, action: Action) -> bool {
        self.action == action
    }
}

/// What the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// authenticate (HTTP 401)
    Unauthenticated,
    /// there is nothing here for you (HTTP 404): also where it exists but is a stranger's
    NotFound,
    /// you may know of it, but your roles do not reach (HTTP 403)
    Forbidden,
}

/// A refusal. Displays what helps the caller and tells an attacker nothing; [`Denied::internal`] is
/// for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    action: Action,
    answer: Answer,
    needed: Roles,
    internal: &'static str,
}

impl Denied {
    /// What was asked.
    pub fn action(&self) -> Action {
        self.action
    }

    /// What the caller is told.
    pub fn answer(&self) -> Answer {
        self.answer
    }

    /// Roles of which one would do, given how the caller stands to the resource.
    pub fn needed(&self) -> Roles {
        self.needed
    }

    /// Stable reason for the audit log; never to the caller.
    pub fn internal(&self) -> &'static str {
        self.internal
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answer {
            Answer::Unauthenticated => f.write_str(
                "authenticate with a client certificate that an organisation registered, or sign in",
            ),
            Answer::NotFound => f.write_str("not found among what is yours or shared with you"),
            Answer::Forbidden if self.needed.is_empty() => {
                write!(f, "{} is not open to you", self.action)
            }
            Answer::Forbidden => {
                write!(f, "{} needs one of these roles: {}", self.action, self.needed)
            }
        }
    }
}

impl std::error::Error for Denied {}

/// Decides by the table of `docs/access.md`. The one gate (invariant 6).
///
/// Not found or forbidden: whoever stands in no relation to the resource is told that it is not
/// found, exactly as if it did not exist; whoever does, and lacks the role, is told which roles
/// would do. The platform itself is no secret, so what only its members may do is forbidden.
///
/// # Errors
/// [`Denied`].
pub fn authorize(
    caller: &Caller,
    action: Action,
    resource: &Resource<'_>,
) -> Result<Permit, Denied> {
    let access = access_of(action);
    let denied = |answer, needed, internal| Err(Denied { action, answer, needed, internal });
    if access.public {
        return Ok(Permit { action });
    }
    match caller {
        Caller::Anonymous => denied(Answer::Unauthenticated, Roles::NONE, "anonymous"),
        Caller::Platform { .. } if access.internal => Ok(Permit { action }),
        Caller::Platform { .. } => denied(Answer::Forbidden, Roles::NONE, "internal-not-listed"),
        Caller::Device { device, credential, .. } => {
            if resource.device != Some(*device) {
                denied(Answer::NotFound, Roles::NONE, "device-of-another")
            } else if credential.is_token() && !access.token {
                denied(Answer::Forbidden, Roles::NONE, "token-not-listed")
            } else if access.device {
                Ok(Permit { action })
            } else {
                denied(Answer::Forbidden, Roles::NONE, "device-not-listed")
            }
        }
        Caller::Code { organisation, subject } => {
            let same = match subject {
                EnrolmentSubject::Device(device) => resource.device == Some(*device),
                EnrolmentSubject::Serial(serial) => resource.serial_number == Some(serial.as_str()),
            };
            if !same || resource.owner != Some(organisation) {
                denied(Answer::NotFound, Roles::NONE, "code-for-another")
            } else if access.code {
                Ok(Permit { action })
            } else {
                denied(Answer::Forbidden, Roles::NONE, "code-not-listed")
            }
        }
        Caller::Member { organisation, roles, .. } | Caller::Person { organisation, roles, .. } => {
            let mut known = resource.platform;
            let mut reach = Vec::new();
            let mut stands = |there: bool, roles: Roles| {
                if there {
                    known = true;
                    reach.push(roles);
                }
            };
            stands(resource.owner == Some(organisation), access.owner);
            stands(resource.related.contains(&organisation), access.related);
            stands(resource.shared_with.contains(&organisation), access.shared);
            stands(resource.authorities.contains(&organisation), access.authority);
            stands(!access.anyone.is_empty(), access.anyone);
            stands(caller.is_platform_member() && !access.platform.is_empty(), access.platform);
            if reach.iter().any(|able| !able.is_disjoint(*roles)) {
                return Ok(Permit { action });
            }
            if !known {
                return denied(Answer::NotFound, Roles::NONE, "stranger");
            }
            let needed = reach.iter().flat_map(|able| able.iter()).collect();
            denied(Answer::Forbidden, needed, "role")
        }
    }
}
