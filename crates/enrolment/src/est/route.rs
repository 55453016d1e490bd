use device::ProductId;
use std::fmt;

const WELL_KNOWN: &str = "/.well-known/est";

/// Longest path read, in bytes.
const PATH_BYTES_MAX: usize = 256;

/// An operation of EST (RFC 7030 section 3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// current CA certificates (section 4.1)
    CaCerts,
    /// first certificate (section 4.2)
    SimpleEnroll,
    /// renewal or new key (section 4.2.2)
    SimpleReenroll,
    /// full CMC (section 4.3), not offered here
    FullCmc,
    /// certificate with a key that the server generates (section 4.4)
    ServerKeygen,
    /// what a request should contain (section 4.5)
    CsrAttrs,
}

/// HTTP methods of EST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

impl Method {
    /// As in the request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 6] = [
        Self::CaCerts,
        Self::SimpleEnroll,
        Self::SimpleReenroll,
        Self::FullCmc,
        Self::ServerKeygen,
        Self::CsrAttrs,
    ];

    /// Last segment of the path.
    pub fn name(self) -> &'static str {
        match self {
            Self::CaCerts => "cacerts",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::FullCmc => "fullcmc",
            Self::ServerKeygen => "serverkeygen",
            Self::CsrAttrs => "csrattrs",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// HTTP method.
    pub fn method(self) -> Method {
        match self {
            Self::CaCerts | Self::CsrAttrs => Method::Get,
            _ => Method::Post,
        }
    }

    /// Media type of the request body; none for a GET.
    pub fn request_type(self) -> Option<&'static str> {
        match self {
            Self::CaCerts | Self::CsrAttrs => None,
            Self::FullCmc => Some("application/pkcs7-mime"),
            _ => Some("application/pkcs10"),
        }
    }

    /// Whether a caller must be authenticated (RFC 7030 sections 4.1.1 and 4.5: the other two are
    /// for everybody).
    pub fn needs_authentication(self) -> bool {
        !matches!(self, Self::CaCerts | Self::CsrAttrs)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a path is none of EST's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Not below `/.well-known/est`.
    #[error(
        "not an EST path: it is /.well-known/est/OPERATION or /.well-known/est/PRODUCT/OPERATION"
    )]
    NotEst,
    /// No such operation.
    #[error(
        "no such EST operation; there are cacerts, csrattrs, simpleenroll, simplereenroll, serverkeygen"
    )]
    Operation,
    /// The label is no product id.
    #[error("the label is not a product line: 2 to 40 lower-case letters, digits and hyphens")]
    Label,
}

/// A path of EST: the operation and, as label (section 3.2.2), the product line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// the product line, where the path names one
    pub product: Option<ProductId>,
    /// the operation
    pub operation: Operation,
}

impl Route {
    /// Reads a path without query. Besides `/.well-known/est/LABEL/OPERATION`, it reads
    /// `/LABEL/.well-known/est/OPERATION`, for clients that put the path of their configured URL
    /// in front (strongSwan does).
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn parse(path: &str) -> Result<Self, RouteError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(RouteError::NotEst);
        }
        let (before, after) = path.split_once(WELL_KNOWN).ok_or(RouteError::NotEst)?;
        let after = after.strip_prefix('/').ok_or(RouteError::NotEst)?;
        let (label, operation) = match (before, after.split_once('/')) {
            ("", None) => (None, after),
            ("", Some((label, operation))) => (Some(label), operation),
            (_, None) => (Some(before.strip_prefix('/').ok_or(RouteError::NotEst)?), after),
            (_, Some(_)) => return Err(RouteError::NotEst),
        };
        let operation = Operation::from_name(operation).ok_or(RouteError::Operation)?;
        let product = label.map(product_of).transpose()?;
        Ok(Self { product, operation })
    }

    /// The path as the standard has it.
    pub fn path(&self) -> String {
        match &self.product {
            Some(product) => format!("{WELL_KNOWN}/{product}/{}", self.operation),
            None => format!("{WELL_KNOWN}/{}", self.operation),
        }
    }
}

/// A label must not be the name of an operation (RFC 7030 section 3.2.2).
fn product_of(label: &str) -> Result<ProductId, RouteError> {
    if Operation::from_name(label).is_some() {
        return Err(RouteError::Label);
    }
    label.parse().map_err(|_| RouteError::Label)
}
