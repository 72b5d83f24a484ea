//! `Chain`: the transitions that a breaker's callers were told, put in their order: B6, every transition is reported
//! once, to one caller.
//!
//! The generation numbers them. A ticket of the admission that caused a transition bears the new generation, the ticket
//! whose outcome caused one bears the old one. Only `force` and `reset` come without a ticket. As long as a round ends
//! before the generation wraps, each transition has its place.

use fusebox_core::{BreakerSnapshot, State, Transition};
use std::sync::atomic::{AtomicU32, Ordering};

/// No more transitions than this, and the few that are on their way: a generation wraps after 256.
const MOST: u32 = 200;

/// Counts the transitions of a round while it runs, so that its generation does not wrap.
#[derive(Debug, Default)]
pub(super) struct Chain(AtomicU32);

/// A transition, and the generation that it began where that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) began: Option<u8>,
    /// `None` where a breaker that was closed already was reset, which begins a generation too.
    pub(super) transition: Option<Transition>,
}

impl Chain {
    /// Whether the round is to end.
    pub(super) fn is_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MOST
    }

    pub(super) fn link(&self, began: Option<u8>, transition: Option<Transition>) -> Link {
        self.0.fetch_add(1, Ordering::Relaxed);
        Link { began, transition }
    }

    /// Checks that the links lead from a new breaker to `end`.
    ///
    /// `snapshot` is what the breaker shows when all its callers have come back.
    pub(super) fn check(links: &[Link], end: &BreakerSnapshot) {
        assert_eq!(links.len(), usize::from(end.generation), "B6: one report for each generation: {links:?}");
        let mut places: Vec<Option<Transition>> = vec![None; links.len() + 1];
        for link in links {
            if let (Some(began), Some(transition)) = (link.began, link.transition) {
                let place = &mut places[usize::from(began)];
                assert_eq!(*place, None, "B6: generation {began} was reported twice");
                *place = Some(transition);
            }
        }
        for (generation, pair) in places.windows(2).enumerate() {
            if let [Some(before), Some(after)] = pair {
                assert_eq!(before.to, after.from, "B6: the transition to generation {}", generation + 1);
            }
        }
        // each state is left as often as it is entered, but for the ends of the chain
        for state in [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed] {
            let count = |of: fn(&Transition) -> State| {
                links.iter().filter_map(|link| link.transition).filter(|transition| of(transition) == state).count()
            };
            let (begins, ends) = (usize::from(state == State::Closed), usize::from(state == end.state));
            assert_eq!(begins + count(|it| it.to), ends + count(|it| it.from), "B6: {state:?} in {links:?}");
        }
    }
}
