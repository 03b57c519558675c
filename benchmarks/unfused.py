#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times full and causal attention against two matrix products and a softmax.

    python3 benchmarks/unfused.py              30 lengths from 1 to 16384
    python3 benchmarks/unfused.py --least 4096 --rounds 1 --only causal

The unfused form runs on PyTorch, whose products are those of MKL or oneDNN, in
place in memory that it is given beforehand. `rapt run` times ours, its call
through the library included. Rounds alternate between the two; medians are
printed. Needs PyTorch.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 333,
           384, 512, 640, 768, 1000, 1024, 1536, 2048, 3072, 4096, 6144, 8192,
           16384)  # fmt: skip


def timeOnce(call, seconds):
    """Seconds of one call, over as many as fill some time."""
    start = time.perf_counter()
    count = 0
    while True:
        call()
        count += 1
        now = time.perf_counter()
        if now - start > seconds:
            return (now - start) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rapt", default=str(ROOT / "build" / "bin" / "rapt"))
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=int, default=1)
    parser.add_argument("--most", type=int, default=16384)
    parser.add_argument("--only", default="", help="full or causal")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(1)
    worst = math.inf
    print(f"f32, {options.heads} heads, dim {options.dim}, {options.threads} "
          "threads: microseconds, and how many times faster than unfused")
    for example in ("full", "causal"):
        if options.only not in example:
            continue
        for length in LENGTHS:
            if not options.least <= length <= options.most:
                continue
            shape = (1, options.heads, length, options.dim)
            q, k, v = (torch.randn(shape, generator=generator) for _ in range(3))
            scores = torch.empty(1, options.heads, length, length)
            out = torch.empty(shape)
            keep = torch.ones(length, length, dtype=torch.bool).tril()
            bias = torch.zeros(length, length).masked_fill_(~keep, -math.inf)
            scale = options.dim**-0.5

            def unfused():
                torch.matmul(q * scale, k.transpose(-1, -2), out=scores)
                if example == "causal":
                    scores.add_(bias)
                torch.softmax(scores, -1, out=scores)
                torch.matmul(scores, v, out=out)

            def ours():
                repeats = max(1, min(500, 20000000 // length**2))
                command = [
                    options.rapt, "run", str(ROOT / "examples" / f"{example}.attn"),
                    "--json", "--check=none", f"--threads={options.threads}",
                    f"--repeats={repeats}",
                    f"--shape=heads={options.heads},kv_heads={options.heads},"
                    f"queries={length},keys={length},dim={options.dim},"
                    f"vdim={options.dim}",
                ]  # fmt: skip
                text = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                return json.loads(text.stdout)["ms"] / 1000

            with torch.no_grad():
                unfused()
                seconds = 0.1 if length < 4096 else 0
                times = [(ours(), timeOnce(unfused, seconds))
                         for _ in range(options.rounds)]
            mine = statistics.median(t[0] for t in times)
            peer = statistics.median(t[1] for t in times)
            worst = min(worst, peer / mine)
            print(f"{example:7s} {length:6d} {mine * 1e6:12.1f} {peer * 1e6:12.1f}"
                  f" {peer / mine:6.2f}", flush=True)
    print(f"least ratio {worst:.2f}")


if __name__ == "__main__":
    main()
