# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The strided product: every s-th row of q, from behind, by every s-th row of k."""

import numpy as np
from formulas import NONE, attend, causal, scores, softmax

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=32, keys=32, dim=4, vdim=3, p=dict(s=2, block=4, mass=0.6)),
    dict(batch=2, heads=2, kv_heads=2, queries=36, keys=36, dim=3, vdim=2, p=dict(s=3, block=6, mass=0.8)),
]  # fmt: skip
WRONG = [("s - 1,", "0,"), ("c == 0 |", ""), ("cover(mass", "cover(mass / 2"), ("/ (s * sqrt(dim))", "/ s")]


def head(x):
    s, block = x.p["s"], x.p["block"]
    q = np.concatenate([x.q[s - 1 - a :: s] for a in range(s)], 1)
    k = np.concatenate([x.k[a::s] for a in range(s)], 1)
    estimate = q @ k.T / (np.sqrt(x.q.shape[1]) * s)
    n = np.arange(len(q))
    estimate = softmax(np.where(n[:, None] >= n[None], estimate, NONE))
    ratio, count = block // s, x.keys // block
    sums = estimate.reshape(count, ratio, count, ratio).sum((1, 3))
    kept = np.zeros((x.queries, x.keys), bool)
    for row in range(count):
        admitted = list(range(row + 1))
        order = sorted(admitted, key=lambda c: (c not in (0, row), -sums[row, c], c))
        total, reached = sums[row, admitted].sum(), 0.0
        for place, c in enumerate(order):
            if c in (0, row) or reached < x.p["mass"] * total:
                kept[row * block : (row + 1) * block, c * block : (c + 1) * block] = True
            reached += sums[row, c]
    return attend(scores(x.q, x.k), kept & causal(x), x.v)
