# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Writes q, k and v of 2 heads, 7 queries, 9 keys, dim 8, vdim 5 to a folder, and
files that are none or do not fit."""

import pathlib
import sys

import numpy

folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
random = numpy.random.default_rng(1)


def save(name, array):
    numpy.save(folder / (name + ".npy"), array)


for name, length, width in ("q", 7, 8), ("k", 9, 8), ("v", 9, 5):
    tensor = random.standard_normal((1, 2, length, width)).astype(numpy.float32)
    save(name, tensor)
    save(name + "_tokens_first", numpy.ascontiguousarray(tensor.swapaxes(1, 2)))
q = numpy.load(folder / "q.npy")
save("double", q.astype(numpy.float64))
save("rank", q[0])
save("fortran", numpy.asfortranarray(q))
save("narrow", random.standard_normal((1, 2, 9, 6)).astype(numpy.float32))
save("short", random.standard_normal((1, 2, 8, 5)).astype(numpy.float32))
save("ids_short", numpy.zeros((1, 8), numpy.int32))
save("ids_long", numpy.zeros((1, 10), numpy.int32))
save("ids_wide", numpy.zeros((1, 9), numpy.int64))
save("ids_extreme", numpy.array([[-(2**31), -5, 0, 0, 3, 9, 9, 2**31 - 1, 2**31 - 1]], numpy.int32))
(folder / "cut.npy").write_bytes((folder / "q.npy").read_bytes()[:-20])
(folder / "text.npy").write_text("no tensor")
