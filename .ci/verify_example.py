"""Checks the results of the example: verify_example.py CALLS RESULTS SUMMARY, the first two with one JSON object a line."""

import json
import sys
import time
from pathlib import Path

FIELDS = ("id", "tool", "success", "attempts", "output", "error", "elapsed_ms")
PARTS = ("breaker", "bulkhead", "bucket")
HANGING = "fusebox-example-hang"  # stands in the command line of the example's tool that never ends


def main(calls_path, results_path, summary_path):
    calls = read(calls_path)
    results = read(results_path)  # in finishing order
    for result in results:
        check_result(result)

    tools = {call["id"]: call["tool"] for call in calls}
    check(len(tools) == len(calls), "the calls' ids are unique")
    check(len(results) == len(calls), f"{len(calls)} calls have as many results, not {len(results)}")
    answered = {result["id"]: result["tool"] for result in results}
    check(answered == tools, "every call has one result, with its id and its tool")

    check(any(r["success"] and r["attempts"] > 1 for r in results), "a call succeeded after a retry")
    check("timed_out" in kinds(results), "a call timed out")
    for part in PARTS:
        check(part in refusers(results), f"a {part} refused a call")

    summary = json.loads(Path(summary_path).read_text())
    check(summary["totals"]["lines"] == len(calls), "the summary counts every line")
    recovered = [tool for tool in summary["tools"].values() if has_recovered(tool["transitions"])]
    check(recovered != [], "a breaker opened, went half-open and closed")
    check(not left_running(HANGING), "no process of a call is left running")
    print(f"{len(results)} results are as the README says")


def read(path):
    lines = [line for line in Path(path).read_text().splitlines() if line.strip()]
    objects = [json.loads(line) for line in lines]
    check(objects != [], f"{path} is not empty")
    check(all(isinstance(o, dict) for o in objects), f"every line of {path} is an object")
    return objects


def check_result(result):
    absent = [field for field in FIELDS if field not in result]
    check(not absent, f"a result has the field {absent}: {result}")
    error = result["error"]
    check(isinstance(result["success"], bool), f"success is true or false: {result}")
    check(result["success"] == (error is None), f"a result is a success or has an error: {result}")
    if error is not None and error["kind"] == "rejected":
        check(error.get("by") in PARTS, f"a refusal names the part that refused: {result}")


def kinds(results):
    return {r["error"]["kind"] for r in results if r["error"]}


def refusers(results):
    return [r["error"]["by"] for r in results if r["error"] and r["error"]["kind"] == "rejected"]


def has_recovered(transitions):
    return all(transitions[to] > 0 for to in ("opened", "half_opened", "closed"))


def left_running(marker):
    """Processes with `marker` in their command line; one that was just killed may take a moment to go."""
    for _ in range(20):
        running = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if marker in command_line(path)]
        if not running:
            return []
        time.sleep(0.1)
    return running


def command_line(path):
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # the process has ended
        return ""


def check(holds, expectation):
    if not holds:
        sys.exit(f"expected that {expectation}")


if __name__ == "__main__":
    main(*sys.argv[1:])
