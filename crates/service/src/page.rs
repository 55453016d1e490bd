//! Pages by key: the next page begins after the last item of this one, so that long lists cost the
//! same at their end as at their beginning.

use crate::ServiceError;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `next` of the page before; `None` for the first
    pub after: Option<String>,
    /// most items
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

impl Page {
    /// How many items, at least one.
    pub(crate) fn count(&self, most: u32) -> usize {
        usize::try_from(self.limit.clamp(1, most)).unwrap_or(1)
    }

    /// What to answer to a place that the list did not give.
    pub(crate) fn misplaced(&self) -> ServiceError {
        ServiceError::malformed(
            "page",
            "the place to go on from is not one that this list gave; begin again",
        )
    }

    /// Place and count, for lists whose place is a number.
    pub(crate) fn numbered(&self, most: u32) -> Result<(u64, usize), ServiceError> {
        let place = match &self.after {
            None => 0,
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|place| *place < 1 << 62)
                .ok_or_else(|| self.misplaced())?,
        };
        Ok((place, self.count(most)))
    }

    /// The same with the place as SQL takes it.
    pub(crate) fn rows(&self, most: u32) -> Result<(i64, usize), ServiceError> {
        let (place, limit) = self.numbered(most)?;
        Ok((crate::store::to_i64(place), limit))
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// the items
    pub items: Vec<T>,
    /// for the next page; `None` at the end
    pub next: Option<String>,
}

impl<T> Paged<T> {
    /// Cuts off what was read beyond the limit to see whether there is more.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, place: impl FnOnce(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(place);
        Self { items, next }
    }

    /// The same items in another form.
    pub(crate) fn try_map<U>(
        self,
        each: impl FnMut(T) -> Result<U, ServiceError>,
    ) -> Result<Paged<U>, ServiceError> {
        let items = self.items.into_iter().map(each).collect::<Result<_, _>>()?;
        Ok(Paged { items, next: self.next })
    }
}
