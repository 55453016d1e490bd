use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses: what begins with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    base: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The network that an address is counted under: /24 of IPv4, /48 of IPv6.
    pub fn network(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self::new(address, 24),
            address @ IpAddr::V6(_) => Self::new(address, 48),
        }
    }

    /// Whoever is likely to be one machine or line: the address of IPv4, /64 of IPv6.
    pub fn line(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self::new(address, 32),
            address @ IpAddr::V6(_) => Self::new(address, 64),
        }
    }

    /// What begins with the first bits of an address.
    pub fn of(address: IpAddr, bits: u8) -> Self {
        let address = address.to_canonical();
        Self::new(address, bits.min(if address.is_ipv4() { 32 } else { 128 }))
    }

    fn new(address: IpAddr, bits: u8) -> Self {
        Self { base: masked(address, bits), bits }
    }

    /// Whether all that begins with another begins with this.
    pub fn covers(&self, other: &Self) -> bool {
        other.bits >= self.bits && self.contains(other.base)
    }

    /// Whether its addresses are of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.base.is_ipv4()
    }

    /// Whether an address begins with it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.bits) == self.base
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::from((u32::from(v4) & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::from((u128::from(v6) & mask).to_be_bytes())
        }
    }
}

impl FromStr for Prefix {
    type Err = ();

    /// `192.0.2.0/24`, `2001:db8::/48`, or one address. Bits beyond the length must be zero: who
    /// writes others means something else.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| ())?)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| ())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        let prefix = Self { base, bits };
        let good = bits <= most && base.to_canonical() == base && masked(base, bits) == base;
        good.then_some(prefix).ok_or(())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == if self.base.is_ipv4() { 32 } else { 128 } {
            return write!(f, "{}", self.base);
        }
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_prefix_is_refused() {
        for wrong in ["", "192.0.2.1/24", "192.0.2.0/33", "::/129", "x", "::ffff:192.0.2.1", "/"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
        let all: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains([1, 2, 3, 4].into()) && !all.contains(IpAddr::from([0_u8; 16])));
        let dressed: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Prefix::network(dressed).to_string(), "192.0.2.0/24");
        assert_eq!(Prefix::line(dressed).to_string(), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn prefixes_come_back(address: IpAddr, other: IpAddr) {
            for prefix in [Prefix::network(address), Prefix::line(address)] {
                prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
                prop_assert!(prefix.contains(address));
                prop_assert!(Prefix::of(address, 8).covers(&prefix) && prefix.covers(&prefix));
                prop_assert_eq!(
                    Prefix::network(other) == Prefix::network(address),
                    Prefix::network(address).contains(other)
                );
            }
        }
    }
}
