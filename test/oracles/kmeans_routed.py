# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Cluster by cluster."""

import numpy as np
from formulas import attend, l2norm, scores

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=30, keys=90, dim=3, vdim=3),
    dict(batch=1, heads=1, kv_heads=1, queries=80, keys=80, dim=2, vdim=5),
]
INPUTS = {"centroid": ("heads 64 dim", lambda x: x)}
WRONG = [("cq == ck", "cq <= ck"), ("l2norm(k)", "-k")]


def head(x):
    cq, ck = (
        (l2norm(rows) @ x.centroid.T).argmax(1) for rows in (x.q, x.k)
    )
    out = np.zeros((x.queries, x.v.shape[1]))
    for cluster in np.unique(cq):
        rows, keys = cq == cluster, ck == cluster
        if keys.any():
            out[rows] = attend(scores(x.q[rows], x.k[keys]), True, x.v[keys])[0]
    return out
