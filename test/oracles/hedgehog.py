# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Each half is a softmax of its own."""

import numpy as np
from drive import SHAPES
from formulas import causal_ratio, softmax

CASES = [{**shape, "features": 6} for shape in SHAPES]
INPUTS = {"w": "heads features dim"}
WRONG = [("softmax(-yk)", "softmax(yk)"), ("softmax(yq), softmax(-yq)", "exp(yq), exp(-yq)")]


def features(y):
    return np.c_[softmax(y), softmax(-y)]


def head(x):
    return causal_ratio(x, features(x.q @ x.w.T), features(x.k @ x.w.T))
