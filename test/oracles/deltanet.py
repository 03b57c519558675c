# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Products of Householder-like matrices, as the definition has them."""

import numpy as np
from formulas import l2norm, rmsnorm, sigmoid, silu

INPUTS = {"beta": "batch heads keys"}
WRONG = [("silu(v) - dot(k, S)", "silu(v)"), ("l2norm(silu(k))", "l2norm(k)"), ("sigmoid(beta)", "2 * sigmoid(beta)")]


def head(x):
    q, k, v, beta = l2norm(silu(x.q)), l2norm(silu(x.k)), silu(x.v), sigmoid(x.beta)
    state, out = np.zeros((k.shape[1], v.shape[1])), np.zeros((x.queries, v.shape[1]))
    for j in x.j:
        transition = np.eye(k.shape[1]) - beta[j] * np.outer(k[j], k[j])
        state = transition @ state + beta[j] * np.outer(k[j], v[j])
        if j >= x.i[0]:
            out[j - x.i[0]] = state.T @ q[j - x.i[0]]
    return rmsnorm(out)
