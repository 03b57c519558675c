# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every query sees every key of another sequence: no position has a say."""

from formulas import attend, scores

WRONG = [("let i = row", "let i = row mask = i >= j")]


def head(x):
    return attend(scores(x.q, x.k), True, x.v)
