# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""softmax(Q (E K)^T / sqrt d) (F V)"""

from drive import SHAPES
from formulas import attend, scores

CASES = [{**shape, "m": 5} for shape in SHAPES]
INPUTS = {"e": "m keys", "f": "m keys"}
WRONG = [("pool(v, f)", "pool(v, e)"), ("let k = pool(k, e)", "let k = pool(k, f)")]


def head(x):
    return attend(scores(x.q, x.e @ x.k), True, x.f @ x.v)
