use super::Text;
use fluent_bundle::FluentValue;

/// What can stand in a text. Numbers stay numbers, so that plurals work.
pub trait Argument {
    /// As Fluent takes it.
    fn value(self) -> FluentValue<'static>;
}

macro_rules! numbers {
    ($($kind:ty),+) => { $(
        impl Argument for $kind {
            fn value(self) -> FluentValue<'static> {
                FluentValue::from(self)
            }
        }
    )+ };
}

numbers!(u8, u16, u32, u64, usize, i32, i64);

impl Argument for &str {
    fn value(self) -> FluentValue<'static> {
        FluentValue::from(self.to_owned())
    }
}

impl Argument for String {
    fn value(self) -> FluentValue<'static> {
        FluentValue::from(self)
    }
}

impl Argument for Text<'_> {
    fn value(self) -> FluentValue<'static> {
        FluentValue::from(self.to_string())
    }
}

impl<T: Argument + Clone> Argument for &T {
    fn value(self) -> FluentValue<'static> {
        self.clone().value()
    }
}
