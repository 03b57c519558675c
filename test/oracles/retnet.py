# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form with its own scaling of rows, which the norm undoes. The
angles are 10000^-x for x from 0 to 1, both included."""

import numpy as np
from drive import SHAPES
from formulas import causal, silu

CASES = [{**shape, "dim": 2 * shape["dim"]} for shape in SHAPES]
INPUTS = {"gate": "batch heads queries vdim"}
WRONG = [("-5 - h", "-5"), ("(dim - 2)", "dim"), ("silu(gate)", "gate"), ("1 - pow", "pow")]


def turn(x, positions):
    half = x.shape[1] // 2
    angle = positions[:, None] / 10000 ** np.linspace(0, 1, half)
    return (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angle)


def head(x):
    decay = 1 - 2.0 ** (-5 - x.h)
    distance = np.maximum(x.i[:, None] - x.j[None], 0)
    score = (turn(x.q, x.i) @ turn(x.k, x.j).conj().T).real / np.sqrt(x.q.shape[1])
    out = np.where(causal(x), score * decay**distance, 0) @ x.v
    return silu(x.gate) * out / np.sqrt((out**2).mean(1, keepdims=True) + 1e-5)
