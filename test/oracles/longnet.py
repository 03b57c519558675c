# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Segment by segment: a dilated part is attended densely and scattered back."""

import numpy as np
from formulas import NONE, attend, scores, softmax

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=29, keys=29, dim=4, vdim=3, p=dict(segment=4, branches=3)),
    dict(batch=2, heads=2, kv_heads=1, queries=11, keys=20, dim=3, vdim=2, p=dict(segment=3, branches=2)),
]  # fmt: skip
WRONG = [("i % r == h % r &", ""), ("segment * r", "segment"), ("i / w == j / w", "i / w >= j / w")]


def head(x):
    outs, lses = [], []
    for n in range(x.p["branches"]):
        r = 2**n
        w = x.p["segment"] * r
        out = np.zeros((x.queries, x.v.shape[1]))
        lse = np.full(x.queries, NONE)
        for start in range(0, x.keys, w):
            tokens = x.j[start : start + w]
            part = tokens[tokens % r == x.h % r]
            rows = np.flatnonzero(np.isin(x.i, part))
            if len(rows):
                kept = x.i[rows][:, None] >= part[None]
                score = scores(x.q[rows], x.k[part])
                out[rows], lse[rows] = attend(score, kept, x.v[part])
        outs.append(out)
        lses.append(lse)
    weight = softmax(np.array(lses), axis=0)
    return (weight[..., None] * np.array(outs)).sum(0)
