//! Object identifiers, named as their standards name them.

use const_oid::ObjectIdentifier as Oid;

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $oid:literal;)*) => {
        $($(#[$doc])* pub const $name: Oid = Oid::new_unwrap($oid);)*
    };
}

oids! {
    /// subjectDirectoryAttributes
    SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9";
    /// subjectKeyIdentifier
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    /// keyUsage
    KEY_USAGE = "2.5.29.15";
    /// subjectAltName
    SUBJECT_ALT_NAME = "2.5.29.17";
    /// issuerAltName
    ISSUER_ALT_NAME = "2.5.29.18";
    /// basicConstraints
    BASIC_CONSTRAINTS = "2.5.29.19";
    /// nameConstraints
    NAME_CONSTRAINTS = "2.5.29.30";
    /// cRLDistributionPoints
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    /// certificatePolicies
    CERTIFICATE_POLICIES = "2.5.29.32";
    /// anyPolicy
    ANY_POLICY = "2.5.29.32.0";
    /// policyMappings
    POLICY_MAPPINGS = "2.5.29.33";
    /// authorityKeyIdentifier
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    /// policyConstraints
    POLICY_CONSTRAINTS = "2.5.29.36";
    /// extKeyUsage
    EXT_KEY_USAGE = "2.5.29.37";
    /// anyExtendedKeyUsage
    ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0";
    /// freshestCRL
    FRESHEST_CRL = "2.5.29.46";
    /// inhibitAnyPolicy
    INHIBIT_ANY_POLICY = "2.5.29.54";
    /// authorityInfoAccess
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    /// id-pe-mud-url (RFC 8520)
    PE_MUD_URL = "1.3.6.1.5.5.7.1.25";
    /// id-pe-mudsigner (RFC 8520)
    PE_MUD_SIGNER = "1.3.6.1.5.5.7.1.30";
    /// subjectInfoAccess
    SUBJECT_INFO_ACCESS = "1.3.6.1.5.5.7.1.11";
    /// id-ad-ocsp
    AD_OCSP = "1.3.6.1.5.5.7.48.1";
    /// id-ad-caIssuers
    AD_CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    /// id-pkix-ocsp-nocheck
    OCSP_NOCHECK = "1.3.6.1.5.5.7.48.1.5";
    /// id-kp-serverAuth
    KP_SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
    /// id-kp-clientAuth
    KP_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    /// id-kp-codeSigning
    KP_CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
    /// id-kp-emailProtection
    KP_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
    /// id-kp-OCSPSigning
    KP_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
    /// id-kp-cmcRA (RFC 6402)
    KP_CMC_RA = "1.3.6.1.5.5.7.3.28";
    /// id-on-hardwareModuleName (RFC 4108)
    ON_HARDWARE_MODULE_NAME = "1.3.6.1.5.5.7.8.4";
    /// id-on-SmtpUTF8Mailbox (RFC 9598)
    ON_SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9";
    /// commonName
    COMMON_NAME = "2.5.4.3";
    /// serialNumber
    SERIAL_NUMBER = "2.5.4.5";
    /// countryName
    COUNTRY_NAME = "2.5.4.6";
    /// localityName
    LOCALITY_NAME = "2.5.4.7";
    /// stateOrProvinceName
    STATE_OR_PROVINCE_NAME = "2.5.4.8";
    /// streetAddress
    STREET_ADDRESS = "2.5.4.9";
    /// organizationName
    ORGANIZATION_NAME = "2.5.4.10";
    /// organizationalUnitName
    ORGANIZATIONAL_UNIT_NAME = "2.5.4.11";
    /// userId
    USER_ID = "0.9.2342.19200300.100.1.1";
    /// domainComponent
    DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25";
    /// emailAddress (PKCS #9)
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1";
    /// tcg-dice-TcbInfo
    TCG_DICE_TCB_INFO = "2.23.133.5.4.1";
    /// tcg-dice-Ueid
    TCG_DICE_UEID = "2.23.133.5.4.4";
    /// tcg-dice-MultiTcbInfo
    TCG_DICE_MULTI_TCB_INFO = "2.23.133.5.4.5";
    /// tcg-dice-conceptual-message-wrapper
    TCG_DICE_CONCEPTUAL_MESSAGE = "2.23.133.5.4.9";
}
