#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times masks against attention without one, in useful operations.

    python3 benchmarks/masks.py                f32, 16384 tokens, two threads
    python3 benchmarks/masks.py --dtype bf16 --length 4096 --threads 1

Useful operations are those of the pairs that a mask keeps. Every round runs
every mask once; the median of the rounds is printed, and its ratio to the
median of `full` in the same rounds.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from cases import writeIntegers

ROOT = pathlib.Path(__file__).resolve().parent.parent

# name: example, params, and what fills its tensors of integers
MASKS = {
    "full": ("full", {}, None),
    "causal": ("causal", {}, None),
    "window 1024": ("sliding_window", {"window": 1024, "sinks": 0}, None),
    "sinks and window 1024": ("sliding_window", {"window": 1024}, None),
    "7 uneven documents": ("documents", {}, "documents"),
    "7 documents, shuffled": ("documents", {}, "shuffled"),
    "prefix-LM": ("prefix_lm", {}, "prefix"),
    "dilated 16 in 4096": ("dilated", {}, None),
    "strided 128": ("strided", {}, None),
    "2-D neighbourhood 128 x 128": ("natten2d", {"w": 128}, None),
    "ALiBi": ("alibi", {}, None),
    "softcap": ("softcap", {}, None),
}
# Where documents end, as parts of the sequence.
ENDS = (0.05, 0.13, 0.25, 0.42, 0.6, 0.83, 1.0)


def getInputs(kind, length, folder):
    if kind == "prefix":
        path = folder / "prefix.npy"
        writeIntegers(path, [length // 3], (1,))
        return [f"--in=prefix={path}"]
    if kind is None:
        return []
    ids = [sum(n >= end * length for end in ENDS) for n in range(length)]
    if kind == "shuffled":  # by a step that has no common factor with it
        ids = [ids[n * 7919 % length] for n in range(length)]
    path = folder / f"{kind}.npy"
    writeIntegers(path, ids, (1, length))
    return [f"--in=doc={path}"]


def run(options, mask, folder):
    example, params, kind = MASKS[mask]
    length = options.length
    command = [
        options.rapt, "run", str(ROOT / "examples" / f"{example}.attn"),
        "--json", "--check=none", f"--threads={options.threads}",
        f"--dtype={options.dtype}", "--repeats=3",
        f"--shape=heads=1,kv_heads=1,queries={length},keys={length},"
        f"dim={options.dim},vdim={options.dim}",
        *getInputs(kind, length, folder),
    ]  # fmt: skip
    for name, value in params.items():
        command += ["-p", f"{name}={value}"]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rapt", default=str(ROOT / "build" / "bin" / "rapt"))
    parser.add_argument("--length", type=int, default=16384)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--dtype", default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="masks with this word")
    options = parser.parse_args()
    masks = [m for m in MASKS if m == "full" or options.only in m]
    speeds = {mask: [] for mask in masks}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.rounds):
            for mask in masks:
                result = run(options, mask, pathlib.Path(name))
                speeds[mask].append(result["gflops"])
    full = statistics.median(speeds["full"])
    print(f"{options.dtype}, {options.length} tokens, dim {options.dim}, "
          f"{options.threads} threads: useful GFLOP/s, ratio to full")
    for mask in masks:
        speed = statistics.median(speeds[mask])
        print(f"{mask:30s} {speed:8.1f} {speed / full:6.2f}")


if __name__ == "__main__":
    sys.exit(main())
