# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""FAVOR+ with its orthogonal blocks; the constant 1/m of the features cancels."""

import numpy as np
from drive import SHAPES
from formulas import causal_ratio


def orthogonal(random, n):
    """Blocks of orthogonal rows with the lengths of Gaussian ones."""
    rows = []
    while len(rows) < n.features:
        rows += list(np.linalg.qr(random.standard_normal((n.dim, n.dim)))[0])
    lengths = np.linalg.norm(random.standard_normal((n.features, n.dim)), axis=1)
    return np.array(rows[: n.features]) * lengths[:, None]


CASES = [{**shape, "features": 2 * shape["dim"] + 3} for shape in SHAPES]
INPUTS = {"w": ("features dim", orthogonal)}
WRONG = [("dot(y, y) / 2) + 0.0001", "dot(y, y)) + 0.0001"), ("0.0001", "0.001"), ("0.25", "0.5")]


def features(x, w):
    x = x * x.shape[1] ** -0.25
    phi = np.exp(x @ w.T - np.linalg.norm(x, axis=1, keepdims=True) ** 2 / 2) + 1e-4
    return phi / np.sqrt(len(w))


def head(x):
    return causal_ratio(x, features(x.q, x.w), features(x.k, x.w))
