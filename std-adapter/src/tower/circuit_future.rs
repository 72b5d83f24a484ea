//! `CircuitFuture`: the response of a service behind a circuit.

use super::judge::Judge;
use super::reservation::Reservation;
use crate::{CallError, Refusal};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// The response of a [`CircuitService`](super::CircuitService). Dropped before its end, the call is settled as
    /// cancelled; a panic of the service counts as a failure, and goes on.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct CircuitFuture<F, J> {
        #[pin]
        state: State<F, J>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F, J> {
        Calling { #[pin] future: F, reservation: Option<Reservation>, judge: J },
        Refused { refusal: Refusal },
    }
}

impl<F, J> CircuitFuture<F, J> {
    pub(super) const fn calling(future: F, reservation: Reservation, judge: J) -> Self {
        Self { state: State::Calling { future, reservation: Some(reservation), judge } }
    }

    pub(super) const fn refused(refusal: Refusal) -> Self {
        Self { state: State::Refused { refusal } }
    }
}

impl<F, J, T, E> Future for CircuitFuture<F, J>
where
    F: Future<Output = Result<T, E>>,
    J: Judge<T, E>,
{
    type Output = Result<T, CallError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, reservation, judge) = match self.project().state.project() {
            StateProjection::Calling { future, reservation, judge } => (future, reservation, judge),
            StateProjection::Refused { refusal } => return Poll::Ready(Err(CallError::Rejected(refusal.clone()))),
        };
        let poll = || future.poll(cx).map(|result| (judge.judge(result.as_ref()), result));
        let (verdict, result) = ready!(match reservation {
            Some(reservation) => reservation.watch(poll),
            None => poll(),
        });
        if let Some(reservation) = reservation.take() {
            reservation.settle(verdict);
        }
        Poll::Ready(result.map_err(CallError::Failed))
    }
}
