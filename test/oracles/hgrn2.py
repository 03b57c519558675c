# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Gated linear attention with the keys 1 - a: weights in log space."""

import numpy as np
from formulas import causal, rmsnorm, silu

INPUTS = {
    "k": None,
    "f": "batch heads keys dim",
    "bound": ("heads dim", lambda x: 1 / (1 + np.exp(-x))),
}
WRONG = [("outer(1 - a, v)", "outer(a, v)"), ("(1 - bound) * sigmoid(f)", "sigmoid(f)"), ("silu(q)", "q")]


def head(x):
    # log(bound + (1 - bound) sigmoid(f)), bounded below in log space.
    g = np.logaddexp(np.log(x.bound), np.log1p(-x.bound) - np.logaddexp(0, -x.f))
    passed = np.cumsum(g, 0)
    decay = np.exp(np.minimum(passed[x.i][:, None] - passed[None], 0))
    score = np.einsum("id,jd,ijd->ij", silu(x.q), -np.expm1(g), decay)
    return rmsnorm(np.where(causal(x), score, 0) @ x.v)
