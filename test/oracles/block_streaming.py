# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Lists of blocks for each row of blocks, by the kind of the head."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=2, heads=5, kv_heads=5, queries=22, keys=22, dim=4, vdim=3, bases=2, rows=8, columns=8, p=dict(block=3)),
    dict(batch=1, heads=5, kv_heads=1, queries=9, keys=26, dim=3, vdim=2, bases=2, rows=7, columns=7, p=dict(block=4)),
]  # fmt: skip
INPUTS = {
    "kind": ("heads", lambda random, n: np.array([0, -1, 1, 2, -1])),
    "sink": ("heads", lambda random, n: np.array([0, 1, 0, 0, 2])),
    "local": ("heads", lambda random, n: np.array([0, 2, 0, 0, 1])),
    "base": ("batch bases rows columns", lambda random, n: random.random(n.sizes) < 0.5),
}
WRONG = [("kind - 1", "kind - 2"), ("y < sink", "y <= sink"), ("- y < local", "- y <= local")]


def head(x):
    block = x.p["block"]
    kept = np.zeros((x.queries, x.keys), bool)
    for row, i in enumerate(x.i):
        last = i // block
        if x.kind == 0:
            blocks = range(last + 1)
        elif x.kind < 0:
            blocks = {*range(x.sink), *range(last - x.local + 1, last + 1)}
        else:
            blocks = np.flatnonzero(x.base[x.kind - 1, last])
        for y in blocks:
            if y >= 0:
                kept[row, y * block : (y + 1) * block] = True
    return attend(scores(x.q, x.k), kept & causal(x), x.v)
