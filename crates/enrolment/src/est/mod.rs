//! EST (RFC 7030, RFC 8951, RFC 9908): what goes over the wire.

mod attributes;
mod basic;
mod binding;
pub mod body;
pub mod client;
mod multipart;
mod route;

pub use attributes::{AttributesError, CSR_ATTRIBUTES_BYTES_MAX, CsrAttributes, Oid};
pub use basic::{BASIC_BYTES_MAX, BasicCredential, BasicError};
pub use binding::{
    Binding, BindingError, ChannelBinding, EXPORTER_LABEL, EXPORTER_LENGTH, TlsVersion,
};
pub use multipart::{MultipartError, ServerKey, boundary_of};
pub use route::{Method, Operation, Route, RouteError};
