# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The online form with its running maximum."""

import numpy as np
from formulas import sigmoid

INPUTS = {
    "q": "batch heads queries vdim",
    "k": ("batch heads keys vdim", lambda x: 3 * x),
    "w": ("heads vdim", lambda x: np.exp(x)),
    "u": "heads vdim",
}
WRONG = [("u + k", "k"), ("(i - 1 - j)", "(i - j)"), ("sigmoid(q)", "q")]


def head(x):
    alpha, beta, top = 0 * x.u, 0 * x.u, np.full(x.u.shape, -1e38)
    out = []
    for k, v in zip(x.k, x.v):
        new = np.maximum(top, x.u + k)
        old, now = np.exp(top - new), np.exp(x.u + k - new)
        out.append((old * alpha + now * v) / (old * beta + now))
        new = np.maximum(top - x.w, k)
        old, now = np.exp(top - x.w - new), np.exp(k - new)
        alpha, beta, top = old * alpha + now * v, old * beta + now, new
    return sigmoid(x.q) * np.array(out)[x.i]
