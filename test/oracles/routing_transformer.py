# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Gather the best tokens of each centroid, attend among them, scatter the mean. Not
causal: a cluster knows the whole sequence."""

import numpy as np
from formulas import attend, best, l2norm, scores

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=21, keys=21, dim=4, vdim=3, p=dict(w=12)),
    dict(batch=1, heads=3, kv_heads=3, queries=30, keys=30, dim=3, vdim=2, p=dict(w=9)),
]  # fmt: skip
INPUTS = {"q": None, "mu": "heads 2 dim", "x": "batch heads keys dim"}
WRONG = [("inA + inB", "2.0"), ("mu[1, :], m)", "mu[0, :], m)"), ("n = l2norm(x)", "n = x")]


def head(x):
    total = np.zeros((x.keys, x.v.shape[1]))
    times = np.zeros((x.keys, 1))
    for centroid in x.mu:
        rows, keys = (
            sorted(best(l2norm(y) @ centroid, x.p["w"], x.j)) for y in (x.x, x.k)
        )
        total[rows] += attend(scores(x.x[rows], x.k[keys]), True, x.v[keys])[0]
        times[rows] += 1
    return total / np.maximum(times, 1)
