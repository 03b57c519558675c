# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every channel a weighted sum over the tokens before, the decays multiplied up."""

import numpy as np
from formulas import silu

INPUTS = {
    "q": "batch queries dim",
    "k": "batch keys dim",
    "v": "batch keys vdim",
    "t": "batch keys vdim",
    "bias": "vdim",
    "d": "vdim",
    "alog": "dim vdim",
    "z": "batch queries vdim",
}
CASES = [
    dict(batch=2, queries=13, keys=13, dim=5, vdim=3),
    dict(batch=1, queries=7, keys=18, dim=8, vdim=4),
    dict(batch=1, queries=33, keys=33, dim=3, vdim=7),
]
WRONG = [("t + bias", "t - bias"), ("delta * v", "v"), ("+ d * v", "+ d"), ("-exp(alog)", "-alog")]


def head(x):
    delta = np.log1p(np.exp(x.t + x.bias))
    a = -np.exp(x.alog)
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        for d in range(x.v.shape[1]):
            for j in range(i + 1):
                decay = np.exp(a[:, d] * delta[j + 1 : i + 1, d].sum())
                out[row, d] += (x.q[row] * decay) @ x.k[j] * delta[j, d] * x.v[j, d]
        out[row] += x.d * x.v[i]
    return out * silu(x.z)
