# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Two products with exp(w), by exp(k) v and by exp(k)."""

import numpy as np
from formulas import sigmoid

INPUTS = {
    "q": "batch heads queries vdim",
    "k": "batch heads keys vdim",
    "w": "keys keys",
}
WRONG = [("k + w[i, j]", "k * w[i, j]"), ("w[i, j]", "w[j, i]"), ("sigmoid(q)", "q")]


def head(x):
    bias = np.tril(np.exp(x.w))[x.i]
    return sigmoid(x.q) * (bias @ (np.exp(x.k) * x.v)) / (bias @ np.exp(x.k))
