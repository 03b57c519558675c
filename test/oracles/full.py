# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every query sees every key."""

from formulas import attend, scores

WRONG = [("full { }", "full { score = dot(q, k) }")]


def head(x):
    return attend(scores(x.q, x.k), True, x.v)
