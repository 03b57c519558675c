# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Without the stabiliser, which cancels in c / n."""

import numpy as np
from formulas import sigmoid

INPUTS = {
    "q": None,
    "k": None,
    "v": None,
    "x": "batch heads keys 4 vdim",
    **{name: ("heads vdim vdim", lambda x: 0.5 * x) for name in ("rz", "ri", "rf", "ro")},
}
CASES = [
    dict(batch=2, heads=2, queries=9, keys=9, vdim=3),
    dict(batch=1, heads=3, queries=20, keys=20, vdim=4),
]
WRONG = [("matmul(rf, y)", "matmul(ri, y)"), ("o * c / n", "o * c"), ("tanh(", "sin(")]


def head(x):
    c = n = y = np.zeros(x.x.shape[-1])
    out = []
    for z, i, f, o in x.x:
        z, i = np.tanh(z + x.rz @ y), np.exp(i + x.ri @ y)
        f, o = sigmoid(f + x.rf @ y), sigmoid(o + x.ro @ y)
        c, n = f * c + i * z, f * n + i
        y = o * c / n
        out.append(y)
    return np.array(out)
