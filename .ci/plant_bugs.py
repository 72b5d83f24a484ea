"""Plants known bugs in a copy of the sources and runs verifiers on it: plant_bugs.py FOLDER [--matrix] [NAME...]."""

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

CATALOGUE = Path("mutants/catalogue.toml")
DOCUMENT = Path("docs/MUTATION.md")
BEGIN, END = "<!-- begin: written by .ci/mutation --matrix -->\n", "<!-- end -->\n"
LIMIT = 300  # seconds; a verifier that a bug keeps from ending has noticed it


def main(folder, *arguments):
    matrix = "--matrix" in arguments
    wanted = [argument for argument in arguments if argument != "--matrix"]
    catalogue = tomllib.loads(CATALOGUE.read_text())
    bugs = [bug for bug in catalogue["bug"] if not wanted or bug["name"] in wanted]
    check(bugs != [], f"{CATALOGUE} has a bug of that name")
    first = {bug["caught_by"][0] for bug in bugs}
    used = [verifier for verifier in catalogue["verifier"] if matrix or verifier["name"] in first]
    copy = Copy(Path(folder))

    for verifier in used:
        check(builds(copy, verifier), f"the unchanged sources build for {verifier['name']}")
        failed = failed_test(copy, verifier)
        check(failed is None, f"the unchanged sources pass {verifier['name']}, but {failed} fails")
    print(f"the unchanged sources pass: {', '.join(verifier['name'] for verifier in used)}", flush=True)

    rows = [(bug, noticed(copy, bug, used, matrix)) for bug in bugs]
    if matrix:
        write(used, rows)
    due = [(bug["name"], name, by) for bug, by in rows for name in bug["caught_by"][: None if matrix else 1]]
    missed = [f"{bug} ({name})" for bug, name, by in due if name not in by]
    check(missed == [], f"the verifiers notice what they should, but not: {', '.join(missed)}")
    print(f"all {len(bugs)} bugs were noticed")


def noticed(copy, bug, verifiers, all_of_them):
    """Which verifiers notice the bug, by the first test that fails: of all, or the first of those that should."""
    start, by = time.monotonic(), {}
    with copy.planted(bug):
        for verifier in verifiers:
            name = verifier["name"]
            if not tries(verifier, bug) or not all_of_them and name != bug["caught_by"][0]:
                continue
            check(builds(copy, verifier), f"{bug['name']} compiles")
            failed = failed_test(copy, verifier)
            if failed:
                by[name] = failed
    verdict = ", ".join(f"{name} ({test})" for name, test in by.items()) or "NOBODY"
    print(f"{bug['name']}: noticed by {verdict}, {time.monotonic() - start:.0f} s", flush=True)
    return by


def tries(verifier, bug):
    return bug["file"] in verifier.get("bugs_in", [bug["file"]])


class Copy:
    """The sources in another folder, unchanged but for one planted bug; the working tree is never touched."""

    def __init__(self, folder):
        self.folder = folder
        self.tree = folder / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], check=True, capture_output=True
        ).stdout.decode()
        files = {name for name in listed.split("\0") if name and Path(name).is_file()}
        for old in [path for path in self.tree.rglob("*") if path.is_file()]:
            if str(old.relative_to(self.tree)) not in files:
                old.unlink()
        for name in files:
            self.put(name, Path(name).read_bytes())

    def put(self, name, content):
        """Writes only what differs: cargo rebuilds what is newer than its last build."""
        path = self.tree / name
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def planted(self, bug):
        original = Path(bug["file"]).read_text()
        changed = original
        for change in [bug, *bug.get("also", [])]:
            check(changed.count(change["find"]) == 1, f"{bug['file']} has this once, for {bug['name']}: {change['find']}")
            changed = changed.replace(change["find"], change["replace"])
        return Planted(self, bug["file"], original, changed)


class Planted:
    def __init__(self, copy, name, original, changed):
        self.copy, self.name, self.original, self.changed = copy, name, original, changed

    def __enter__(self):
        self.copy.put(self.name, self.changed.encode())

    def __exit__(self, *_):
        self.copy.put(self.name, self.original.encode())


def builds(copy, verifier):
    result = cargo(copy, verifier, ["--no-run"], None)
    if result.returncode != 0:
        print(result.stderr, file=sys.stderr)
    return result.returncode == 0


def failed_test(copy, verifier):
    """The first test that fails, or None where all pass."""
    try:
        result = cargo(copy, verifier, [], LIMIT)
    except subprocess.TimeoutExpired:
        return "it does not end"
    if result.returncode == 0:
        return None
    failed = re.search(r"^test (\S+) \.\.\. FAILED|^(?:---- )?(\S+) (?:stdout ----|--- FAILED)", result.stdout, re.M)
    return next(filter(None, failed.groups())) if failed else "it crashes"


def cargo(copy, verifier, further, limit):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOOM_")},  # they end a run early
        "CARGO_TARGET_DIR": str((copy.folder / verifier.get("target", "build")).absolute()),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        **verifier.get("env", {}),
    }
    command = ["cargo", "test", "--quiet", "--color=never", *verifier["tests"], *further]
    return subprocess.run(
        command, cwd=copy.tree, env=environment, capture_output=True, text=True, timeout=limit, check=False
    )


def write(verifiers, rows):
    names = [verifier["name"] for verifier in verifiers]
    lines = [BEGIN, "\n"]
    lines += [f"- *{verifier['name']}*: {verifier['what']}\n" for verifier in verifiers]
    lines += [f"\n| planted bug | what it breaks | {' | '.join(names)} |\n", "|---|---|" + ":---:|" * len(names) + "\n"]
    for bug, by in rows:
        marks = ["●" if v["name"] in by else "" if tries(v, bug) else "–" for v in verifiers]
        lines.append(f"| {bug['name']} | {bug['breaks']} | {' | '.join(marks)} |\n")
    text = DOCUMENT.read_text()
    start, end = text.index(BEGIN), text.index(END)
    DOCUMENT.write_text(text[:start] + "".join(lines) + "\n" + text[end:])


def check(holds, expectation):
    if not holds:
        sys.exit(f"expected that {expectation}")


if __name__ == "__main__":
    main(*sys.argv[1:])
