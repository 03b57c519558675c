# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The forget gates as factors of the exponentials."""

import numpy as np
from formulas import causal, scores, sigmoid

INPUTS = {"f": "batch heads keys"}
WRONG = [("- g[j]", "+ g[j]"), ("logsigmoid(f)", "-f * f")]


def head(x):
    f = sigmoid(x.f)
    kept = [[np.prod(f[j + 1 : i + 1]) for j in x.j] for i in x.i]
    weight = np.where(causal(x), np.exp(scores(x.q, x.k)) * kept, 0)
    return weight @ x.v / weight.sum(1, keepdims=True)
