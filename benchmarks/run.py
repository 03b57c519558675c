#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times attention on this machine's CPU, as a fraction of its measured peak.

    ./x bench                      every case, one and two threads
    ./x bench --only causal        cases whose name has the word
    ./x bench --rounds 5           medians of five interleaved runs (default 3)

Every round runs every case once, so that a slow phase of the machine meets all
of them; the median of the rounds is printed. The peak is measured by `rapt run`
next to each timing. If PyTorch can be imported, its
scaled_dot_product_attention is timed in the same round on the same shapes.
"""

import argparse
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# name, example, dtype, queries = keys, dim = vdim
CASES = [
    (f"{example} {dtype} N={length} D={dim}", example, dtype, length, dim)
    for example in ("full", "causal")
    for dtype in ("f32", "bf16")
    for length in (1024, 4096)
    for dim in (64, 128)
] + [
    (f"{example} f32 N=4096 D=64", example, "f32", 4096, 64)
    for example in ("sliding_window", "softcap", "alibi", "llama", "documents")
]
HEADS = 2


def runRapt(rapt, case, threads):
    _, example, dtype, length, dim = case
    command = [
        rapt, "run", str(ROOT / "examples" / f"{example}.attn"), "--json",
        "--check=none", f"--threads={threads}", f"--dtype={dtype}",
        f"--shape=batch=1,heads={HEADS},kv_heads={HEADS},queries={length},"
        f"keys={length},dim={dim},vdim={dim}",
    ]  # fmt: skip
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)


# Runs in a process of its own: idle threads of a library that is loaded here
# would take time from the next case.
PEER = """
import json, statistics, sys, time
import torch
causal, dtype, heads, length, dim, threads = json.loads(sys.argv[1])
torch.set_num_threads(threads)
kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
q, k, v = (torch.randn(1, heads, length, dim).to(kind) for _ in range(3))
times = []
for _ in range(10):
    start = time.perf_counter()
    torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    times.append(1e3 * (time.perf_counter() - start))
print(statistics.median(times[1:]))
"""


def runTorch(case, threads):
    """Milliseconds of PyTorch for the two masks it has itself, else None."""
    _, example, dtype, length, dim = case
    if example not in ("full", "causal"):
        return None
    words = json.dumps([example == "causal", dtype, HEADS, length, dim, threads])
    result = subprocess.run(
        [sys.executable, "-c", PEER, words], stdout=subprocess.PIPE, check=True
    )
    return float(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rapt", default=str(ROOT / "build" / "bin" / "rapt"))
    parser.add_argument("--only", default="", help="a word of the case's name")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in case[0]]
    if not cases:
        sys.exit(f"run.py: no case has '{arguments.only}' in its name")
    hasTorch = importlib.util.find_spec("torch") is not None
    runs = {}
    for _ in range(arguments.rounds):
        for case in cases:
            for threads in arguments.threads:
                key = (case[0], threads)
                entry = runs.setdefault(key, {"rapt": [], "torch": []})
                entry["rapt"].append(runRapt(arguments.rapt, case, threads))
                peer = runTorch(case, threads) if hasTorch else None
                if peer is not None:
                    entry["torch"].append(peer)
    print("| case | threads | ms | GFLOP/s | of FMA peak | torch ms | speed-up |")
    print("|---|---|---|---|---|---|---|")
    for (name, threads), entry in runs.items():
        middle = lambda field: statistics.median(run[field] for run in entry["rapt"])
        ms = middle("ms")
        peer = statistics.median(entry["torch"]) if entry["torch"] else None
        print(
            f"| {name} | {threads} | {ms:.2f} | {middle('gflops'):.0f} | "
            f"{100 * middle('peak_fraction'):.0f} % | "
            + (f"{peer:.2f} | {peer / ms:.2f} |" if peer else "- | - |")
        )


if __name__ == "__main__":
    main()
