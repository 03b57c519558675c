# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A stable sort, dense attention in every chunk, and back."""

import numpy as np
from formulas import attend, l2norm, scores

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=21, keys=21, dim=4, vdim=3, clusters=5, p=dict(chunk=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=30, keys=30, dim=3, vdim=2, clusters=4, p=dict(chunk=7)),
]  # fmt: skip
INPUTS = {"centroid": "clusters dim", "x": "batch keys dim"}
WRONG = [("place[i] / chunk ==", "place[i] / chunk >="), ("l2norm(x)", "-x")]


def head(x):
    cluster = (l2norm(x.x) @ x.centroid.T).argmax(1)
    order = np.argsort(cluster, kind="stable")
    out = np.zeros((x.queries, x.v.shape[1]))
    for start in range(0, x.keys, x.p["chunk"]):
        part = order[start : start + x.p["chunk"]]
        out[part] = attend(scores(x.q[part], x.k[part]), True, x.v[part])[0]
    return out
