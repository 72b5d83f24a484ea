// Runs the core as a wasm module: node --test run.mjs, with the module's path in FUSEBOX_WASM.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const SECOND = 1_000_000_000n;
const LAST = 2n ** 64n - 1n; // the end of the clock
const [CLOSED, OPEN, HALF_OPEN] = [0, 1, 2];
const module = new WebAssembly.Module(readFileSync(process.env.FUSEBOX_WASM));

// A new instance has new statics.
const fresh = () => new WebAssembly.Instance(module).exports;

function call(core, now, succeeded) {
  assert.equal(core.admit(now), 0n);
  return core.settle(now, succeeded);
}

function tripped(now) {
  const core = fresh();
  assert.deepEqual([false, false, false].map((succeeded) => call(core, now, succeeded)), [0, 0, 1]);
  return core;
}

test("the module needs nothing of its host", () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

test("a breaker trips, waits, sends one probe and closes", () => {
  const core = tripped(0n);
  assert.equal(core.state(0n), OPEN);
  assert.equal(core.admit(0n), SECOND);
  assert.equal(core.admit(SECOND - 1n), 1n);
  assert.equal(core.admit(SECOND), 0n, "the probe");
  assert.equal(core.state(SECOND), HALF_OPEN);
  assert.equal(core.admit(SECOND), -1n, "one probe is out already");
  assert.equal(core.settle(SECOND, true), 1);
  assert.equal(core.state(SECOND), CLOSED);
  assert.equal(call(core, SECOND, true), 0);
});

test("a probe that fails opens the breaker for twice as long", () => {
  const core = tripped(0n);
  assert.equal(core.admit(SECOND), 0n);
  assert.equal(core.settle(SECOND, false), 1);
  assert.ok(near(core.admit(SECOND), 2n * SECOND));
});

test("a bucket admits its burst and then its rate, to the nanosecond", () => {
  const core = fresh();
  for (let token = 0; token < 10; token++) assert.equal(core.take(0n, 1000n), 0n);
  assert.equal(core.take(0n, 1000n), SECOND / 2n);
  assert.equal(core.take(SECOND / 2n - 1n, 1000n), 1n);
  assert.equal(core.take(SECOND / 2n, 1000n), 0n);
  assert.equal(core.take(SECOND / 2n, 1n), SECOND / 2000n, "thousandths of a token count");
  assert.equal(core.take(SECOND, 10_001n), -1n, "more than the burst never fits");

  let admitted = 0n;
  const [from, length, step] = [SECOND, 1000n * SECOND, 7_654_321n];
  for (let now = from; now < from + length; now += step) if (core.take(now, 1000n) === 0n) admitted++;
  assert.equal(admitted, 2n * 1000n, "two a second for 1000 s");
});

test("any order of times traps nothing, and everything recovers", () => {
  const core = tripped(LAST);
  const times = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 63n, LAST - 1n, LAST];
  let random = 1n;
  for (let i = 0; i < 50_000; i++) {
    random = BigInt.asUintN(64, random * 6364136223846793005n + 1442695040888963407n);
    const now = i % 2 ? times[Number(random >> 61n)] : random;
    if (core.admit(now) === 0n && i % 3) core.settle(now, random % 5n === 0n);
    core.take(now, random >> 50n);
    assert.ok(BigInt.asUintN(64, core.level(now)) <= 10_000n);
  }
  // a clock that went back costs one wait at most, or the lease of a probe: 120 s and 30 s by default
  core.admit(0n);
  const later = 121n * SECOND;
  if (core.state(later) !== CLOSED) assert.equal(core.admit(later), 0n);
  core.settle(later, true);
  assert.equal(core.state(later), CLOSED);
  core.take(0n, 10_000n);
  assert.equal(core.take(20n * SECOND, 10_000n), 0n);
});

// Waits are kept in ticks of 32.8 us.
const near = (wait, expected) => expected - 32_768n <= wait && wait <= expected;
