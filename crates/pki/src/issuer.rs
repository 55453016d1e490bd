use crate::{
    Certificate, IssueError, KeyPolicy, Profile, Serial, Subject, crl, oid,
    profile::uri_problem,
    write::{Writer, fragment, tag},
};
use crypto::{KeyError, PublicKey, SignatureScheme, UnixTime};
use std::sync::Arc;

/// Where relying parties find what an issuer publishes: plain http URLs, because what they fetch is
/// signed and https would need the very answer (RFC 5280 section 8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locations {
    /// CRLs; where there is more than one shard, `{shard}` stands for its number
    pub crl: Option<String>,
    /// number of CRL shards; 0 and 1 both mean that one CRL holds everything
    pub crl_shards: u16,
    /// OCSP responder
    pub ocsp: Option<String>,
    /// the issuer's own certificate (DER)
    pub ca_issuers: Option<String>,
}

impl Locations {
    /// URL of the CRL shard `shard`.
    pub fn crl_url(&self, shard: u16) -> Option<String> {
        self.crl.as_ref().map(|url| url.replace("{shard}", &shard.to_string()))
    }

    fn check(&self) -> Result<(), IssueError> {
        let crl = self.crl_url(0);
        for url in [&crl, &self.ocsp, &self.ca_issuers].into_iter().flatten() {
            let problem = uri_problem(url)
                .or_else(|| (!url.starts_with("http://")).then_some("is not an http:// URL"));
            if let Some(rule) = problem {
                let name = url.chars().take(80).collect();
                return Err(IssueError::AlternativeName { kind: "URL", name, rule });
            }
        }
        if self.crl_shards > 1 && self.crl.as_ref().is_some_and(|url| !url.contains("{shard}")) {
            return Err(IssueError::Issuer("its CRL has several shards, but its URL no {shard}"));
        }
        Ok(())
    }
}

/// A CA as its certificates show it, with the fragments that all of them share rendered once.
#[derive(Clone, Debug)]
pub struct IssuerInfo {
    name: Vec<u8>,
    key: PublicKey,
    key_identifier: Vec<u8>,
    scheme: SignatureScheme,
    not_before: UnixTime,
    not_after: UnixTime,
    path_length: Option<u32>,
    self_signed: bool,
    locations: Locations,
    policy: Arc<KeyPolicy>,
    // Fragments: AlgorithmIdentifier and extensions
    authority_key_identifier: Vec<u8>,
    authority_info_access: Vec<u8>,
    // where one CRL holds everything
    crl_distribution_point: Vec<u8>,
}

impl IssuerInfo {
    /// The issuer whose certificate is `certificate`.
    ///
    /// # Errors
    /// [`IssueError::Issuer`] where it is not a CA, [`IssueError::Key`] where its key is not
    /// accepted, [`IssueError::AlternativeName`] for a URL.
    pub fn from_certificate(
        certificate: &Certificate,
        locations: Locations,
    ) -> Result<Self, IssueError> {
        let extensions = certificate.extensions();
        let Some(constraints) = extensions.basic_constraints().filter(|limits| limits.ca) else {
            return Err(IssueError::Issuer("its certificate is not a CA's"));
        };
        let usage = Profile::IssuingCa.key_usage();
        if !extensions.key_usage().is_some_and(|allowed| allowed.contains(usage)) {
            return Err(IssueError::Issuer("its key may not sign certificates and CRLs"));
        }
        let key = certificate.public_key().map_err(Clone::clone)?.clone();
        let key_identifier = extensions
            .subject_key_identifier()
            .map_or_else(|| key.key_identifier().to_vec(), <[u8]>::to_vec);
        if !has_key_identifier(&key, &key_identifier) {
            return Err(IssueError::Issuer(
                "its subjectKeyIdentifier is neither by RFC 7093 nor by RFC 5280 method 1",
            ));
        }
        let template = Template {
            name: certificate.subject_der().to_vec(),
            key,
            key_identifier,
            validity: (certificate.not_before(), certificate.not_after()),
            path_length: constraints.path_len,
            self_signed: false,
        };
        Self::new(template, locations)
    }

    /// The issuer that a root is to itself, before its certificate exists.
    ///
    /// # Errors
    /// [`IssueError::Subject`].
    pub fn self_signed(
        subject: &Subject,
        key: &PublicKey,
        not_before: UnixTime,
        not_after: UnixTime,
    ) -> Result<Self, IssueError> {
        let template = Template {
            name: subject.to_der()?,
            key: key.clone(),
            key_identifier: key.key_identifier().to_vec(),
            validity: (not_before, not_after),
            path_length: None,
            self_signed: true,
        };
        Self::new(template, Locations::default())
    }

    fn new(template: Template, locations: Locations) -> Result<Self, IssueError> {
        locations.check()?;
        let Template { name, key, key_identifier, validity, path_length, self_signed } = template;
        let scheme = key.default_scheme();
        Ok(Self {
            authority_key_identifier: authority_key_identifier(&key_identifier),
            authority_info_access: authority_info_access(&locations),
            crl_distribution_point: locations
                .crl_url(0)
                .filter(|_| locations.crl_shards <= 1)
                .map(|url| crl_distribution_point(&url))
                .unwrap_or_default(),
            name,
            key,
            key_identifier,
            scheme,
            not_before: validity.0,
            not_after: validity.1,
            path_length,
            self_signed,
            locations,
            policy: Arc::new(KeyPolicy::default()),
        })
    }

    /// With another key policy than the default one.
    #[must_use]
    pub fn with_key_policy(self, policy: Arc<KeyPolicy>) -> Self {
        Self { policy, ..self }
    }

    /// Signs by another scheme than the key's default, such as RSASSA-PSS.
    ///
    /// # Errors
    /// [`IssueError::Key`] where the key cannot sign by it.
    pub fn with_scheme(self, scheme: SignatureScheme) -> Result<Self, IssueError> {
        match self.key.verify(scheme, &[], &[]) {
            Err(error @ KeyError::Mismatch { .. }) => Err(error.into()),
            _ => Ok(Self { scheme, ..self }),
        }
    }

    /// Subject of the issuer, in DER.
    pub fn name_der(&self) -> &[u8] {
        &self.name
    }

    /// The issuer's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The issuer's subjectKeyIdentifier.
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// The scheme it signs by.
    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Its first second.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// Its last second.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Where it publishes.
    pub fn locations(&self) -> &Locations {
        &self.locations
    }

    /// Its key policy.
    pub fn key_policy(&self) -> &KeyPolicy {
        &self.policy
    }

    /// Whether it is a root that does not exist yet.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// pathLenConstraint.
    pub(crate) fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    pub(crate) fn authority_info_access(&self) -> &[u8] {
        &self.authority_info_access
    }

    pub(crate) fn authority_key_identifier(&self) -> &[u8] {
        &self.authority_key_identifier
    }

    pub(crate) fn write_crl_distribution_point(&self, serial: &Serial, w: &mut Writer) {
        if self.locations.crl_shards <= 1 {
            w.raw(&self.crl_distribution_point);
        } else if let Some(url) =
            self.locations.crl_url(crl::shard_of(serial, self.locations.crl_shards))
        {
            w.raw(&crl_distribution_point(&url));
        }
    }
}

struct Template {
    name: Vec<u8>,
    key: PublicKey,
    key_identifier: Vec<u8>,
    validity: (UnixTime, UnixTime),
    path_length: Option<u32>,
    self_signed: bool,
}

fn authority_key_identifier(key_identifier: &[u8]) -> Vec<u8> {
    fragment(|w| {
        w.extension(&oid::AUTHORITY_KEY_IDENTIFIER, false, |w| {
            w.sequence(|w| w.tlv(tag::context(0), key_identifier));
        });
    })
}

fn authority_info_access(locations: &Locations) -> Vec<u8> {
    let entries: Vec<_> =
        [(oid::AD_OCSP, &locations.ocsp), (oid::AD_CA_ISSUERS, &locations.ca_issuers)]
            .into_iter()
            .filter_map(|(method, url)| Some((method, url.as_ref()?)))
            .collect();
    if entries.is_empty() {
        return Vec::new();
    }
    fragment(|w| {
        w.extension(&oid::AUTHORITY_INFO_ACCESS, false, |w| {
            w.sequence(|w| {
                for (method, url) in entries {
                    w.sequence(|w| {
                        w.oid(&method);
                        w.tlv(tag::context(6), url.as_bytes());
                    });
                }
            });
        });
    })
}

fn crl_distribution_point(url: &str) -> Vec<u8> {
    fragment(|w| {
        w.extension(&oid::CRL_DISTRIBUTION_POINTS, false, |w| {
            w.sequence(|w| w.sequence(|w| crl::write_distribution_point_name(w, url)));
        });
    })
}

/// Whether `id` is the key's subjectKeyIdentifier by RFC 7093 section 2 method 1, or by RFC 5280
/// section 4.2.1.2 method 1 as CAs elsewhere make it.
pub(crate) fn has_key_identifier(key: &PublicKey, id: &[u8]) -> bool {
    id == key.key_identifier() || id == key.sha1_identifier()
}
