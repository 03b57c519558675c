# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form with its matrix of gates and the maximum of each row."""

import numpy as np
from formulas import NONE, causal, layernorm, logsigmoid

INPUTS = {
    "f": ("batch heads keys", lambda x: 3 * x + 2),
    "g": ("batch heads keys", lambda x: 3 * x),
}
WRONG = [("exp(-m)", "1.0"), ("max(logsigmoid(f) + m, g)", "max(logsigmoid(f) + m, 2 * g)"), ("/ sqrt(dim)", "")]


def head(x):
    passed = np.cumsum(logsigmoid(x.f))
    d = np.where(causal(x), passed[x.i][:, None] - passed[None] + x.g[None], NONE)
    top = d.max(1, keepdims=True)
    weight = x.q @ x.k.T / np.sqrt(x.q.shape[1]) * np.exp(d - top)
    below = np.maximum(np.abs(weight.sum(1, keepdims=True)), np.exp(-top)) + 1e-6
    return layernorm(weight @ x.v / below)
