//! Who may do what (AU-1, AU-3, AU-4, EN-4, LC-3): callers, roles, one table of rights, short-lived
//! tokens bound to a certificate, one-time codes bound to a device.
//!
//! Pure: the time and random bytes are arguments. The table is [`ACCESS`]; `docs/access.md` shows
//! it and a test keeps the two equal. No shared or default credential can be made: tokens and codes
//! come from fresh random bytes, belong to one certificate or one device, and end.
//!
//! Deliberately absent: Cedar policies, consent, OAuth 2.0, delegation between people.
//!
//! ```
//! use policy::{Action, Caller, Resource, Role, authorize};
//! # use crypto::sha256;
//! let organisation = device::OrganisationId::new("maker-a")?;
//! let alice = Caller::member(organisation.clone(), "alice", Role::Auditor.into(), sha256(b"certificate"));
//! let permit = authorize(&alice, Action::ReadAuditLog, &Resource::organisation(&organisation))?;
//! assert_eq!(permit.action(), Action::ReadAuditLog);
//! let denied = authorize(&alice, Action::CreateProduct, &Resource::organisation(&organisation));
//! assert!(denied.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod act;
mod action;
mod authorize;
mod base32;
mod bearer;
mod caller;
mod code;
mod person;
mod role;
mod token;

pub use access::{ACCESS, Access, access_of, access_table};
pub use act::Act;
pub use action::Action;
pub use authorize::{Answer, Denied, Permit, Resource, authorize};
pub use bearer::{BearerKind, BearerText, bearer_digest};
pub use caller::{Caller, DeviceCredential, PLATFORM};
pub use code::{
    ATTEMPTS_MAX, CODE_SECONDS_MAX, CODE_TEXT_BYTES_MAX, CodeCheck, CodeError, CodeRecord,
    CodeRefusal, CodeText, EnrolmentSubject, PresentedCode, ReleasedBy, SERIAL_BYTES_MAX,
};
pub use person::{PersonId, PersonIdError};
pub use role::{Role, RoleError, Roles};
pub use token::{
    PresentedToken, TOKEN_SECONDS_MAX, TokenError, TokenRecord, TokenRefusal, TokenText,
};
