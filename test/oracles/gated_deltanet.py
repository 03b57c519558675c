# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form: decays inside both triangular matrices."""

import numpy as np
from formulas import causal, convolve, l2norm, rmsnorm, sigmoid, silu

INPUTS = {
    "a": "batch heads keys",
    "beta": "batch heads keys",
    "alog": "heads",
    "bias": "heads",
    "gate": "batch heads queries vdim",
    "cq": "heads 4 dim",
    "ck": "heads 4 dim",
    "cv": "heads 4 vdim",
}
WRONG = [("a + bias", "a - bias"), ("silu(v) - dot(k, S)", "silu(v)"), ("-exp(alog)", "-alog * alog"), ("/ sqrt(dim)", ""), ("cq[2, :]", "ck[2, :]")]


def head(x):
    q, k = l2norm(silu(convolve(x.q, x.cq))), l2norm(silu(convolve(x.k, x.ck)))
    v = silu(convolve(x.v, x.cv))
    beta = sigmoid(x.beta)[:, None]
    passed = np.cumsum(-np.exp(x.alog) * np.logaddexp(0, x.a + x.bias))
    decay = np.exp(np.minimum(passed[:, None] - passed[None], 0))
    lower = np.eye(x.keys) + np.tril(beta * (k @ k.T) * decay, -1)
    written = np.linalg.solve(lower, beta * v)
    read = np.where(causal(x), q @ k.T * decay[x.i], 0)
    return rmsnorm(read @ written / np.sqrt(q.shape[1])) * silu(x.gate)
