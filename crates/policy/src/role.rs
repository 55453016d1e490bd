use std::{fmt, str::FromStr};

/// What a member is within its organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// manages the organisation: members, signers, CAs, products, sharing
    Administrator = 1,
    /// runs devices: codes, events, suspension, transfer
    Operator = 2,
    /// a factory station: registers and enrols, nothing else
    Station = 4,
    /// reads everything of the organisation, the audit log included; changes nothing
    Auditor = 8,
    /// reads devices
    Reader = 16,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Administrator, Self::Operator, Self::Station, Self::Auditor, Self::Reader];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Station => "station",
            Self::Auditor => "auditor",
            Self::Reader => "reader",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(name: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(RoleError::Unknown)
    }
}

/// Why a text is not a role or a set of roles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// No such role.
    #[error("no such role; choose of administrator, operator, station, auditor, reader")]
    Unknown,
    /// A role twice, or none.
    #[error("name at least one role, and each only once")]
    Repeated,
}

/// A set of roles. As text: names joined by `+`, in the order of [`Role::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Roles(u8);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);
    /// Every role.
    pub const ALL: Self = Self(31);

    /// The set of `roles`.
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut rest = roles;
        while let [first, others @ ..] = rest {
            bits |= *first as u8;
            rest = others;
        }
        Self(bits)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `role` is in the set.
    pub fn contains(self, role: Role) -> bool {
        self.0 & role as u8 != 0
    }

    /// Whether no role is in both.
    pub fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    /// Whether every role of `self` is in `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Roles in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The roles, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(role as u8)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role as u8))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, role) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("+")?;
            }
            f.write_str(role.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roles({self})")
    }
}

impl FromStr for Roles {
    type Err = RoleError;
    /// Any order is read; `,` is read like `+`.
    fn from_str(text: &str) -> Result<Self, RoleError> {
        let mut roles = Self::NONE;
        for name in text.split(['+', ',']).take(Role::ALL.len() + 1) {
            let role: Role = name.trim().parse()?;
            if roles.contains(role) {
                return Err(RoleError::Repeated);
            }
            roles.0 |= role as u8;
        }
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_comes_back() {
        for bits in 1..32 {
            let roles = Roles(bits);
            assert_eq!(roles.to_string().parse(), Ok(roles));
            assert_eq!(roles.iter().collect::<Roles>(), roles);
        }
        assert_eq!("reader, station".parse(), Ok(Roles::of(&[Role::Station, Role::Reader])));
        assert_eq!("".parse::<Roles>(), Err(RoleError::Unknown));
        assert_eq!("reader+reader".parse::<Roles>(), Err(RoleError::Repeated));
        assert_eq!("root".parse::<Roles>(), Err(RoleError::Unknown));
    }
}
