//! `HeldWindow`: a window that is kept elsewhere, and can be exchanged while its breaker lives on.
//!
//! **What an exchange does.** The breaker's own word is not touched: an open breaker stays open, its generation goes on,
//! and tickets of calls under way stay valid. The new window must be new; outcomes enter it from the exchange on, and
//! what the old one held is forgotten.
//!
//! **The race.** A record that found the old window before the exchange enters its outcome there and decides on the counts
//! there: as if it had ended before the exchange. When that trips the breaker, the end of the generation is told to the
//! new window. It may not know of that generation yet, as a new window belongs to generation 0: then it has nothing to
//! forget, and whatever comes to it later restarts it. For the same reason a new window serves a breaker of any
//! generation.

use super::{Mark, Records, Window, WindowCounts};
use crate::time::Instant;
use core::fmt;

/// What keeps a window for a breaker: whoever can exchange it, such as a pointer that is swapped.
pub trait WindowHolder: fmt::Debug + Send + Sync {
    /// The window that it keeps.
    type Window: Window;

    /// Does `work` with the present window. It is called up to three times for a settled call, so it should neither lock
    /// nor wait; windows that it shows one after another may differ.
    fn with<R>(&self, work: impl FnOnce(&Self::Window) -> R) -> R;
}

/// The window of a [`WindowHolder`], as the window of a breaker.
///
/// ```
/// use fusebox_core::*;
/// use std::sync::{Arc, RwLock};
///
/// /// Simple, but it locks; a pointer that is swapped does not.
/// #[derive(Debug)]
/// struct Exchangeable(RwLock<Arc<ChosenWindow>>);
///
/// impl WindowHolder for Exchangeable {
///     type Window = ChosenWindow;
///
///     fn with<R>(&self, work: impl FnOnce(&ChosenWindow) -> R) -> R {
///         let window = Arc::clone(&self.0.read().expect("nobody panics with it"));
///         work(&window)
///     }
/// }
///
/// let holder = Exchangeable(RwLock::new(Arc::new(ChosenWindow::None)));
/// let breaker = Breaker::with_window(HeldWindow::new(holder));
/// let window = ChosenWindow::Count(CountWindow::new(100)?);
/// *breaker.window().holder().0.write().expect("nobody panics with it") = Arc::new(window);
/// # Ok::<(), PolicyError>(())
/// ```
#[derive(Debug)]
pub struct HeldWindow<H> {
    holder: H,
}

impl<H: WindowHolder> HeldWindow<H> {
    /// The window that `holder` keeps.
    pub const fn new(holder: H) -> Self {
        Self { holder }
    }

    /// Who keeps it.
    pub const fn holder(&self) -> &H {
        &self.holder
    }
}

impl<H: WindowHolder> Window for HeldWindow<H> {}

impl<H: WindowHolder> Records for HeldWindow<H> {
    #[inline]
    fn keeps(&self) -> bool {
        self.holder.with(Records::keeps)
    }

    fn capacity(&self) -> u32 {
        self.holder.with(Records::capacity)
    }

    #[inline]
    fn record(
        &self,
        generation: u8,
        mark: Mark,
        now: Instant,
        minimum_calls: u32,
        is_current: impl Fn() -> bool,
    ) -> Option<WindowCounts> {
        self.holder.with(|window| window.record(generation, mark, now, minimum_calls, is_current))
    }

    fn finish(&self, generation: u8) {
        self.holder.with(|window| window.finish(generation));
    }

    fn counts(&self, generation: u8, now: Instant) -> WindowCounts {
        self.holder.with(|window| window.counts(generation, now))
    }

    fn refill(&self, generation: u8, counts: WindowCounts, now: Instant) {
        self.holder.with(|window| window.refill(generation, counts, now));
    }
}
