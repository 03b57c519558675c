# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The touching kernels of a block, one by one; the normaliser from coarse kernels."""

import numpy as np
from formulas import attend, best, causal, scores

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=61, keys=61, dim=5, vdim=3, p=dict(step=1, picks=3, local=2)),
    dict(batch=2, heads=2, kv_heads=1, queries=20, keys=90, dim=4, vdim=2, p=dict(step=2, picks=2, local=1)),
]  # fmt: skip
WRONG = [("g[before]", "g[before - 1]"), ("/ total", ""), ("force = c == 0", "force = c == 1"), ("pool(g, max, 4)", "pool(g, mean, 4)"), ("> i / block - local", ">= i / block - local")]


def kernels(x, size, stride):
    starts = range(0, len(x), stride)
    return np.array(starts), np.array([x[n : n + size].mean(0) for n in starts])


def estimate(x):
    """exp(score) of the fine kernels over the sum of the coarse ones'."""
    step = x.p["step"]
    fine, kf = kernels(x.k, 2 * step, step)
    coarse, kc = kernels(x.k, 8 * step, 4 * step)
    p = np.zeros((x.queries, len(fine)))
    for row, i in enumerate(x.i + 1):
        pastF, pastC = fine + 2 * step <= i, coarse + 8 * step <= i
        if pastC.any():
            total = np.exp(scores(x.q[row], kc[pastC])).sum()
            p[row, pastF] = np.exp(scores(x.q[row], kf[pastF])) / total
    return p


def head(x):
    step, block = x.p["step"], 4 * x.p["step"]
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    p = sum(estimate(x.at(h)) for h in range(first, first + group))
    kept = np.zeros((x.queries, x.keys), bool)
    for row, i in enumerate(x.i):
        own = i // block
        score = {}
        for c in range(own - x.p["local"] + 1):
            touching = [
                n
                for n in range(p.shape[1])
                if n * step < (c + 1) * block and n * step + 2 * step > c * block
            ]
            score[c] = p[row, touching].max()
        for c in best(score, x.p["picks"], range(own - x.p["local"] + 1), {0}):
            kept[row, c * block : (c + 1) * block] = True
        kept[row, max(own - x.p["local"] + 1, 0) * block :] = True
    return attend(scores(x.q, x.k), kept & causal(x), x.v)
