/// A value whose signature has been checked. Only code that has checked it makes one, and names
/// the act [`Verified::assertion`], so that one search finds every claim (invariant 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Claims that `value` has been verified.
    pub fn assertion(value: T) -> Self {
        Self(value)
    }

    /// The verified value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
