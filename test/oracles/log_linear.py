# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Buckets of a Fenwick tree over the tokens before, the largest farthest away."""

import numpy as np
from drive import SHAPES

CASES = [{**shape, "levels": 7} for shape in SHAPES]
INPUTS = {"g": ("batch heads keys", lambda x: -x * x), "lam": "batch heads queries levels"}
WRONG = [("1 + log2floor", "log2floor"), ("exp(G[i] - G[j])", "exp(G[i])")]


def head(x):
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        # i + 1 tokens: the present one, then blocks by the bits of i.
        blocks, end = [(0, i, i + 1)], i
        for level in range(6):
            if i >> level & 1:
                blocks.append((level + 1, end - 2**level, end))
                end -= 2**level
        for level, start, stop in blocks:
            for j in range(start, stop):
                decay = np.exp(x.g[j + 1 : i + 1].sum())
                out[row] += x.lam[row, level] * decay * (x.q[row] @ x.k[j]) * x.v[j]
    return out
