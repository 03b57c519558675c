# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The gate as a small attention between blocks, its positions those of blocks."""

import numpy as np
from formulas import attend, best, blocks_of, causal, rotate, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=28, keys=28, dim=3, vdim=3, gdim=4, three=9, p=dict(block=4, picks=3, gdim=4)),
    dict(batch=2, heads=2, kv_heads=2, queries=30, keys=30, dim=2, vdim=2, gdim=6, three=6, p=dict(block=5, picks=2, gdim=6)),
]  # fmt: skip
INPUTS = {"wq": "heads gdim dim", "wk": "heads gdim three"}
WRONG = [("pool(k, min", "pool(k, mean"), ("at = y", "at = 2 * y"), ("[i / block]", "[max(i - 1, 0) / block]"), ("top(picks", "top(picks + 1")]


def head(x):
    block = x.p["block"]
    stats = [blocks_of(x.k, block, how) for how in (np.max, np.min, np.mean)]
    q, k = blocks_of(x.q, block) @ x.wq.T, np.concatenate(stats, 1) @ x.wk.T
    n = np.arange(len(k))
    gate = rotate(q, n) @ rotate(k, n).T
    kept = np.zeros((x.queries, x.keys), bool)
    for row in n:
        for c in best(gate[row], x.p["picks"], range(row + 1)):
            kept[row * block : (row + 1) * block, c * block : (c + 1) * block] = True
    return attend(scores(x.q, x.k), kept & causal(x), x.v)
