//! What a diagnosis says, counted. Nothing is merged away: what is fulfilled, only claimed, and not
//! answered are three figures, never one.

use crate::{Answer, Day, Diagnosis, Item, ItemId, Layer, Library, Outcome, Phase, named::words};

words! {
    /// Where an item stands on a given day.
    State {
        /// Met, and evidence counts today.
        Met "met" "met" "適合",
        /// Met in words, without evidence.
        Claimed "claimed" "claimed without evidence" "証跡なしの主張",
        /// Met once, and the evidence has run out.
        Expired "expired" "evidence expired" "証跡の期限切れ",
        /// In part.
        Partly "partly" "partly" "一部適合",
        /// Not.
        NotMet "not-met" "not met" "不適合",
        /// Nobody has answered.
        Open "open" "open" "未回答",
        /// Does not concern the product.
        NotApplicable "not-applicable" "not applicable" "対象外",
    }
}

impl State {
    /// Of an answer, `today`.
    pub fn of(answer: Option<&Answer>, today: Day) -> Self {
        let Some(answer) = answer else { return Self::Open };
        match answer.outcome {
            Outcome::NotApplicable => Self::NotApplicable,
            Outcome::NotMet => Self::NotMet,
            Outcome::Partly => Self::Partly,
            Outcome::Met if answer.evidence.is_empty() => Self::Claimed,
            Outcome::Met => {
                let counts = |until: Option<Day>| until.is_none_or(|until| today <= until);
                match answer.evidence.iter().any(|piece| counts(piece.until)) {
                    true => Self::Met,
                    false => Self::Expired,
                }
            }
        }
    }

    /// Whether somebody has something to do.
    pub fn is_gap(self) -> bool {
        !matches!(self, Self::Met | Self::NotApplicable)
    }
}

/// Counted items. Weights are summed, so that an item of weight 5 counts five times one of weight 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// items that concern the product
    pub items: u32,
    /// items that do not
    pub not_applicable: u32,
    /// weight of the items that concern the product
    pub weight: u32,
    /// of it, answered with evidence that counts or with "not met" or "partly"
    pub answered: u32,
    /// of it, met with evidence; half the weight of what is partly met, in halves: twice the weight
    pub fulfilled_halves: u32,
    /// of it, met in words only
    pub claimed: u32,
}

impl Score {
    /// Adds an item.
    pub fn add(&mut self, weight: u8, state: State) {
        if state == State::NotApplicable {
            self.not_applicable += 1;
            return;
        }
        let weight = u32::from(weight);
        self.items += 1;
        self.weight += weight;
        match state {
            State::Met => {
                self.answered += weight;
                self.fulfilled_halves += 2 * weight;
            }
            State::Partly => {
                self.answered += weight;
                self.fulfilled_halves += weight;
            }
            State::NotMet => self.answered += weight,
            State::Claimed => {
                self.answered += weight;
                self.claimed += weight;
            }
            State::Open | State::Expired | State::NotApplicable => {}
        }
    }

    /// Share of the weight that is fulfilled, in per cent, rounded down: 100 only for all of it.
    /// `None` where nothing concerns the product.
    pub fn fulfilled_percent(&self) -> Option<u32> {
        (self.fulfilled_halves * 100).checked_div(2 * self.weight)
    }

    /// Share of the weight that is answered, in per cent, rounded down.
    pub fn answered_percent(&self) -> Option<u32> {
        (self.answered * 100).checked_div(self.weight)
    }

    /// Share of the weight that is claimed without evidence, in per cent, rounded up.
    pub fn claimed_percent(&self) -> Option<u32> {
        (self.claimed * 100 + self.weight.saturating_sub(1)).checked_div(self.weight)
    }
}

/// An item that somebody has to see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// the item
    pub item: ItemId,
    /// where it stands
    pub state: State,
    /// how much it counts
    pub weight: u8,
    /// who sees to it
    pub owner: Option<String>,
    /// until when
    pub due: Option<Day>,
    /// whether that day has passed
    pub overdue: bool,
}

impl Diagnosis {
    /// Where `item` stands `today`, with what collectors found. A feature that the product does not have
    /// answers by itself.
    pub fn state(&self, item: &Item, today: Day) -> State {
        match self.absence(&item.when) {
            Some(_) => State::NotApplicable,
            None => State::of(self.answers.get(&item.id), today)
                .with_checks(self.checks_of(&item.id), today),
        }
    }

    /// The score of some items.
    pub fn score<'a>(&self, items: impl IntoIterator<Item = &'a Item>, today: Day) -> Score {
        let mut score = Score::default();
        for item in items {
            score.add(item.weight, self.state(item, today));
        }
        score
    }

    /// The score of each cell that has items: a heat map.
    pub fn matrix(&self, library: &Library, today: Day) -> Vec<(Layer, Phase, Score)> {
        let mut cells = Vec::new();
        for layer in Layer::ALL {
            for phase in Phase::ALL {
                if library.cell(*layer, *phase).next().is_some() {
                    let score = self.score(library.cell(*layer, *phase), today);
                    cells.push((*layer, *phase, score));
                }
            }
        }
        cells
    }

    /// What is to be done, the heaviest first; of the same weight, in the order of the sheet.
    pub fn gaps(&self, library: &Library, today: Day) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = library
            .items()
            .iter()
            .filter_map(|item| {
                let state = self.state(item, today);
                let answer = self.answers.get(&item.id);
                let due = answer.and_then(|one| one.due);
                state.is_gap().then(|| Gap {
                    item: item.id.clone(),
                    state,
                    weight: item.weight,
                    owner: answer.and_then(|one| one.owner.clone()),
                    due,
                    overdue: due.is_some_and(|due| due < today),
                })
            })
            .collect();
        gaps.sort_by_key(|gap| std::cmp::Reverse(gap.weight));
        gaps
    }
}
