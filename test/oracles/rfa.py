# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Sines and cosines as one complex exponential: the real part of a product with a
conjugate."""

import numpy as np
from drive import SHAPES
from formulas import causal, l2norm

CASES = [{**shape, "features": 32} for shape in SHAPES]
INPUTS = {"w": "features dim"}
WRONG = [("l2norm(q)", "q"), ("sin(yk), cos(yk)", "cos(yk), sin(yk)")]


def head(x):
    fq, fk = (np.exp(1j * l2norm(rows) @ x.w.T) for rows in (x.q, x.k))
    weight = np.where(causal(x), (fq @ fk.conj().T).real, 0)
    return weight @ x.v / weight.sum(1, keepdims=True)
