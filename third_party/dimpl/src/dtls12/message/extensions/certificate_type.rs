use crate::buffer::Buf;
use arrayvec::ArrayVec;
use nom::bytes::complete::take;
use nom::error::{Error, ErrorKind};
use nom::{Err, IResult, number::complete::be_u8};

/// What a Certificate message holds (RFC 7250 section 3), negotiated for each side by
/// the extensions client_certificate_type and server_certificate_type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateType {
    /// A list of X.509 certificates.
    #[default]
    X509 = 0,
    /// One SubjectPublicKeyInfo.
    RawPublicKey = 2,
}

/// The types in a ClientHello that are known here, each once, by the client's preference.
pub type CertificateTypes = ArrayVec<CertificateType, 2>;

impl CertificateType {
    fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::X509),
            2 => Some(Self::RawPublicKey),
            _ => None,
        }
    }

    /// Parse the list in a ClientHello: `CertificateType types<1..2^8-1>`.
    pub fn parse_offered(input: &[u8]) -> IResult<&[u8], CertificateTypes> {
        let (rest, len) = be_u8(input)?;
        let (rest, values) = take(len)(rest)?;
        if values.is_empty() || !rest.is_empty() {
            return Err(Err::Failure(Error::new(input, ErrorKind::LengthValue)));
        }
        let mut types = CertificateTypes::new();
        for known in values.iter().filter_map(|value| Self::from_u8(*value)) {
            if !types.contains(&known) {
                types.push(known);
            }
        }
        Ok((rest, types))
    }

    /// Parse the one type in a ServerHello.
    pub fn parse_selected(input: &[u8]) -> IResult<&[u8], CertificateType> {
        let (rest, value) = be_u8(input)?;
        match Self::from_u8(value) {
            Some(selected) if rest.is_empty() => Ok((rest, selected)),
            _ => Err(Err::Failure(Error::new(input, ErrorKind::LengthValue))),
        }
    }

    /// Serialize the list of a client that also has, or also takes, raw public keys.
    pub fn serialize_offered(output: &mut Buf) {
        output.extend_from_slice(&[2, Self::RawPublicKey as u8, Self::X509 as u8]);
    }

    /// Choose for a ServerHello (RFC 7250 section 4.2): the first of the client's types that may be,
    /// `None` where the client says nothing, and X.509 is used without a word.
    ///
    /// `Err` where there is no type in common.
    #[allow(clippy::result_unit_err)]
    pub fn select(offered: Option<&CertificateTypes>, raw: bool) -> Result<Option<Self>, ()> {
        let Some(offered) = offered else {
            return Ok(None);
        };
        let chosen = offered.iter().find(|it| raw || **it == Self::X509);
        chosen.map(|it| Some(*it)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_with_their_limits() {
        let offered = |bytes: &[u8]| CertificateType::parse_offered(bytes).map(|it| it.1);
        let both = offered(&[4, 2, 0, 2, 9]).unwrap();
        assert_eq!(
            both.as_slice(),
            [CertificateType::RawPublicKey, CertificateType::X509]
        );
        assert!(offered(&[1, 1]).unwrap().is_empty());
        for wrong in [&[][..], &[0], &[2, 0], &[1, 0, 0]] {
            assert!(offered(wrong).is_err(), "{wrong:?}");
        }
        for wrong in [&[][..], &[1], &[0, 0]] {
            assert!(CertificateType::parse_selected(wrong).is_err(), "{wrong:?}");
        }
    }
}
