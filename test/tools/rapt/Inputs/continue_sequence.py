# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A sequence in two parts by `rapt check`, the second from the states of the first,
against the whole of it: continue_sequence.py SPEC FOLDER STATE..."""

import pathlib
import subprocess
import sys

import numpy

spec, folder, *states = sys.argv[1:]
folder = pathlib.Path(folder)
folder.mkdir(exist_ok=True)
random = numpy.random.default_rng(3)
whole = {
    "q": random.standard_normal((2, 4, 9, 3)),
    "k": random.standard_normal((2, 2, 9, 3)),
    "v": random.standard_normal((2, 2, 9, 5)),
    "f": random.standard_normal((2, 4, 9)),
    "g": random.standard_normal((2, 4, 9)),
}


def check(tensors, *options):
    command = ["rapt", "check", spec, f"--out=out={folder}/out.npy", *options]
    for name, values in tensors.items():
        numpy.save(folder / f"{name}.npy", values.astype("f4"))
        command.append(f"--in={name}={folder}/{name}.npy")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return numpy.load(folder / "out.npy")


def cut(begin, end):
    return {name: values[:, :, begin:end] for name, values in whole.items()}


expected = check(whole)
give = [f"--out={name}={folder}/{name}_after.npy" for name in states]
first = check(cut(0, 4), "--states=out", *give)
after = {name: numpy.load(folder / f"{name}_after.npy") for name in states}
second = check({**cut(4, 9), **after}, "--states=in")
# Stored states are f32.
numpy.testing.assert_allclose(
    numpy.concatenate([first, second], 2), expected, rtol=1e-5, atol=1e-5
)
assert not numpy.allclose(check(cut(4, 9)), expected[:, :, 4:], atol=1e-3)
print("equal", *(values.shape for values in after.values()))
