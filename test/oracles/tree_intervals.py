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
]
# Parents of the nodes of the tree; -1 is the text before it.
PARENTS = [-1, 0, 0, 1, 1, 2, 3]


def above(node):
    path = []
    while node >= 0:
        path.append(node)
        node = PARENTS[node]
    return path


def number(node, clock, enter, leave):
    enter[node] = clock
    clock += 1
    for child, parent in enumerate(PARENTS):
        if parent == node:
            clock = number(child, clock, enter, leave)
    leave[node] = clock
    return clock


def numbers(random, n):
    enter, leave = np.zeros(NODES, np.int32), np.zeros(NODES, np.int32)
    number(0, 0, enter, leave)
    return enter, leave


def enters(random, n):
    return np.broadcast_to(numbers(random, n)[0], n.sizes).copy()


def leaves(random, n):
    return np.broadcast_to(numbers(random, n)[1], n.sizes).copy()


def bases(random, n):
    return np.full(n.sizes, n.keys - NODES, np.int32)


INPUTS = {
    "committed": ("batch", bases, "i4"),
    "enter": ("batch nodes", enters, "i4"),
    "leave": ("batch nodes", leaves, "i4"),
}
WRONG = [
    ("enter[x] < leave[y]", "enter[x] <= leave[y]"),
    ("enter[y] <= enter[x]", "enter[y] < enter[x]"),
    ("y < 0 |", ""),
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
