# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Mean cosines inside blocks by the sum over all pairs; blocks by cumulated mass."""

import numpy as np
from formulas import NONE, attend, blocks_of, causal, scores, softmax

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=64, keys=64, dim=3, vdim=3, p=dict(rows=8, columns=4, mass=0.5, alike=0.2)),
    dict(batch=2, heads=2, kv_heads=2, queries=66, keys=66, dim=2, vdim=2, p=dict(rows=6, columns=3, mass=0.7, alike=0.2)),
]  # fmt: skip
WRONG = [("k - mean(k, over = j)", "k"), ("!likeQ[i / rows] |", ""), ("!likeK[j / columns] |", ""), ("cover(mass", "cover(mass / 2")]


def likeness(x, size):
    result = []
    for n in range(0, len(x), size):
        unit = x[n : n + size] / np.linalg.norm(x[n : n + size], axis=1, keepdims=True)
        result.append(np.mean(unit @ unit.T))
    return np.array(result)


def head(x):
    rows, columns = x.p["rows"], x.p["columns"]
    u = x.k - x.k.mean(0)
    likeQ = likeness(x.q, rows) >= x.p["alike"]
    likeK = likeness(u, columns) >= x.p["alike"]
    estimate = scores(blocks_of(x.q, rows), blocks_of(u, columns))
    kept = np.zeros((x.queries, x.keys), bool)
    for row in range(len(estimate)):
        past = [c for c in range(len(likeK)) if c * columns < (row + 1) * rows]
        part = slice(row * rows, (row + 1) * rows)
        p = softmax(np.array([estimate[row, c] if likeK[c] else NONE for c in past]))
        reached = 0.0
        chosen = {c for c in past if not likeK[c] or not likeQ[row]}
        for c in sorted(past, key=lambda c: (-p[c], c)):
            if reached >= x.p["mass"] * p.sum():
                break
            chosen.add(c)
            reached += p[c]
        for c in chosen:
            kept[part, c * columns : (c + 1) * columns] = True
    return attend(scores(x.q, x.k), kept & causal(x), x.v)
