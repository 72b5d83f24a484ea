"""Compares what the core costs on boards with docs/FIRMWARE.md: firmware_costs.py [--write] < MEASURED

MEASURED has lines of four fields with tabs between them: table, column, row, figure. With --write they are written into
the document, with the compiler's version and the example program.
"""

import subprocess
import sys
from pathlib import Path

DOCUMENT = Path("docs/FIRMWARE.md")
EXAMPLE = Path("firmware/src/bin/shared_fuse.rs")
TABLES = {"flash": "what a program uses", "instructions": "operation"}  # each with the heading of its rows
UPDATE = ".ci/firmware --write"


def main(*arguments):
    measured = read_measured(sys.stdin)
    document = DOCUMENT.read_text()
    if arguments == ("--write",):
        for name in TABLES:
            document = replace(document, name, render(name, measured[name]))
        document = replace(document, "compiler", f"Measured with {compiler()}, {emulator()}.")
        DOCUMENT.write_text(replace(document, "example", example()))
        return
    check(arguments == (), f"unknown arguments {arguments}")

    complaints = []
    for name in TABLES:
        complaints += compare(name, parse(section(document, name)), measured[name])
    if section(document, "example") != example():
        complaints.append(f"the example is not {EXAMPLE}")
    check(not complaints, "\n".join([*complaints, f"If that is meant, run {UPDATE}"]))
    print(f"{sum(map(len, measured.values()))} figures are as {DOCUMENT} says, or at most a tenth above")


def read_measured(lines):
    measured = {name: {} for name in TABLES}
    for line in lines:
        name, column, row, figure = line.rstrip("\n").split("\t")
        measured[name][row, column] = int(figure)
    for name, figures in measured.items():
        check(figures, f"no figures for {name}")
        check(len(figures) == len(rows(figures)) * len(columns(figures)), f"a figure for {name} is absent")
        check(all(figure > 0 for figure in figures.values()), f"a figure for {name} is not above 0")
    return measured


def compare(name, documented, measured):
    if documented.keys() != measured.keys():
        return [f"{name}: rows or columns have come or gone: {sorted(documented.keys() ^ measured.keys())}"]
    complaints = []
    for (row, column), figure in measured.items():
        before = documented[row, column]
        change = f"{name}: {row} on {column} was {before} and is {figure}"
        if figure * 10 > before * 11:
            complaints.append(f"{change}: more than a tenth above")
        elif figure * 10 < before * 9:
            print(f"{change}: run {UPDATE} to keep that")
    return complaints


def render(name, figures):
    heads = columns(figures)
    lines = [[TABLES[name], *heads], ["---", *["---:"] * len(heads)]]
    lines += [[row, *(str(figures[row, head]) for head in heads)] for row in rows(figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parse(table):
    head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {(line[0], column): int(figure) for line in lines for column, figure in zip(head[1:], line[1:], strict=True)}


def rows(figures):
    return list(dict.fromkeys(row for row, _ in figures))


def columns(figures):
    return list(dict.fromkeys(column for _, column in figures))


def section(document, name):
    begin, end = marks(name)
    check(document.count(begin) == 1 and document.count(end) == 1, f"{DOCUMENT} has one section {name}")
    return document.split(begin)[1].split(end)[0].strip()


def replace(document, name, text):
    section(document, name)
    begin, end = marks(name)
    return f"{document.split(begin)[0]}{begin}\n{text}\n{end}{document.split(end)[1]}"


def marks(name):
    return f"<!-- {name}: written by {UPDATE} -->", f"<!-- end of {name} -->"


def example():
    return f"```rust\n{EXAMPLE.read_text().rstrip()}\n```"


def compiler():
    return run("/usr/bin/rustc", "--version").strip()


def emulator():
    return run("qemu-system-arm", "--version").splitlines()[0].split(" (")[0]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check(holds, complaint):
    if not holds:
        sys.exit(complaint)


if __name__ == "__main__":
    main(*sys.argv[1:])
