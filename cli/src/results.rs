//! `Results`: the results on stdout, written line by line by a thread of their own.

use crate::outcome::Outcome;
use std::io::{self, BufWriter, Write};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Where the calls put their results.
#[derive(Debug)]
pub(crate) struct Results {
    sender: mpsc::Sender<Outcome>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Results {
    /// Starts to write. `around` is called with every piece of writing, to make room for it on a terminal; `broken` is
    /// called when writing fails, after which results are dropped.
    pub(crate) fn write_to(
        output: impl Write + Send + 'static,
        around: impl Fn(&mut dyn FnMut()) + Send + 'static,
        broken: impl Fn() + Send + 'static,
    ) -> Self {
        const WAITING: usize = 64;
        let (sender, receiver) = mpsc::channel(WAITING);
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let written = write_all(receiver, BufWriter::new(output), around, broken);
            let _ = end.send(written); // fails only when nobody wants to know
        });
        Self { sender, ended }
    }

    /// Where to put a result. Waits for a slow reader.
    pub(crate) fn sender(&self) -> mpsc::Sender<Outcome> {
        self.sender.clone()
    }

    /// Waits until every result is written; all other senders must be gone.
    pub(crate) async fn finish(self) -> io::Result<()> {
        drop(self.sender);
        self.ended.await.unwrap_or_else(|_| Err(io::Error::other("the thread that writes results has died")))
    }
}

fn write_all(
    mut outcomes: mpsc::Receiver<Outcome>,
    mut output: impl Write,
    around: impl Fn(&mut dyn FnMut()),
    broken: impl Fn(),
) -> io::Result<()> {
    while let Some(first) = outcomes.blocking_recv() {
        let mut written = Ok(());
        around(&mut || written = write_ready(&first, &mut outcomes, &mut output));
        if written.is_err() {
            broken();
            while outcomes.blocking_recv().is_some() {}
            return written;
        }
    }
    Ok(())
}

/// Writes one outcome and those that wait behind it, so that a burst costs one write and a single one is seen at once.
fn write_ready(first: &Outcome, outcomes: &mut mpsc::Receiver<Outcome>, output: &mut impl Write) -> io::Result<()> {
    write_line(first, output)?;
    while let Ok(outcome) = outcomes.try_recv() {
        write_line(&outcome, output)?;
    }
    output.flush()
}

fn write_line(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, outcome)?;
    output.write_all(b"\n")
}
