# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A table of products with the centroids, gathered and summed for each key."""

import numpy as np
from formulas import attend, best, scores, softmax

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=41, dim=6, vdim=3, half=3, p=dict(sinks=2, window=5, picks=7)),
    dict(batch=1, heads=3, kv_heads=1, queries=1, keys=60, dim=4, vdim=2, half=2, p=dict(sinks=1, window=3, picks=9)),
]  # fmt: skip
INPUTS = {
    "book": "kv_heads 2 64 half",
    "code": ("batch kv_heads keys 2", lambda random, n: random.integers(0, 64, n.sizes)),
}
WRONG = [("book[1, code[1], :]", "book[1, code[0], :]"), ("over = group)", "over = group) * 0.0 + dot(q, decoded)"), ("top(picks", "top(picks + 1")]


def estimate(x):
    table = x.book @ x.q[0].reshape(2, -1, 1)
    logits = sum(table[m, x.code[:, m], 0] for m in range(2))
    return softmax(logits / np.sqrt(x.q.shape[1]))


def head(x):
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    near = sum(estimate(x.at(h)) for h in range(first, first + group))
    seen = best(near, x.p["picks"], x.j) | {*range(x.p["sinks"])}
    seen |= {*range(x.keys - x.p["window"], x.keys)}
    return attend(scores(x.q, x.k), np.isin(x.j, list(seen)), x.v)
