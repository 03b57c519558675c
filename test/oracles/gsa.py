# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Each slot holds means with weights that fade by the gates between."""

import numpy as np
from drive import SHAPES
from formulas import rmsnorm, sigmoid, silu, softmax

CASES = [{**shape, "slots": 5} for shape in SHAPES]
INPUTS = {"a": "batch heads keys slots"}
WRONG = [("/ 8", "/ 4"), ("outer(1 - exp(g), v)", "outer(exp(g), v)"), ("silu(", "(")]


def head(x):
    alpha = sigmoid(x.a) ** 0.125
    out = []
    for row, i in enumerate(x.i):
        weight = np.array([
            np.prod(alpha[j + 1 : i + 1], 0) * (1 - alpha[j]) for j in range(i + 1)
        ])
        keys, values = weight.T @ x.k[: i + 1], weight.T @ x.v[: i + 1]
        out.append(softmax(keys @ x.q[row] / np.sqrt(x.q.shape[1])) @ values)
    return rmsnorm(silu(np.array(out)))
