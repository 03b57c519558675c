# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The draft tree of speculative decoding: a node sees the text before the tree,
itself and the nodes above it, found here by walking up."""

import numpy as np
from formulas import attend, scores

NODES = 7
CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=7, keys=20, dim=5, vdim=3, nodes=7),
    dict(batch=1, heads=2, kv_heads=1, queries=5, keys=12, dim=8, vdim=4, nodes=7),
    dict(batch=1, heads=2, kv_heads=2, queries=9, keys=9, dim=4, vdim=7, nodes=7),
]
# Parents of the nodes of the tree; -1 is the text before it.
PARENTS = [-1, 0, 0, 1, 1, 2, 3]


def above(node):
    path = []
    while node >= 0:
        path.append(node)
        node = PARENTS[node]
    return path


def bitmaps(random, n):
    tree = np.zeros((NODES, NODES), bool)
    for node in range(NODES):
        tree[node, above(node)] = True
    return np.broadcast_to(tree, n.sizes).copy()


def bases(random, n):
    # The last case has queries in front of the tree.
    return np.full(n.sizes, n.keys - NODES, np.int32)


INPUTS = {
    "base": ("batch", bases, "i4"),
    "seen": ("batch nodes nodes", bitmaps, "?"),
}
WRONG = [
    ("seen[i - base, j - base]", "seen[j - base, i - base]"),
    ("j < base", "j <= base"),
    ("j < base |", ""),
]


def head(x):
    out = np.zeros((x.queries, x.v.shape[1]))
    base = x.keys - NODES
    for row, i in enumerate(x.i):
        seen = list(range(base))
        if i >= base:
            seen += [base + node for node in above(i - base)]
        if seen:
            seen = np.array(seen)
            one = attend(scores(x.q[[row]], x.k[seen]), True, x.v[seen])
            out[row] = one[0]
    return out
