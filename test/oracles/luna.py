# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Two attentions, one after the other."""

from drive import SHAPES
from formulas import attend, scores

CASES = [{**shape, "slots": 3, "vdim": shape["dim"]} for shape in SHAPES]
INPUTS = {
    "k": None,
    "v": None,
    "pack_query": "heads slots dim",
    "c": "batch keys dim",
    "wk": "heads dim dim",
    "wv": "heads dim dim",
}
WRONG = [("matmul(wv, pack)", "matmul(wk, pack)"), ("let q = pack_query", "let q = 2 * pack_query")]


def head(x):
    pack = attend(scores(x.pack_query, x.c), True, x.c)[0]
    return attend(scores(x.q, pack @ x.wk.T), True, pack @ x.wv.T)
