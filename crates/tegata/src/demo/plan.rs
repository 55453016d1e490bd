//! What the lives of the fleet have in store.

use crate::demo::people::{Line, Who};
use device::Build;

/// How a device gets into its owner's domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// its owner imported a purchase list
    PurchaseList,
    /// its owner released a one-time code
    Code,
    /// its owner reported it onboarded
    Onboarded,
}

/// What is left of a device at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// lies in distribution; nobody onboarded it
    Shelved,
    /// works
    Works,
    /// out of use for good
    Retired,
    /// destroyed on record
    Disposed,
}

/// How a life goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) line: Line,
    pub(super) build: Build,
    pub(super) owner: Who,
    pub(super) admission: Admission,
    pub(super) renewed: bool,
    pub(super) repaired: bool,
    pub(super) sold_again: bool,
    pub(super) fate: Fate,
}

impl Plan {
    /// A device to which nothing happens but work.
    pub(super) const PLAIN: Self = Self {
        line: Line::Gate,
        build: Build::MassProduction,
        owner: Who::Kawa,
        admission: Admission::Onboarded,
        renewed: false,
        repaired: false,
        sold_again: false,
        fate: Fate::Works,
    };

    /// The life of the genuine device with this number: every share of the fleet differs.
    pub(super) fn of(number: usize) -> Self {
        let fate = match number % 20 {
            7 | 17 => Fate::Disposed,
            9 => Fate::Retired,
            _ => Fate::Works,
        };
        Self {
            owner: if number.is_multiple_of(2) { Who::Kawa } else { Who::Hoshi },
            admission: match number % 3 {
                0 => Admission::PurchaseList,
                1 => Admission::Code,
                _ => Admission::Onboarded,
            },
            renewed: number % 4 == 1,
            repaired: number % 5 == 2,
            sold_again: number % 10 == 3,
            fate,
            ..Self::PLAIN
        }
    }

    /// Who buys it, where it is sold again.
    pub(super) fn next_owner(&self) -> Who {
        if self.owner == Who::Kawa { Who::Hoshi } else { Who::Kawa }
    }

    /// What happens to it, in words.
    pub(super) fn story(&self) -> String {
        let mut words = vec![match self.admission {
            Admission::PurchaseList => "bought by list",
            Admission::Code => "one-time code",
            Admission::Onboarded => "onboarded",
        }];
        for (is, word) in [
            (self.renewed, "renewed"),
            (self.repaired, "part exchanged"),
            (self.sold_again, "sold again"),
            (self.fate == Fate::Shelved, "never onboarded"),
            (matches!(self.fate, Fate::Retired), "retired"),
            (matches!(self.fate, Fate::Disposed), "retired, disposed of"),
        ] {
            if is {
                words.push(word);
            }
        }
        words.join(", ")
    }
}
