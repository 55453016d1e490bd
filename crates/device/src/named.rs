/// Declares an enumeration whose variants have a stable number (in CBOR) and a stable name (in
/// text). Numbers and names are never given to another variant.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $what:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every variant, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable number, as CBOR carries it.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The variant of a number.
            pub fn from_code(code: u64) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The stable name, as texts and the API carry it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::IdError;
            fn from_str(text: &str) -> Result<Self, crate::IdError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(crate::IdError::UnknownName {
                        what: $what,
                        names: concat!($("", $text, " "),+).trim_end(),
                    }),
                }
            }
        }
    };
}

pub(crate) use named;
