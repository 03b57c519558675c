# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Sorted clusters, sorted indices and prefix sums, cut at the budget."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=41, dim=5, vdim=3, clusters=6, p=dict(sinks=3, budget=17)),
    dict(batch=1, heads=3, kv_heads=1, queries=1, keys=60, dim=4, vdim=2, clusters=9, p=dict(sinks=4, budget=25)),
]  # fmt: skip


def labels(n, sizes):
    return np.random.default_rng(n.keys).integers(0, n.clusters, sizes)


def count(random, n):
    label = labels(n, n.sizes[:2] + [n.keys])[..., n.p["sinks"] :]
    return (label[..., None] == np.arange(n.clusters)).sum(-2)


def place(random, n):
    label = labels(n, n.sizes)
    sinks = n.p["sinks"]
    same = np.cumsum(label[..., sinks:, None] == np.arange(n.clusters), -2)
    inside = np.take_along_axis(same, label[..., sinks:, None], -1)[..., 0] - 1
    return np.concatenate([np.full(label[..., :sinks].shape, 1 << 20), inside], -1)


INPUTS = {
    "mu": "batch kv_heads clusters dim",
    "size": ("batch kv_heads clusters", count),
    "cluster": ("batch kv_heads keys", lambda random, n: labels(n, n.sizes)),
    "place": ("batch kv_heads keys", place),
}
WRONG = [("before <", "before <="), ("near > near", "near >= near"), ("size, 0", "1, 0")]


def head(x):
    sinks = x.p["sinks"]
    order = np.argsort(-(x.mu @ x.q[0]))
    tokens = [j for c in order for j in x.j[sinks:] if x.cluster[j] == c]
    seen = [*range(sinks), *tokens[: x.p["budget"]]]
    return attend(scores(x.q, x.k[seen]), True, x.v[seen])
