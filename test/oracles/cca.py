# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One softmax over cores and window; queries counted from 1."""

import numpy as np
from formulas import attend, scores, softmax

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=31, keys=31, dim=5, vdim=3, p=dict(g=4, s=8)),
    dict(batch=1, heads=3, kv_heads=1, queries=7, keys=40, dim=4, vdim=4, p=dict(g=3, s=7)),
]  # fmt: skip
INPUTS = {"probe": "batch kv_heads keys dim"}
WRONG = [("pool(k, w, g)", "pool(k, mean, g)"), ("(i + 1 - s) % g", "(i - s) % g"), ("(i + 1 - s) / g", "(i - s) / g"), ("merge(core, near)", "near + 0 * core")]


def head(x):
    g, s = x.p["g"], x.p["s"]
    cores = []
    for start in range(0, x.keys - g + 1, g):
        part = slice(start, start + g)
        weight = softmax(scores(x.probe[start + g - 1], x.k[part]))
        cores.append((weight @ x.k[part], weight @ x.v[part]))
    out = []
    for row, i in enumerate(x.i + 1):
        count, window = ((i - s) // g, s + (i - s) % g) if i >= s else (0, i)
        k = np.array([*(core[0] for core in cores[:count]), *x.k[i - window : i]])
        v = np.array([*(core[1] for core in cores[:count]), *x.v[i - window : i]])
        assert count * g + window == i
        out.append(attend(scores(x.q[[row]], k), True, v)[0][0])
    return np.array(out)
