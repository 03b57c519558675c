# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The weight relu(q) relu(k) cos(pi (i - j) / 2M), before it is factored."""

import numpy as np
from formulas import causal, relu

INPUTS = {"q": ("batch heads queries dim", lambda x: x + 1)}
WRONG = [("relu(k) * sin", "k * sin"), ("pi / (2 *", "pi / (3 *"), ("eps = 0.000001", "eps = 0.00001")]


def head(x):
    length = max(x.queries, x.keys)
    cosine = np.cos(np.pi * (x.i[:, None] - x.j[None]) / (2 * length))
    weight = np.where(causal(x), relu(x.q) @ relu(x.k).T * cosine, 0)
    return weight @ x.v / (weight.sum(1, keepdims=True) + 1e-6)
