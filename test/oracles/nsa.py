# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The importance of a block by the paper's double sum over compressed tokens."""

import numpy as np
from formulas import NONE, attend, best, causal, scores, sigmoid, softmax

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=37, keys=37, dim=5, vdim=3, p=dict(block=8, picks=4, window=6, size=4, step=2)),
    dict(batch=2, heads=2, kv_heads=1, queries=9, keys=50, dim=4, vdim=2, p=dict(block=4, picks=5, window=3, size=2, step=1)),
]  # fmt: skip
INPUTS = {"gate": "batch heads queries 3"}
WRONG = [("c == 0 |", ""), ("- j < window", "- j <= window"), ("g[1] * selected", "g[2] * selected"), ("pool(v, mean", "pool(v, max")]


def compressed(x):
    """Weights of the compressed tokens, all of them fully past, and the result."""
    size, step = x.p["size"], x.p["step"]
    starts = range(0, x.keys - size + 1, step)
    k, v = (np.array([t[n : n + size].mean(0) for n in starts]) for t in (x.k, x.v))
    past = np.array(starts)[None] + size - 1 <= x.i[:, None]
    weight = softmax(np.where(past, scores(x.q, k), NONE))
    return weight, weight @ v


def head(x):
    block, size, step = x.p["block"], x.p["size"], x.p["step"]
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    weight = sum(compressed(x.at(h))[0] for h in range(first, first + group))
    kept = np.zeros((x.queries, x.keys), bool)
    for row, i in enumerate(x.i):
        count = i // block + 1
        importance = np.zeros(count)
        for c in range(count):
            for m in range(block // step):
                for n in range(size // step):
                    # The paper counts windows by their last stride.
                    t = block // step * c + m - n
                    if 0 <= t < weight.shape[1]:
                        importance[c] += weight[row, t]
        forced = {0, count - 1, max(count - 2, 0)}
        for c in best(importance, x.p["picks"], range(count), forced):
            kept[row, c * block : (c + 1) * block] = True
    selected = attend(scores(x.q, x.k), kept & causal(x), x.v)[0]
    window = causal(x) & (x.i[:, None] - x.j[None] < x.p["window"])
    near = attend(scores(x.q, x.k), window, x.v)[0]
    gate = sigmoid(x.gate)
    parts = compressed(x)[1], selected, near
    return sum(gate[:, [n]] * part for n, part in enumerate(parts))
