# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Weights (1 - g_j) prod_{s = j + 1 .. i} g_s on the random features' kernel."""

import numpy as np
from drive import SHAPES
from formulas import causal, l2norm, logsigmoid, sigmoid

CASES = [{**shape, "features": 32} for shape in SHAPES]
INPUTS = {"w": "features dim", "gate": "batch heads keys"}
WRONG = [("z = g * z", "z = z"), ("(1 - g) * outer", "outer"), ("l2norm(k)", "k")]


def head(x):
    fq, fk = (np.exp(1j * l2norm(rows) @ x.w.T) for rows in (x.q, x.k))
    passed = np.cumsum(logsigmoid(x.gate))
    decay = np.exp(np.minimum(passed[x.i][:, None] - passed[None], 0))
    weight = (fq @ fk.conj().T).real * decay * sigmoid(-x.gate)
    weight = np.where(causal(x), weight, 0)
    return weight @ x.v / weight.sum(1, keepdims=True)
