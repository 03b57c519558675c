# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Local rows over global and near keys at once; then global rows are written over."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=20, keys=20, dim=4, vdim=3, p=dict(w=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=13, keys=17, dim=3, vdim=2, p=dict(w=6)),
]  # fmt: skip
INPUTS = {
    "g": ("batch keys", lambda random, n: random.random(n.sizes) < 0.2),
    "qg": "batch heads queries dim",
    "kg": "batch heads keys dim",
    "vg": "batch heads keys vdim",
}
WRONG = [("| g[j]", ""), ("let v = vg", "let v = v"), ("w / 2", "w"), ("g[i], global, near", "g[i], near, global")]


def head(x):
    out = np.zeros((x.queries, x.v.shape[1]))
    extra = np.flatnonzero(x.g)
    for row, i in enumerate(x.i):
        near = [j for j in x.j if abs(i - j) <= x.p["w"] // 2 and not x.g[j]]
        seen = [*extra, *near]
        out[row] = attend(scores(x.q[[row]], x.k[seen]), True, x.v[seen])[0][0]
    rows = x.g[x.i]
    out[rows] = attend(scores(x.qg[rows], x.kg), True, x.vg)[0]
    return out
