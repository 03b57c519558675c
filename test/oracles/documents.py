# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Several documents in one sequence: the same as attention to each alone."""

import numpy as np
from formulas import attend, scores


def documents(random, n):
    return np.cumsum(random.random(n.sizes) < 0.3, axis=-1).astype(np.int32)


INPUTS = {"doc": ("batch keys", documents)}
WRONG = [("doc[i] == doc[j]", "doc[i] >= doc[j]"), ("i >= j", "i + 1 >= j")]


def head(x):
    out = np.zeros((x.queries, x.v.shape[1]))
    for document in np.unique(x.doc):
        keys = x.j[x.doc == document]
        for row, i in enumerate(x.i):
            if x.doc[i] == document:
                seen = keys[keys <= i]
                one = attend(scores(x.q[[row]], x.k[seen]), True, x.v[seen])
                out[row] = one[0]
    return out
