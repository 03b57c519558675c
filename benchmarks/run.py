#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times attention on this machine's CPU, as a fraction of its measured peak.

    ./x bench                        every case, one and two threads
    ./x bench --only causal          cases with the word in name or group
    ./x bench --peers                PyTorch beside it, see benchmarks/peers
    ./x bench --rounds 5 --out DIR   medians of five rounds (default 3)

Every round runs every case once, in another order each time, so that a slow
phase of the machine meets all of them; medians over the rounds are given. The
peak is measured by `rapt run` next to each timing. Writes results.json,
table.md and a picture for each group, to build/bench by default.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import cases as suite
import pictures
from peers import worker

ROOT = suite.ROOT


def runRapt(options, case, threads, folder):
    """What `rapt run --json` says."""
    repeats = 3 if case.length >= 4096 else 15
    command = suite.getCommand(options.rapt, case, threads, repeats, folder)
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)


def measure(options, cases):
    """Times of every case: {(case, threads): {"rapt": [...], peer: [...]}}."""
    runs = {}
    peers = [worker.Peer(name, threads, options.python)
             for threads in options.threads for name in options.peers]
    with tempfile.TemporaryDirectory() as name:
        for round in range(options.rounds):
            for case in suite.shuffled(cases, round):
                for threads in options.threads:
                    entry = runs.setdefault((case, threads), {"rapt": []})
                    entry["rapt"].append(
                        runRapt(options, case, threads, pathlib.Path(name)))
                    for peer in peers:
                        if peer.threads == threads:
                            ms = peer.time(case)
                            if ms is not None:
                                entry.setdefault(peer.name, []).append(ms)
    for peer in peers:
        peer.close()
    return runs


def summarize(cases, runs, threads):
    """One dictionary for each case, with medians."""
    rows = []
    for case in cases:
        for count in threads:
            entry = runs[case, count]
            middle = lambda key: statistics.median(r[key] for r in entry["rapt"])
            row = {
                "group": case.group, "case": case.name, "threads": count,
                "ms": middle("ms"), "gflops": middle("gflops"),
                "peak_gflops": middle("peak_gflops"),
                "fraction": middle("peak_fraction"),
                "best_fraction": max(r["peak_fraction"] for r in entry["rapt"]),
                "dot_fraction": middle("dot_peak_fraction")
                if entry["rapt"][0]["dot_peak_fraction"] is not None else None,
                "peers": {name: statistics.median(times)
                          for name, times in entry.items() if name != "rapt"},
            }  # fmt: skip
            rows.append(row)
    return rows


def makeTable(rows, peers):
    """Markdown: a table for each group."""
    lines = []
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            heads = ["case", "threads", "ms", "GFLOP/s", "of peak", "best"]
            has_dots = any(r["dot_fraction"] for r in rows if r["group"] == group)
            heads += ["of bf16 dots"] * has_dots
            for name in peers:
                heads += [f"{name} ms", "ratio"]
            lines += ["", f"## {group}", "", "| " + " | ".join(heads) + " |",
                      "|" + "---|" * len(heads)]
        cells = [row["case"], str(row["threads"]), f"{row['ms']:.3g}",
                 f"{row['gflops']:.0f}", f"{100 * row['fraction']:.0f} %",
                 f"{100 * row['best_fraction']:.0f} %"]
        if has_dots:
            dots = row["dot_fraction"]
            cells.append(f"{100 * dots:.0f} %" if dots else "-")
        for name in peers:
            ms = row["peers"].get(name)
            cells += [f"{ms:.3g}", f"{ms / row['ms']:.2f}"] if ms else ["-", "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines[1:]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rapt", default=str(ROOT / "build" / "bin" / "rapt"))
    parser.add_argument("--only", default="", help="a word of name or group")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peers", nargs="*", default=None, choices=worker.NAMES,
                        help="which, or all that there are")
    parser.add_argument("--python", default=sys.executable,
                        help="runs the peers; needs their packages")
    parser.add_argument("--out", default=str(ROOT / "build" / "bench"))
    options = parser.parse_args()
    if options.peers is not None and not options.peers:
        options.peers = list(worker.NAMES)
    options.peers = options.peers or []
    cases = [case for case in suite.makeSuite()
             if options.only in case.name or options.only in case.group]
    if not cases:
        sys.exit(f"run.py: no case has '{options.only}' in its name or group")
    begin = time.time()
    rows = summarize(cases, measure(options, cases), options.threads)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(
        {"rounds": options.rounds, "seconds": round(time.time() - begin),
         "rows": rows}, indent=1) + "\n")
    table = makeTable(rows, options.peers)
    (out / "table.md").write_text(table)
    for path in pictures.draw(rows, out):
        print(f"wrote {path}", file=sys.stderr)
    print(table, end="")


if __name__ == "__main__":
    main()
