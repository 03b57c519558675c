# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Columns after the permutation by (t mod l, t div l), which makes them blocks."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=23, keys=23, dim=4, vdim=3, p=dict(stride=5)),
    dict(batch=2, heads=2, kv_heads=1, queries=9, keys=20, dim=3, vdim=2, p=dict(stride=3)),
]  # fmt: skip
WRONG = [("h % 2 == 0", "h % 2 == 1"), ("- j < stride", "- j <= stride")]


def head(x):
    stride = x.p["stride"]
    if x.h % 2 == 0:
        near = x.j[None] > x.i[:, None] - stride
        return attend(scores(x.q, x.k), causal(x) & near, x.v)[0]
    out = np.zeros((x.queries, x.v.shape[1]))
    for offset in range(stride):
        rows, keys = x.i % stride == offset, x.j % stride == offset
        kept = x.i[rows][:, None] >= x.j[keys][None]
        out[rows] = attend(scores(x.q[rows], x.k[keys]), kept, x.v[keys])[0]
    return out
