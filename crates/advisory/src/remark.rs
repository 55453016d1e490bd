/// Most remarks kept of one document; further ones are only counted.
pub const REMARKS_MAX: usize = 1_000;

/// Something in a document that was not taken as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// what kind of thing
    pub kind: RemarkKind,
    /// where: a path in the document, such as `components[3].purl`
    pub place: String,
    /// what stands there, and what was done about it
    pub detail: String,
}

/// Kinds of [`Remark`], with stable names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemarkKind {
    /// not readable; left out
    Malformed,
    /// there already; which one counts is said
    Duplicate,
    /// points at what is not there
    Dangling,
    /// readable, but nothing that this crate can use
    NotUsed,
    /// a statement that nobody may make like this; left out
    Refused,
    /// beyond a limit; left out
    TooMuch,
}

impl RemarkKind {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate",
            Self::Dangling => "dangling",
            Self::NotUsed => "not-used",
            Self::Refused => "refused",
            Self::TooMuch => "too-much",
        }
    }
}

/// What was not taken, at most [`REMARKS_MAX`] one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    list: Vec<Remark>,
    dropped: usize,
}

impl Remarks {
    pub(crate) fn add(
        &mut self,
        kind: RemarkKind,
        place: impl AsRef<str>,
        detail: impl AsRef<str>,
    ) {
        if self.list.len() >= REMARKS_MAX {
            self.dropped += 1;
            return;
        }
        let place = crate::text::line(place.as_ref(), 120);
        let detail = crate::text::line(detail.as_ref(), 300);
        self.list.push(Remark { kind, place, detail });
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.dropped += other.dropped;
        for remark in other.list {
            self.add(remark.kind, &remark.place, &remark.detail);
        }
    }

    /// Those that were kept.
    pub fn list(&self) -> &[Remark] {
        &self.list
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
