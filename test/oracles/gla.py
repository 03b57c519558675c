# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form: the decay of each channel inside the product."""

import numpy as np
from formulas import causal, logsigmoid, rmsnorm, silu

INPUTS = {
    "a": ("batch heads keys dim", lambda x: 20 * x),
    "gate": "batch heads queries vdim",
}
WRONG = [("/ 16", "/ 15"), ("exp(g) * S", "S"), ("rmsnorm(dot(q, S) / sqrt(dim))", "rmsnorm(dot(q, S))")]


def head(x):
    passed = np.cumsum(logsigmoid(x.a) / 16, 0)
    decay = np.exp(np.minimum(passed[x.i][:, None] - passed[None], 0))
    score = np.einsum("id,jd,ijd->ij", x.q, x.k, decay) / np.sqrt(x.q.shape[1])
    return silu(x.gate) * rmsnorm(np.where(causal(x), score, 0) @ x.v)
