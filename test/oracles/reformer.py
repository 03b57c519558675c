# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every round sorted for itself: the first chunk of a round looks back at nothing.
Then the rounds with the weights of their log-sum-exp."""

import numpy as np
from formulas import attend, l2norm, logsumexp, softmax

CASES = [
    dict(batch=2, heads=2, kv_heads=2, queries=24, keys=24, dim=4, vdim=3, rounds=2, half=3, p=dict(rounds=2, chunk=4)),
    dict(batch=1, heads=2, kv_heads=1, queries=35, keys=35, dim=3, vdim=2, rounds=3, half=2, p=dict(rounds=3, chunk=5)),
]  # fmt: skip
INPUTS = {"q": None, "rot": "heads rounds half dim"}
WRONG = [("-y)", "y)"), ("i == j, -100000", "i == j, 0"), ("/ chunk + 1)", "/ chunk + 2)"), ("k = l2norm(k)", "k = k")]


def head(x):
    k, chunk = l2norm(x.k), x.p["chunk"]
    outs, lses = [], []
    for rotation in x.rot:
        turned = k @ rotation.T
        bucket = np.concatenate([turned, -turned], 1).argmax(1)
        # Sorted by bucket * T + position.
        order = np.argsort(bucket * x.keys + x.j)
        out, lse = np.zeros_like(x.v), np.zeros(x.keys)
        for start in range(0, x.keys, chunk):
            rows = order[start : start + chunk]
            keys = order[max(start - chunk, 0) : start + chunk]
            score = x.k[rows] @ k[keys].T
            score[rows[:, None] == keys[None]] = -1e5
            kept = rows[:, None] >= keys[None]
            out[rows], lse[rows] = attend(score, kept, x.v[keys])
        outs.append(out)
        lses.append(lse)
    weight = softmax(np.array(lses), axis=0)
    return (weight[..., None] * np.array(outs)).sum(0)
