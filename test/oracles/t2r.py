# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Features relu(W x + b)."""

from drive import SHAPES
from formulas import causal_ratio, relu

CASES = [{**shape, "features": 7} for shape in SHAPES]
INPUTS = {"w": "heads features dim", "bias": ("heads features", lambda x: 1 + x)}
WRONG = [("matmul(w, k) + bias", "matmul(w, k)"), ("relu(matmul(w, q) + bias)", "matmul(w, q)")]


def head(x):
    fq, fk = (relu(rows @ x.w.T + x.bias) for rows in (x.q, x.k))
    return causal_ratio(x, fq, fk, eps=1e-6)
