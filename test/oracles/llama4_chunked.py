# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Chunk by chunk, each a sequence of its own; only differences of positions count."""

import numpy as np
from drive import SHAPES
from formulas import attend, causal, rmsnorm, rotate, scores

CASES = [
    {**shape, "dim": 2 * shape["dim"], "p": dict(chunk=n)}
    for shape, n in zip(SHAPES, (4, 7, 40, 5))
]
WRONG = [("/ chunk ==", "/ (2 * chunk) =="), ("eps = 0.000001", "eps = 0.001"), ("theta = 500000", "theta = 10000")]


def head(x):
    out = np.zeros((x.queries, x.v.shape[1]))
    for start in range(0, x.keys, x.p["chunk"]):
        keys = x.j[start : start + x.p["chunk"]]
        rows = np.flatnonzero(np.isin(x.i, keys))
        q = rmsnorm(rotate(x.q[rows], x.i[rows] - start, 5e5), 1e-6)
        k = rmsnorm(rotate(x.k[keys], keys - start, 5e5), 1e-6)
        kept = x.i[rows][:, None] >= keys[None]
        out[rows] = attend(scores(q, k), kept, x.v[keys])[0]
    return out
