# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One decoding step: the pooled heads, the blocks above the threshold."""

import numpy as np
from formulas import attend, blocks_of, rotate, scores, softmax

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=1, keys=41, dim=3, vdim=3, gdim=4, three=9, p=dict(block=4, threshold=0.08, gdim=4)),
    dict(batch=2, heads=6, kv_heads=2, queries=1, keys=30, dim=2, vdim=2, gdim=6, three=6, p=dict(block=5, threshold=0.1, gdim=6)),
]  # fmt: skip
INPUTS = {"wq": "heads gdim dim", "wk": "kv_heads gdim three"}
WRONG = [("force = c == i / block", "force = c == 0"), ("above(threshold", "above(2 * threshold"), ("at = y", "at = 2 * y")]


def head(x):
    block = x.p["block"]
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    q = sum(x.at(h).wq @ x.at(h).q[0] for h in range(first, first + group))[None]
    stats = [blocks_of(x.k, block, how) for how in (np.max, np.min, np.mean)]
    k = np.concatenate(stats, 1) @ x.wk.T
    n = np.arange(len(k))
    p = softmax(scores(rotate(q, x.i), rotate(k, block * n)))[0]
    chosen = {c for c in n if p[c] > x.p["threshold"]} | {len(k) - 1}
    return attend(scores(x.q, x.k), np.isin(x.j // block, list(chosen)), x.v)
