# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One choice of pages for a group of heads, a tenth of all but not too few."""

import math

import numpy as np
from formulas import attend, best, scores

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=121, dim=5, vdim=3, p=dict(page=4, least=2, local=1)),
    dict(batch=1, heads=6, kv_heads=2, queries=1, keys=60, dim=4, vdim=4, p=dict(page=5, least=5, local=2)),
]  # fmt: skip
WRONG = [("mean(q, over = group)", "q"), ("i / page - local", "i / page"), ("+ 9) / 10", "+ 9) / 5")]


def head(x):
    page = x.p["page"]
    group = x.heads // x.extents["kv_heads"]
    first = x.h // group * group
    mean = np.mean([x.at(h).q[0] for h in range(first, first + group)], 0)
    pages = [x.k[n : n + page] for n in range(0, x.keys, page)]
    bound = [np.maximum(mean * p.max(0), mean * p.min(0)).sum() for p in pages]
    count = max(x.p["least"], math.ceil(0.1 * len(pages)))
    local = range(len(pages) - x.p["local"], len(pages))
    chosen = best(bound, count, range(len(pages)), local)
    return attend(scores(x.q, x.k), np.isin(x.j // page, list(chosen)), x.v)
