use super::*;
use crate::telemetry::event::EventKind;
use core::pin::pin;
use core::task::Waker;
use core::time::Duration;
use fusebox_core::Instant;
use futures_util::StreamExt;

/// An event that can be told from others.
fn event(number: u64) -> Event {
    Event { at: Instant::from_nanos(number), tool: None, key: None, kind: EventKind::ConfigApplied }
}

fn tell(subscribers: &Subscribers, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| subscribers.tell(|| event(number)));
}

/// What a stream yields until its end, or until it would have to wait: `Ok` is an event's number.
fn drain(stream: &mut EventStream) -> Vec<Result<u64, u64>> {
    let mut seen = Vec::new();
    while let Poll::Ready(Some(next)) = poll(stream) {
        seen.push(next.map(|event| event.at.as_nanos()).map_err(|Missed(missed)| missed));
    }
    seen
}

fn poll(stream: &mut EventStream) -> Poll<Option<Result<Event, Missed>>> {
    pin!(stream.next()).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn every_subscriber_sees_every_event_in_order() {
    let subscribers = Arc::<Subscribers>::default();
    let mut first = subscribers.subscribe(8);
    tell(&subscribers, 0..2);
    let mut second = subscribers.subscribe(8);
    tell(&subscribers, 2..4);
    assert_eq!(drain(&mut first), [Ok(0), Ok(1), Ok(2), Ok(3)]);
    assert_eq!(drain(&mut second), [Ok(2), Ok(3)]);
}

#[test]
fn a_full_queue_misses_events_and_says_so_where_the_gap_is() {
    let subscribers = Arc::<Subscribers>::default();
    let mut stream = subscribers.subscribe(2);
    tell(&subscribers, 0..5); // 2, 3 and 4 find it full
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(Ok(_)))));
    tell(&subscribers, 5..7); // 5 finds room, 6 does not
    assert_eq!(drain(&mut stream), [Ok(1), Err(3), Ok(5), Err(1)]);
    tell(&subscribers, 7..8);
    assert_eq!(drain(&mut stream), [Ok(7)]);
}

#[test]
fn a_slow_subscriber_costs_the_others_nothing() {
    let subscribers = Arc::<Subscribers>::default();
    let (mut slow, mut quick) = (subscribers.subscribe(1), subscribers.subscribe(100));
    tell(&subscribers, 0..100);
    assert_eq!(drain(&mut quick), (0..100).map(Ok).collect::<Vec<_>>());
    assert_eq!(drain(&mut slow), [Ok(0), Err(99)]);
}

#[test]
fn without_a_subscriber_no_event_is_made() {
    let subscribers = Arc::<Subscribers>::default();
    subscribers.tell(|| panic!("nobody listens"));
    drop(subscribers.subscribe(1));
    subscribers.tell(|| panic!("nobody listens any more"));
}

#[test]
fn dropping_a_stream_unsubscribes_it_alone() {
    let subscribers = Arc::<Subscribers>::default();
    let (mut stays, goes) = (subscribers.subscribe(4), subscribers.subscribe(4));
    drop(goes);
    assert_eq!(subscribers.list.load().len(), 1);
    tell(&subscribers, 0..1);
    assert_eq!(drain(&mut stays), [Ok(0)]);
}

#[test]
fn a_stream_ends_after_its_last_event_when_nobody_is_left_to_tell() {
    let subscribers = Arc::<Subscribers>::default();
    let mut stream = subscribers.subscribe(1);
    tell(&subscribers, 0..3);
    drop(subscribers);
    assert_eq!(drain(&mut stream), [Ok(0), Err(2)]);
    assert_eq!(poll(&mut stream), Poll::Ready(None));
}

#[test]
fn a_capacity_out_of_range_is_brought_into_it() {
    let subscribers = Arc::<Subscribers>::default();
    let (mut none, mut most) = (subscribers.subscribe(0), subscribers.subscribe(usize::MAX));
    tell(&subscribers, 0..2);
    assert_eq!(drain(&mut none), [Ok(0), Err(1)]);
    assert_eq!(drain(&mut most), [Ok(0), Ok(1)]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_wait_for_an_event_loses_none() {
    let subscribers = Arc::<Subscribers>::default();
    let mut stream = subscribers.subscribe(1);
    let waited = tokio::time::timeout(Duration::from_secs(1), stream.next()).await;
    assert!(waited.is_err(), "there is no event yet");
    tell(&subscribers, 0..2);
    assert_eq!(stream.next().await, Some(Ok(event(0))));
    drop(stream.next());
    assert_eq!(stream.next().await, Some(Err(Missed(1))));
}

#[tokio::test]
async fn an_event_wakes_the_subscriber_who_waits() {
    let subscribers = Arc::<Subscribers>::default();
    let mut stream = subscribers.subscribe(1);
    let waiting = tokio::spawn(async move { stream.next().await });
    tokio::task::yield_now().await;
    tell(&subscribers, 7..8);
    assert_eq!(waiting.await.unwrap(), Some(Ok(event(7))));
}

#[tokio::test]
async fn a_gap_is_reported_in_its_place_also_when_tokio_has_others_go_first() {
    let subscribers = Arc::<Subscribers>::default();
    let stream = subscribers.subscribe(1_000);
    tell(&subscribers, 0..1_500);
    drop(subscribers);
    let seen: Vec<_> = tokio::spawn(stream.collect()).await.unwrap();
    let mut expected: Vec<_> = (0..1_000).map(|number| Ok(event(number))).collect();
    expected.push(Err(Missed(500)));
    assert_eq!(seen, expected);
}

#[test]
fn each_event_is_seen_or_missed_when_threads_tell_at_once() {
    const EACH: u64 = 20_000;
    let subscribers = Arc::<Subscribers>::default();
    let mut stream = subscribers.subscribe(64);
    let tellers = [0, 1, 2].map(|teller| {
        let subscribers = Arc::clone(&subscribers);
        std::thread::spawn(move || tell(&subscribers, (0..EACH).map(|number| teller * EACH + number)))
    });
    drop(subscribers);
    let (mut seen, mut missed, mut latest) = (0, 0, [None; 3]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    while let Some(next) = runtime.block_on(stream.next()) {
        match next {
            Err(Missed(number)) => missed += number,
            Ok(event) => {
                let number = event.at.as_nanos();
                let before = latest[usize::try_from(number / EACH).unwrap()].replace(number);
                assert!(before < Some(number), "{number} came after {before:?}");
                seen += 1;
            }
        }
    }
    for teller in tellers {
        teller.join().unwrap();
    }
    assert_eq!(seen + missed, 3 * EACH);
}
