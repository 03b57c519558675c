# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form."""

import numpy as np
from drive import SHAPES
from formulas import causal, rmsnorm, rotate, scores, sigmoid, silu

CASES = [{**shape, "dim": 2 * shape["dim"]} for shape in SHAPES]
INPUTS = {"a": "batch heads keys", "gate": "batch heads queries vdim"}
WRONG = [("/ 16", "/ 8"), ("rope(k)", "k"), ("rmsnorm(dot(q, S))", "dot(q, S)")]


def head(x):
    gamma = sigmoid(x.a) ** (1 / 16)
    decay = [[np.prod(gamma[j + 1 : i + 1]) for j in x.j] for i in x.i]
    score = scores(rotate(x.q, x.i), rotate(x.k, x.j)) * decay
    return silu(x.gate) * rmsnorm(np.where(causal(x), score, 0) @ x.v)
