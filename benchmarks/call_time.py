#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times what a call from Python costs: one query and one key, all of a call with
its kernel, median of 3000. rapt-call-time says the same for C++.

    python3 benchmarks/call_time.py

Needs NumPy; with torch also its tensors.
"""

import pathlib
import statistics
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
import rapt  # noqa: E402


def measure(call):
    times = []
    for _ in range(3000):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(times)


def report(name, attention, make):
    q, k, v, out = (make() for _ in range(4))
    plan = attention.plan(q, k, v, threads=1)
    each = measure(lambda: attention(q, k, v, threads=1))
    kept = measure(lambda: attention(q, k, v, plan=plan, threads=1))
    given = measure(lambda: attention(q, k, v, out=out, plan=plan, threads=1))
    print(f"{name:6} {each:6.1f} us, with a plan {kept:5.1f} us, "
          f"with a plan and out {given:5.1f} us")


def main():
    attention = rapt.parse("attention causal { mask = i >= j }")
    shape = 1, 1, 1, 64
    report("numpy", attention, lambda: numpy.ones(shape, numpy.float32))
    try:
        import torch
    except ImportError:
        return
    report("torch", attention, lambda: torch.ones(shape))


if __name__ == "__main__":
    main()
