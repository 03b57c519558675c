# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Three parts with their own numerators and denominators: a cluster that is estimated
counts with its size and the sum of its values."""

import numpy as np
from formulas import softmax

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=41, dim=5, vdim=3, clusters=8, p=dict(sinks=2, window=5, exact=2, guessed=3)),
    dict(batch=1, heads=3, kv_heads=1, queries=1, keys=60, dim=4, vdim=2, clusters=12, p=dict(sinks=1, window=3, exact=3, guessed=4)),
]  # fmt: skip
INPUTS = {
    "mu": "batch kv_heads clusters dim",
    "cluster": ("batch kv_heads keys", lambda random, n: random.integers(0, n.clusters, n.sizes)),
}
WRONG = [("exact + guessed", "exact"), ("over = group)", "over = group) * 0.0 + softmax(matmul(mu, q))"), ("centre[cluster[j]]", "dot(q, k)"), ("steady | place < exact,", "steady,")]


def head(x):
    p, root, q = x.p, np.sqrt(x.q.shape[1]), x.q[0]
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    near = sum(softmax(x.mu @ x.at(h).q[0] / root) for h in range(first, first + group))
    order = np.argsort(-near)
    steady = (x.j < p["sinks"]) | (x.j >= x.keys - p["window"])
    exact = steady | np.isin(x.cluster, order[: p["exact"]])
    e = np.exp(x.k[exact] @ q / root)
    above, below = e @ x.v[exact], e.sum()
    for c in order[p["exact"] : p["exact"] + p["guessed"]]:
        members = (x.cluster == c) & ~steady
        e = np.exp(x.mu[c] @ q / root)
        above = above + e * x.v[members].sum(0)
        below = below + e * members.sum()
    return (above / below)[None]
