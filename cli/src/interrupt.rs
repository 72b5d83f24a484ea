//! `Interrupt`: what the signals that end a program mean to a run.

use std::io;
use std::pin::Pin;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Fires on the first signal and again on the second.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    /// The first: no more calls; what runs is cancelled and reported.
    pub(crate) first: CancellationToken,
    /// The second, or SIGQUIT: out, at once.
    pub(crate) second: CancellationToken,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM, SIGHUP and SIGQUIT. One that this process was told to ignore, as by `nohup`,
    /// stays ignored.
    pub(crate) fn listen() -> io::Result<Self> {
        let ignored = ignored_signals();
        let wanted = |kind: &SignalKind| ignored & (1 << (kind.as_raw_value() - 1)) == 0;
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut polite = kinds.into_iter().filter(wanted).map(signal).collect::<io::Result<Vec<_>>>()?;
        let mut quit = [SignalKind::quit()].into_iter().filter(wanted).map(signal).collect::<io::Result<Vec<_>>>()?;
        let interrupt = Self { first: CancellationToken::new(), second: CancellationToken::new() };
        let Self { first, second } = interrupt.clone();
        tokio::spawn(async move {
            let twice = async {
                any(&mut polite).await;
                first.cancel();
                any(&mut polite).await;
            };
            tokio::select! {
                () = twice => {}
                () = any(&mut quit) => {}
            }
            second.cancel();
        });
        Ok(interrupt)
    }
}

async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        let came = signals.iter_mut().any(|signal| Pin::new(signal).poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One bit per signal, from 1, that is ignored; none where the system does not tell.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
