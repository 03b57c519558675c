# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The bound of a page is at least every product with its keys; the best pages."""

import numpy as np
from formulas import attend, best, scores

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=41, dim=5, vdim=3, p=dict(page=4, budget=17)),
    dict(batch=1, heads=2, kv_heads=1, queries=1, keys=60, dim=8, vdim=4, p=dict(page=5, budget=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=1, keys=18, dim=3, vdim=4, p=dict(page=4, budget=99)),
]  # fmt: skip
WRONG = [("max(3, budget", "max(1, budget"), ("pool(k, min", "pool(k, mean"), ("max(q * lo, q * hi)", "q * hi")]


def head(x):
    page, q = x.p["page"], x.q[0]
    pages = [x.k[n : n + page] for n in range(0, x.keys, page)]
    bound = [np.maximum(q * p.max(0), q * p.min(0)).sum() for p in pages]
    assert all(b >= (p @ q).max() - 1e-9 for b, p in zip(bound, pages))
    chosen = best(bound, max(3, x.p["budget"] // page), range(len(pages)))
    kept = np.isin(x.j // page, list(chosen))
    return attend(scores(x.q, x.k), kept, x.v)
