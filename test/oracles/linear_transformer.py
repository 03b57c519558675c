# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form."""

from formulas import causal_ratio, elu1

WRONG = [("fk = elu(k) + 1", "fk = elu(k) + 2"), ("0.000001", "0.0001"), ("z + fk", "z + 2 * fk")]


def head(x):
    return causal_ratio(x, elu1(x.q), elu1(x.k), eps=1e-6)
