# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compares causal attention of `rapt run` on the tensors of make_tensors.py with
NumPy: compare.py FOLDER OUT LSE bhnd|bnhd."""

import pathlib
import sys

import numpy

folder, outPath, lsePath, layout = sys.argv[1:]
q, k, v = (
    numpy.load(pathlib.Path(folder) / (name + ".npy")).astype(float) for name in "qkv"
)
queries, keys = q.shape[2], k.shape[2]
score = q @ k.swapaxes(2, 3) / numpy.sqrt(q.shape[3])
kept = numpy.arange(queries)[:, None] + keys - queries >= numpy.arange(keys)
weight = numpy.where(kept, numpy.exp(score), 0)
total = weight.sum(axis=3, keepdims=True)
out = numpy.load(outPath)
if layout == "bnhd":
    out = out.swapaxes(1, 2)
numpy.testing.assert_allclose(out, weight / total @ v, atol=1e-5)
numpy.testing.assert_allclose(
    numpy.load(lsePath), numpy.log(total)[..., 0], rtol=1e-5, atol=1e-5
)
print("equal")
