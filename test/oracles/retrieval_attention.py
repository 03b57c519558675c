# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One softmax over the static and the retrieved tokens."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=1, keys=41, dim=6, vdim=3, picks=5, p=dict(first=3, window=6)),
    dict(batch=1, heads=3, kv_heads=1, queries=3, keys=60, dim=4, vdim=2, picks=8, p=dict(first=2, window=9)),
]  # fmt: skip
INPUTS = {"found": ("batch heads queries picks", lambda random, n: random.integers(0, n.keys, n.sizes))}
WRONG = [("& !(j < first | i - j < window)", "")]


def head(x):
    out = []
    for row, i in enumerate(x.i):
        seen = {*range(x.p["first"]), *range(i - x.p["window"] + 1, i + 1)}
        seen |= {j for j in x.found[row] if j <= i}
        seen = sorted(seen)
        out.append(attend(scores(x.q[[row]], x.k[seen]), True, x.v[seen])[0][0])
    return np.array(out)
