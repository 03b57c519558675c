# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A cache that is filled, evicted and read, one token after the other."""

from drive import SHAPES
from formulas import attend, rotate, scores

import numpy as np

CASES = [
    {**shape, "dim": 2 * shape["dim"], "p": dict(sinks=sinks, window=window)}
    for shape, sinks, window in zip(SHAPES, (2, 1, 3, 0), (4, 5, 8, 3))
]
WRONG = [("slot - (i - j)", "j"), ("at = slot", "at = i"), ("i - j < window", "i - j <= window")]


def head(x):
    sinks, window = x.p["sinks"], x.p["window"]
    out = np.zeros((x.queries, x.v.shape[1]))
    cache = []
    for i in x.j:
        cache.append(i)
        if len(cache) > sinks + window:
            del cache[sinks]
        row = i - x.i[0]
        if row < 0:
            continue
        slots = np.arange(len(cache))
        q = rotate(x.q[[row]], slots[-1:])
        out[row] = attend(scores(q, rotate(x.k[cache], slots)), True, x.v[cache])[0]
    return out
