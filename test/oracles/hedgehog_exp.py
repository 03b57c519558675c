# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The halves share no factor, so their stabilisers have a say."""

import numpy as np
from drive import SHAPES
from formulas import causal_ratio

CASES = [{**shape, "features": 6} for shape in SHAPES]
INPUTS = {"w": "heads features dim"}
WRONG = [("yk - max(yk)", "yk"), ("min(yq) - yq", "yq - min(yq)")]


def features(y):
    up = y - y.max(1, keepdims=True)
    down = -y - (-y).max(1, keepdims=True)
    return np.exp(np.c_[up, down])


def head(x):
    return causal_ratio(x, features(x.q @ x.w.T), features(x.k @ x.w.T))
