# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A sigmoid for every pair, with the bias -log of the number of keys."""

import numpy as np
from formulas import scores, sigmoid

WRONG = [("log(keys)", "log(queries)"), ("sigmoid(", "exp(")]


def head(x):
    return sigmoid(scores(x.q, x.k) - np.log(x.keys)) @ x.v
