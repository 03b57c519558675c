# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One row of the map for each cluster, the mass of its best keys given out anew."""

import numpy as np
from formulas import best, scores, softmax

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=21, keys=21, dim=4, vdim=3, p=dict(picks=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=30, keys=30, dim=3, vdim=2, p=dict(picks=7)),
]  # fmt: skip
INPUTS = {
    "q": None,
    "x": "batch heads keys dim",
    "cluster": ("batch heads keys", lambda random, n: random.integers(0, 4, n.sizes)),
}
WRONG = [("mass * exact", "exact"), ("== cluster[j]", ">= cluster[j]"), ("top(picks", "top(picks + 1")]


def head(x):
    out = np.zeros((x.keys, x.v.shape[1]))
    for c in np.unique(x.cluster):
        rows = np.flatnonzero(x.cluster == c)
        coarse = softmax(scores(x.x[rows].mean(0), x.k))
        top = sorted(best(coarse, x.p["picks"], x.j))
        fine = np.tile(coarse, (len(rows), 1))
        fine[:, top] = softmax(scores(x.x[rows], x.k[top])) * coarse[top].sum()
        out[rows] = fine @ x.v
    return out
