# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Counts of `rapt explain --json` against enumeration of every pair.

    check_explanation.py FILE.json causal
    check_explanation.py FILE.json window WINDOW SINKS
    check_explanation.py FILE.json documents IDS.npy
    check_explanation.py FILE.json dilated
    check_explanation.py FILE.json strided STRIDE
    check_explanation.py FILE.json natten WIDTH RADIUS
    check_explanation.py FILE.json none

The tiles that a kernel visits must be exactly those with a pair, and those
that it takes as full exactly those with all; a tile that the end of the keys
cuts is partial.
"""

import json
import sys

import numpy as np


def keptPairs(name, arguments, queries, keys):
    """[heads with a mask of their own, queries, keys], of batch 0."""
    j = np.arange(keys)
    i = np.arange(queries)[:, None] + keys - queries
    causal = i >= j
    if name == "none":
        return np.ones((1, queries, keys), bool)
    if name == "causal":
        return causal[None]
    if name == "window":
        window, sinks = map(int, arguments)
        return (causal & ((i - j < window) | (j < sinks)))[None]
    if name == "dilated":
        return (causal & ((i - j) % 16 == 0) & (i - j < 4096))[None]
    if name == "strided":
        s = int(arguments[0])
        return (causal & ((i - j < s) | (j % s >= s - 4)))[None]
    if name == "natten":
        w, r = map(int, arguments)
        near = (abs(i // w - j // w) <= r) & (abs(i % w - j % w) <= r)
        return near[None]
    if name == "documents":
        ids = np.load(arguments[0])
        return np.array([causal & (doc[i] == doc[j]) for doc in ids])
    raise SystemExit(f"unknown mask {name}")


def classes(kept, rows, columns):
    """How many tiles have no pair, all pairs, some."""
    counts = {"empty": 0, "full": 0, "partial": 0}
    for head in kept:
        for row in range(0, head.shape[0], rows):
            for column in range(0, head.shape[1], columns):
                tile = head[row : row + rows, column : column + columns]
                isFull = tile.all() and tile.shape[1] == columns
                name = "full" if isFull else "partial" if tile.any() else "empty"
                counts[name] += 1
    return counts


def expect(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what} is {found}, expected {expected}")
    print(f"{what} is {found}")


def main(path, name, *arguments):
    with open(path) as file:
        explanation = json.load(file)
    shape = explanation["shape"]
    (loop,) = explanation["loops"]
    kept = keptPairs(name, arguments, shape["queries"], shape["keys"])
    copies = shape["batch"] * shape["heads"] // len(kept)
    expect("pairs", loop["pairs"], kept.size * copies)
    expect("kept_pairs", loop["kept_pairs"], int(kept.sum()) * copies)
    expect("kept_pairs_error", loop["kept_pairs_error"], 0)
    flops = 2 * (shape["dim"] + shape["vdim"]) * int(kept.sum()) * copies
    expect("flops", explanation["flops"], flops)
    if name == "none":
        expect("tiles", loop["tiles"], None)
        return
    tiles = loop["tiles"]
    if tiles.pop("listed"):
        # In an order of the kernel's own: every pair is still visited.
        if not kept.sum() * copies <= loop["visited_pairs"] <= 2 * kept.size * copies:
            raise SystemExit(f"visited_pairs is {loop['visited_pairs']}")
        return
    expect("heads", tiles.pop("heads"), len(kept))
    expected = classes(kept, tiles.pop("queries"), tiles.pop("keys"))
    expect("tiles", tiles, expected)


main(*sys.argv[1:])
