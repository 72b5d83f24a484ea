//! The future of a call holds its tool's once: calls within calls would otherwise double at each level, and use up the
//! stack.

mod support;

use core::future::ready;
use core::hint::black_box;
use fusebox::*;
use serde_json::json;
use support::*;

#[test]
fn the_future_of_a_call_holds_its_tools_future_once() {
    const ROOM: usize = 10_000;
    let executor = Executor::new(plain(json!({})));
    let small = executor.call(|_| ready(Ok::<_, ToolError>(())));
    let large = executor.call(async |_| {
        let room = black_box([0_u8; ROOM]);
        tokio::task::yield_now().await;
        Ok::<_, ToolError>(black_box(room).len())
    });
    let held = size_of_val(&large) - size_of_val(&small);
    assert!((ROOM..ROOM * 3 / 2).contains(&held), "{held} bytes for a tool of {ROOM}");
}
