# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The set of keys of every query, written out; both sides convolved over time."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=1, heads=4, kv_heads=4, queries=40, keys=40, dim=4, vdim=3, p=dict(near=2, length=23)),
    dict(batch=2, heads=2, kv_heads=2, queries=30, keys=30, dim=3, vdim=2, p=dict(near=0, length=100)),
]  # fmt: skip
INPUTS = {"q": None, "t": "batch heads keys dim", "tapq": "heads 3 dim", "tapk": "heads 3 dim"}
WRONG = [("shift(k, 2)", "shift(k, 3)"), ("back <= 0", "back < 0"), ("> log2floor(back - 1)", "== log2floor(back - 1)"), ("& i / length == j / length", "")]


def convolve(x, taps):
    out = np.zeros_like(x)
    for n, tap in enumerate(taps):
        out[n:] += tap * x[: len(x) - n]
    return out


def head(x):
    near, length = x.p["near"], x.p["length"]
    kept = np.zeros((x.queries, x.keys), bool)
    for row, i in enumerate(x.i):
        start = i - i % length
        seen = [i - n for n in range(near + 1)]
        seen += [i - near - 2**m for m in range(20)]
        for j in seen:
            if j >= start:
                kept[row, j] = True
    q, k = convolve(x.t, x.tapq)[x.i], convolve(x.k, x.tapk)
    return attend(scores(q, k), kept, x.v)
