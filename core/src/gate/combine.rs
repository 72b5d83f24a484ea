//! Combinations of gates: a pair, an optional one, several of a kind. Each admits all or nothing.

use super::{Ask, Ending, Gate};
use crate::breaker::Transition;
use crate::circuit::Rejection;
use heapless::Vec;

impl<A: Gate, B: Gate> Gate for (A, B) {
    const BREAKERS: usize = A::BREAKERS.saturating_add(B::BREAKERS);

    type Held = (A::Held, B::Held);

    /// The last first: a breaker that refuses spares a throttle the call.
    #[inline]
    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        self.1.refusal(ask).or_else(|| self.0.refusal(ask))
    }

    #[inline]
    fn take(&self, ask: &Ask) -> Result<(Self::Held, Option<Transition>), Rejection> {
        const { assert!(A::BREAKERS == 0, "the breaker is the last gate of a combination, and the only one") };
        let (first, earlier) = self.0.take(ask)?;
        match self.1.take(ask) {
            Ok((second, later)) => Ok(((first, second), later.or(earlier))),
            Err(rejection) => {
                self.0.undo(ask, first);
                Err(rejection)
            }
        }
    }

    fn undo(&self, ask: &Ask, (first, second): Self::Held) {
        self.1.undo(ask, second);
        self.0.undo(ask, first);
    }

    #[inline]
    fn end(&self, ending: &Ending, (first, second): Self::Held) -> Option<Transition> {
        let later = self.1.end(ending, second);
        self.0.end(ending, first).or(later)
    }
}

impl<G: Gate> Gate for Option<G> {
    const BREAKERS: usize = G::BREAKERS;

    type Held = Option<G::Held>;

    #[inline]
    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        self.as_ref()?.refusal(ask)
    }

    #[inline]
    fn take(&self, ask: &Ask) -> Result<(Self::Held, Option<Transition>), Rejection> {
        let Some(gate) = self else { return Ok((None, None)) };
        let (held, transition) = gate.take(ask)?;
        Ok((Some(held), transition))
    }

    fn undo(&self, ask: &Ask, held: Self::Held) {
        if let (Some(gate), Some(held)) = (self, held) {
            gate.undo(ask, held);
        }
    }

    #[inline]
    fn end(&self, ending: &Ending, held: Self::Held) -> Option<Transition> {
        self.as_ref()?.end(ending, held?)
    }
}

impl<G: Gate, const N: usize> Gate for [G; N] {
    const BREAKERS: usize = G::BREAKERS.saturating_mul(N);

    type Held = Vec<G::Held, N>;

    fn refusal(&self, ask: &Ask) -> Option<Rejection> {
        self.iter().find_map(|gate| gate.refusal(ask))
    }

    fn take(&self, ask: &Ask) -> Result<(Self::Held, Option<Transition>), Rejection> {
        const { assert!(G::BREAKERS.saturating_mul(N) <= 1, "a combination has one breaker at most") };
        let (mut held, mut transition) = (Vec::new(), None);
        for gate in self {
            match gate.take(ask) {
                Ok((one, caused)) => {
                    transition = caused.or(transition);
                    if let Err(one) = held.push(one) {
                        gate.undo(ask, one); // cannot be: there is room for as many as there are gates
                    }
                }
                Err(rejection) => {
                    self.undo(ask, held);
                    return Err(rejection);
                }
            }
        }
        Ok((held, transition))
    }

    fn undo(&self, ask: &Ask, mut held: Self::Held) {
        let taken = held.len();
        for gate in self.iter().take(taken).rev() {
            if let Some(one) = held.pop() {
                gate.undo(ask, one);
            }
        }
    }

    fn end(&self, ending: &Ending, mut held: Self::Held) -> Option<Transition> {
        let mut transition = None;
        for gate in self.iter().rev() {
            if let Some(one) = held.pop() {
                transition = gate.end(ending, one).or(transition);
            }
        }
        transition
    }
}
