# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Sums of the last queries' map along columns and along diagonals."""

import numpy as np
from formulas import NONE, attend, best, causal, scores, softmax

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=30, keys=30, dim=4, vdim=3, p=dict(columns=5, slashes=4, first=2, recent=2, last=6)),
    dict(batch=1, heads=3, kv_heads=3, queries=41, keys=41, dim=5, vdim=2, p=dict(columns=3, slashes=6, first=1, recent=3, last=9)),
]  # fmt: skip
WRONG = [("by = i - j", "by = j"), ("c < first", "c < 0"), ("columns, column", "columns + 1, column"), ("keys - last", "keys - last - 1")]


def head(x):
    p = x.p
    full = softmax(np.where(causal(x), scores(x.q, x.k), NONE))
    probe = full[-p["last"] :]
    rows = x.i[-p["last"] :]
    column = probe.sum(0)
    slash = [
        sum(probe[n, i - d] for n, i in enumerate(rows) if i >= d) for d in range(x.keys)
    ]
    everything = range(x.keys)
    columns = best(column, p["columns"], everything, range(p["first"]))
    slashes = best(slash, p["slashes"], everything, range(p["recent"]))
    kept = [[j in columns or i - j in slashes for j in x.j] for i in x.i]
    return attend(scores(x.q, x.k), np.array(kept) & causal(x), x.v)
