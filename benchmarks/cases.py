# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The cases of the suite: what `rapt run` and its peers are timed on."""

import dataclasses
import pathlib
import random
import struct

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Where documents end, as parts of the sequence.
ENDS = (0.05, 0.13, 0.25, 0.42, 0.6, 0.83, 1.0)


@dataclasses.dataclass(frozen=True)
class Case:
    """One call. `example` is a file of examples/, `params` its params."""

    group: str
    example: str
    length: int
    dim: int
    dtype: str = "f32"
    heads: int = 2
    kvHeads: int = 2
    params: tuple = ()

    @property
    def name(self):
        text = f"{self.example} {self.dtype} N={self.length} D={self.dim}"
        text += f" H={self.heads}"
        if self.kvHeads != self.heads:
            text += f"/{self.kvHeads}"
        return text + "".join(f" {name}={value}" for name, value in self.params)


def makeSuite():
    """All cases, in the order of their groups."""
    suite = []

    def add(group, example, length, dim, **rest):
        suite.append(Case(group, example, length, dim, **rest))

    both = ("full", "causal")
    for example in both:
        for dim in (64, 128):
            for length in (1024, 4096, 16384):
                heads = 2 if length < 16384 else 1
                add("prefill", example, length, dim, heads=heads, kvHeads=heads)
    add("prefill", "causal", 32768, 128, heads=1, kvHeads=1)
    for example in both:
        for length in (64, 128, 256, 512):
            add("short", example, length, 64, heads=8, kvHeads=8)
    for example in both:
        for dim in (32, 64, 80, 96, 128, 192, 256):
            add("widths", example, 2048, dim)
    for dim in (33, 47, 65, 81, 100, 127):
        add("odd widths", "full", 2048, dim)
    for dtype in ("bf16", "f16"):
        for example in both:
            for dim in (64, 128):
                add("types", example, 4096, dim, dtype=dtype)
    for kvHeads in (8, 2, 1):
        add("grouped heads", "llama", 2048, 128, heads=8, kvHeads=kvHeads)
    for example, params in (
        ("sliding_window", (("window", 1024), ("sinks", 0))),
        ("sliding_window", (("window", 1024), ("sinks", 4))),
        ("gemma2_local", ()), ("documents", ()), ("prefix_lm", ()),
        ("dilated", ()), ("strided", ()), ("natten2d", (("w", 64),)),
        ("duo", ()), ("alibi", ()), ("softcap", ()), ("sinks", ()),
        ("sigmoid_attn", ()), ("relative_bias", ()), ("cross", ()),
        ("dropout", ()),
    ):  # fmt: skip
        add("masks", example, 4096, 128, params=params)
    return suite


def getIntegers(case):
    """The tensors of integers that a case needs: name, shape, values."""
    if case.example == "prefix_lm":
        return [("prefix", (1,), [case.length // 3])]
    if case.example == "documents":
        ids = [sum(n >= end * case.length for end in ENDS)
               for n in range(case.length)]
        return [("doc", (1, case.length), ids)]
    return []


def writeIntegers(path, values, shape):
    """A .npy file of i32, so that NumPy need not be there."""
    text = "(" + "".join(f"{extent}, " for extent in shape) + ")"
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': {text}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
        file.write(header.encode())
        file.write(struct.pack(f"<{len(values)}i", *values))


def getCommand(rapt, case, threads, repeats, folder):
    """The command line that times a case; files go to `folder`."""
    command = [
        rapt, "run", str(ROOT / "examples" / f"{case.example}.attn"), "--json",
        "--check=none", f"--threads={threads}", f"--repeats={repeats}",
        f"--dtype={case.dtype}",
        f"--shape=batch=1,heads={case.heads},kv_heads={case.kvHeads},"
        f"queries={case.length},keys={case.length},dim={case.dim},"
        f"vdim={case.dim}",
    ]  # fmt: skip
    for name, shape, values in getIntegers(case):
        path = folder / f"{name}-{case.length}.npy"
        if not path.exists():
            writeIntegers(path, values, shape)
        command.append(f"--in={name}={path}")
    for name, value in case.params:
        command += ["-p", f"{name}={value}"]
    return command


def shuffled(cases, seed):
    """The cases in another order, so that none always follows the same one."""
    order = list(cases)
    random.Random(seed).shuffle(order)
    return order
