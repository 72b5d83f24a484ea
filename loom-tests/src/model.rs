//! `Model`: one primitive, as its pure steps and as it is shared between threads.

use core::fmt::Debug;

/// A primitive under fixed policies.
pub trait Model: Debug + Send + Sized + Sync + 'static {
    /// All words of the primitive, decoded.
    type State: Clone + Debug + PartialEq + Send + Sync;
    /// One call on the primitive, with all of its arguments.
    type Op: Copy + Debug + PartialEq + Send + Sync;
    /// What a call returns.
    type Verdict: Clone + Debug + PartialEq + Send;
    /// What a thread remembers between pure steps: stamps for what it was given, and how far an operation has come.
    type Memory: Clone + Debug + Default + PartialEq;
    /// The primitive as it is shipped.
    type Shared: Debug + Send + Sync;
    /// What a thread of the shared primitive holds: tickets.
    type Tickets: Default + Send;

    /// Where programs start.
    fn starts(&self) -> Vec<StartOf<Self>>;

    /// What threads do.
    fn ops(&self) -> Vec<Self::Op>;

    /// Makes the next pure step of `op`, one access to a word, and returns the verdict of the last one.
    fn step(&self, state: &mut Self::State, memory: &mut Self::Memory, op: Self::Op) -> Option<Self::Verdict>;

    /// The verdict of an operation that has nothing to work on, such as settling without a ticket. Programs in which an
    /// operation always ends so are left out: a shorter one says the same.
    fn nothing() -> Self::Verdict;

    /// The shared primitive in `state`.
    fn shared(&self, state: &Self::State) -> Self::Shared;

    /// Makes the call.
    fn run(&self, shared: &Self::Shared, tickets: &mut Self::Tickets, op: Self::Op) -> Self::Verdict;

    /// The state of the shared primitive when all calls are done.
    fn state(&self, shared: &Self::Shared) -> Self::State;

    /// Demands the invariants of an operation that the pure steps have made, without asking them: equal outcomes cannot
    /// show what is wrong on both sides.
    ///
    /// # Panics
    /// When one does not hold.
    fn check_made(&self, _made: &Made<'_, Self>) {}

    /// Demands the invariants of what the threads of one execution were told, and of the state that remained.
    ///
    /// # Panics
    /// When one does not hold.
    fn check_told(&self, _start: &StartOf<Self>, _told: &[ToldOf<Self>], _state: &Self::State) {}
}

/// An operation that the pure steps have made.
#[derive(Debug)]
pub struct Made<'a, M: Model> {
    /// The operation.
    pub op: M::Op,
    /// The state before its last step.
    pub before: &'a M::State,
    /// What its thread remembered then.
    pub remembered: &'a M::Memory,
    /// What it returned.
    pub verdict: &'a M::Verdict,
    /// The state after it.
    pub after: &'a M::State,
    /// What each thread remembers after it.
    pub memories: Vec<&'a M::Memory>,
}

/// Where a program starts.
#[derive(Clone, Debug)]
pub struct Start<S, O> {
    /// A name for messages.
    pub name: &'static str,
    /// The state.
    pub state: S,
    /// What each thread did before, one after another: how it comes to hold tickets. Threads beyond did nothing.
    pub before: Vec<Vec<O>>,
}

/// What each thread does, from a start.
#[derive(Clone, Debug)]
pub struct Program<S, O> {
    /// Where it starts.
    pub start: Start<S, O>,
    /// The operations of each thread.
    pub threads: Vec<Vec<O>>,
}

/// What a program's threads were told, each in its order, and the state that remained.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<S, V> {
    /// The verdicts of each thread.
    pub verdicts: Vec<Vec<V>>,
    /// The state at the end.
    pub state: S,
}

/// A start of a model.
pub type StartOf<M> = Start<<M as Model>::State, <M as Model>::Op>;
/// A program of a model.
pub type ProgramOf<M> = Program<<M as Model>::State, <M as Model>::Op>;
/// What one thread of a model did and was told, from before the start on.
pub type ToldOf<M> = Vec<(<M as Model>::Op, <M as Model>::Verdict)>;
/// An outcome of a model.
pub type OutcomeOf<M> = Outcome<<M as Model>::State, <M as Model>::Verdict>;
