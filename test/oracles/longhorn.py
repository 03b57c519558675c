# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Each entry of the state is a scalar recurrence of its own."""

import numpy as np
from formulas import sigmoid

INPUTS = {
    "q": "batch queries dim",
    "k": "batch keys dim",
    "v": "batch keys vdim",
    "beta": "batch keys vdim",
}
CASES = [
    dict(batch=2, queries=13, keys=13, dim=5, vdim=3),
    dict(batch=1, queries=7, keys=18, dim=8, vdim=4),
    dict(batch=1, queries=25, keys=25, dim=3, vdim=7),
]
WRONG = [("outer(k * k, delta)", "outer(k, delta)"), ("b * dot(k, k)", "b"), ("sigmoid(beta)", "exp(beta)")]


def head(x):
    b = sigmoid(x.beta)
    out = np.zeros((x.queries, x.v.shape[1]))
    for d in range(x.v.shape[1]):
        for n in range(x.k.shape[1]):
            delta = b[:, d] / (1 + b[:, d] * np.linalg.norm(x.k, axis=1) ** 2)
            kept, write = 1 - delta * x.k[:, n] ** 2, delta * x.v[:, d] * x.k[:, n]
            state = [
                sum(np.prod(kept[j + 1 : i + 1]) * write[j] for j in range(i + 1))
                for i in x.i
            ]
            out[:, d] += x.q[:, n] * state
    return out
