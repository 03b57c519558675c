# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Counts the rows of the catalogue that examples stand for: rows.py EXAMPLES
ORACLES LIMITS.md MINIMUM. A row is whole unless LIMITS lists it: MINIMUM are. The
first line of an example that stands for one is

    // L22 Gated Linear Attention, arXiv 2312.06635

Each of them has an oracle and at most 25 lines that are no comments."""

import pathlib
import re
import sys

# The mechanisms of Sun et al., arXiv 2507.19595, and its neighbours: B baselines,
# L linear, S sparse, H those of pretrained models, R related papers.
CATALOGUE = """
B1 B2
L1 L2 L3 L4 L5 L6 L7 L8 L10 L11 L12 L13 L20 L21 L22 L23a L23b L24 L25 L26 L27 L28
L30 L31 L32 L33 L34 L35 L36 L37 L40 L41 L42 L43 L44 L45
S1 S2 S3 S4 S5 S6 S7 S10 S11 S12 S13 S20 S21 S22 S30 S31 S32 S33 S34
S40 S41 S42 S43 S44 S50 S51 S52 S53 S54 S55
H1 H2 H3 H4 R1 R2 R4 R5 R6 R7 R8
""".split()
FIRST = re.compile(r"// ([A-Z]\d+[ab]?) \S.*, (arXiv \d{4}\.\d{4,5}|\S.* \d{4})")


def limits(page, title):
    """The rows of the catalogue in the first column of a section's table."""
    section = page.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([A-Z]\d[^|]*) \|", section, re.M)
    return {row for cell in cells for row in cell.split(", ")}


def main(examples, oracles, page, minimum):
    page = pathlib.Path(page).read_text()
    absent = limits(page, "Rows without an example")
    parts = limits(page, "Rows whose example is a part")
    rows, problems = {}, []
    for path in sorted(pathlib.Path(examples).glob("*.attn")):
        text = path.read_text().splitlines()
        if not re.match(r"// [A-Z]\d", text[0]):
            continue
        first = FIRST.match(text[0])
        if not first or first[1] not in CATALOGUE:
            problems.append(f"{path.name}: '{text[0]}' names no row and paper")
            continue
        rows.setdefault(first[1], []).append(path.stem)
        code = [line for line in text if line.strip() and line.strip()[:2] != "//"]
        if len(code) > 25:
            problems.append(f"{path.name}: {len(code)} lines, at most 25")
    table = (pathlib.Path(examples) / "README.md").read_text()
    for path in pathlib.Path(examples).glob("*.attn"):
        row = next((row for row, names in rows.items() if path.stem in names), "-")
        if f"| {row} | [{path.stem}]({path.name}) |" not in table:
            problems.append(f"{path.name}: row {row} is not in README.md")
        if not (pathlib.Path(oracles) / f"{path.stem}.py").exists():
            problems.append(f"{path.name}: no oracle {path.stem}.py")
    for path in pathlib.Path(oracles).glob("*.py"):
        if not (pathlib.Path(examples) / f"{path.stem}.attn").exists():
            problems.append(f"{path.name}: no example {path.stem}.attn")
    if set(CATALOGUE) - set(rows) != absent:
        problems.append("rows without an example are others than the limits say")
    if not parts <= set(rows):
        problems.append("the limits call a part of an example what has none")
    whole = len(set(rows) - parts)
    if whole < int(minimum):
        problems.append(f"{whole} rows are whole, expected {minimum}")
    for row in CATALOGUE:
        print(row, *rows.get(row, ["-"]))
    print(len(rows), "of", len(CATALOGUE), "rows,", whole, "whole")
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
