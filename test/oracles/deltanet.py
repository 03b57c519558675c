# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Products of Householder-like matrices, as the definition has them."""

import numpy as np
from formulas import convolve, l2norm, rmsnorm, sigmoid, silu

INPUTS = {
    "beta": "batch heads keys",
    "cq": "heads 4 dim",
    "ck": "heads 4 dim",
    "cv": "heads 4 vdim",
}
WRONG = [
    ("silu(v) - dot(k, S)", "silu(v)"),
    ("l2norm(silu(k))", "l2norm(k)"),
    ("sigmoid(beta)", "2 * sigmoid(beta)"),
    ("shift(v, 3)", "shift(v, 2)"),
]


def head(x):
    q, k = l2norm(silu(convolve(x.q, x.cq))), l2norm(silu(convolve(x.k, x.ck)))
    v, beta = silu(convolve(x.v, x.cv)), sigmoid(x.beta)
    state, out = np.zeros((k.shape[1], v.shape[1])), np.zeros((x.queries, v.shape[1]))
    for j in x.j:
        transition = np.eye(k.shape[1]) - beta[j] * np.outer(k[j], k[j])
        state = transition @ state + beta[j] * np.outer(k[j], v[j])
        if j >= x.i[0]:
            out[j - x.i[0]] = state.T @ q[j - x.i[0]]
    return rmsnorm(out)
