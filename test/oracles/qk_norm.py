# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Queries and keys of length one, a learned temperature for each head."""

import numpy as np
from formulas import attend, causal, l2norm

INPUTS = {"tau": ("heads", lambda x: 5 + x)}
WRONG = [("let k = l2norm(k)", "let k = k"), ("tau *", "2 * tau *")]


def head(x):
    return attend(x.tau * l2norm(x.q) @ l2norm(x.k).T, causal(x), x.v)
