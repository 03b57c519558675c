# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Queries gathered for each block of keys, joined by their log-sum-exp."""

import numpy as np
from drive import SHAPES
from formulas import NONE, best, blocks_of, scores

CASES = [
    {**shape, "p": dict(block=block, picks=picks)}
    for shape, block, picks in zip(SHAPES, (3, 4, 5, 2), (2, 3, 3, 3))
]
WRONG = [("c == i / block", "c == 0"), ("pool(k, mean", "pool(k, max"), ("top(picks", "top(picks + 1")]


def head(x):
    block, picks = x.p["block"], x.p["picks"]
    gate = x.q @ blocks_of(x.k, block).T
    total, out = np.full(x.queries, NONE), np.zeros((x.queries, x.v.shape[1]))
    chosen = [
        best(gate[row], picks, range(i // block + 1), [i // block])
        for row, i in enumerate(x.i)
    ]
    for c in range(gate.shape[1]):
        keys = x.j[c * block : (c + 1) * block]
        for row in range(x.queries):
            seen = keys[keys <= x.i[row]]
            if c not in chosen[row] or not len(seen):
                continue
            e = np.exp(scores(x.q[row], x.k[seen]))
            lse = np.log(e.sum())
            joint = np.logaddexp(total[row], lse)
            out[row] *= np.exp(total[row] - joint)
            out[row] += np.exp(lse - joint) * (e / e.sum()) @ x.v[seen]
            total[row] = joint
    return out
