# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Matrices (I - beta k k^T) diag(decay) multiplied up."""

import numpy as np
from formulas import l2norm, sigmoid

INPUTS = {"g": "batch heads keys dim", "beta": "batch heads keys"}
WRONG = [("-softplus(g)", "softplus(-g)"), ("v - dot(k, S)", "v")]


def head(x):
    k, beta, decay = l2norm(x.k), sigmoid(x.beta), 1 / (1 + np.exp(x.g))
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        reader = x.q[row]
        for j in range(i, -1, -1):
            out[row] += beta[j] * (reader @ k[j]) * x.v[j]
            reader = decay[j] * (reader - beta[j] * (reader @ k[j]) * k[j])
    return out / np.sqrt(x.q.shape[1])
