# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiles specs for another CPU, links them to a C program through the header
that the compiler writes, runs that under an emulator, and compares its results
with those of a kernel for this machine, which is checked by the Reference.

usage: cross.py TARGET CC EMULATOR EXAMPLES FOLDER NAME:DTYPE[:ROWS]...

CC and EMULATOR may have arguments; NAME may be `*` for every example; ROWS is the
value of --few-rows.
"""

import json
import pathlib
import shlex
import subprocess
import sys

import numpy as np

LENGTHS = {"batch": 2, "heads": 4, "kv_heads": 2, "groups": 2}
LENGTHS |= {"queries": 37, "keys": 75}
FEATURES = {"dim": 24, "vdim": 20}
PARAMS = {
    "sliding_window": {"window": 24, "sinks": 3},
    "strided": {"s": 20},
    "natten2d": {"w": 9, "r": 2},
    "mla": {"nope": 7, "rotary": 6, "latent": 9},
}
# Results of one kernel and of another differ by the order of sums, and by one
# rounding to the type of the result.
TOLERANCE = {"f32": 2e-5, "f16": 2e-3, "bf16": 2e-2}
NUMPY = {"f32": "<f4", "f16": "<f2", "bf16": "|V2", "bool": "|b1"}
NUMPY |= {"i8": "|i1", "i16": "<i2", "i32": "<i4", "i64": "<i8", "u8": "|u1"}


def sizesOf(tensor):
    return [
        axis["extent"] if axis["extent"] >= 0 else LENGTHS[axis["name"]]
        for axis in tensor["axes"]
    ]


def makeTensor(tensor, random):
    sizes, dtype = sizesOf(tensor), tensor["dtype"]
    if dtype == "bool":
        return random.random(sizes) < 0.5
    if dtype not in TOLERANCE:
        return random.integers(0, LENGTHS["keys"], sizes).astype(NUMPY[dtype])
    values = random.standard_normal(sizes).astype("<f4")
    if dtype == "bf16":
        return (values.view("<u4") >> 16).astype("<u2").view("|V2")
    return values.astype(NUMPY[dtype])


def toReal(array, dtype):
    if dtype != "bf16":
        return array.astype("<f8")
    return (array.view("<u2").astype("<u4") << 16).view("<f4").astype("<f8")


def makeProgram(name, manifest):
    """The C program: reads NAME.bin of every argument, writes that of results."""
    lines = [f'#include "{name}.h"', "#include <stdio.h>", "#include <string.h>"]
    lines += ["int main(void) {", f"  {name}_args args;", "  FILE *file;"]
    lines += ["  memset(&args, 0, sizeof args);"]
    results = [tensor["name"] for tensor in manifest["results"]]
    tensors = manifest["arguments"] + manifest["results"]
    for tensor in tensors:
        sizes = sizesOf(tensor)
        count, label = int(np.prod(sizes)), tensor["name"]
        size = np.dtype(NUMPY[tensor["dtype"]]).itemsize
        lines += [f"  static _Alignas(8) char {label}_data[{count * size}];"]
        lines += [f"  args.{label} = {label}_data;"]
        for place, extent in enumerate(sizes):
            stride = int(np.prod(sizes[place + 1 :]))
            lines += [f"  args.{label}_sizes[{place}] = {extent};"]
            lines += [f"  args.{label}_strides[{place}] = {stride};"]
        if label not in results:
            lines += [f'  file = fopen("{label}.bin", "rb");']
            lines += [f"  if (!file || fread({label}_data, {size}, {count}, file)"]
            lines += [f"      != {count}) return 2;", "  fclose(file);"]
    lines += [f"  if ({name}_call(&args)) return 3;"]
    for label in results:
        lines += [f'  file = fopen("{label}.bin", "wb");']
        lines += [f"  fwrite({label}_data, sizeof {label}_data, 1, file);"]
        lines += ["  fclose(file);"]
    return "\n".join(lines + ["  return 0;", "}", ""])


def worstOf(found, expected):
    """The largest error of an element compared with the largest of its row."""
    finite = np.isfinite(expected)
    if not (np.isfinite(found) == finite).all():
        return float("inf")
    if not (found[~finite] == expected[~finite]).all():
        return float("inf")
    found, expected = np.where(finite, found, 0), np.where(finite, expected, 0)
    size = np.maximum(np.abs(expected).max(-1, keepdims=True, initial=0), 0.05)
    return (np.abs(found - expected) / size).max(initial=0)


def check(target, cc, emulator, spec, dtype, rows, folder):
    name = spec.stem
    folder.mkdir(parents=True, exist_ok=True)
    run = lambda command: subprocess.run(command, cwd=folder, check=True)
    options = [f"--dtype={dtype}"]
    for param, value in PARAMS.get(name, {}).items():
        options += ["-p", f"{param}={value}"]
    shape = LENGTHS | ({} if name == "mla" else FEATURES)
    if name == "mla":
        del shape["kv_heads"]
    compiled = {axis: n for axis, n in shape.items() if axis in FEATURES}
    listed = ",".join(f"{axis}={extent}" for axis, extent in compiled.items())
    command = ["rapt", "compile", spec, *options, f"--target={target}"]
    if listed:
        command += [f"--shape={listed}"]
    command += [f"--few-rows={rows}"]
    run(command + ["--emit=obj", "-o", f"{name}.o"])
    manifest = json.loads((folder / f"{name}.json").read_text())

    random = np.random.default_rng(7)
    command = ["rapt", "run", spec, *options, "--check=all", "--no-cache"]
    command += ["--threads=1", "--repeats=1", "--json"]
    for tensor in manifest["arguments"]:
        array = makeTensor(tensor, random)
        (folder / f"{tensor['name']}.bin").write_bytes(array.tobytes())
        np.save(folder / f"{tensor['name']}.npy", array)
        command += [f"--in={tensor['name']}={tensor['name']}.npy"]
    run(command + ["--out=out=host_out.npy", "--out=lse=host_lse.npy"])

    (folder / "main.c").write_text(makeProgram(name, manifest))
    # No library of mathematics: what the code needs, it brings.
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    run([*cc, *warnings, "main.c", f"{name}.o", "-o", "main"])
    run([*emulator, "./main"])
    for tensor in manifest["results"]:
        label = tensor["name"]
        expected = np.load(folder / f"host_{label}.npy")
        raw = (folder / f"{label}.bin").read_bytes()
        found = np.frombuffer(raw, NUMPY[tensor["dtype"]]).reshape(expected.shape)
        found = toReal(found, tensor["dtype"])
        expected = toReal(expected.view(NUMPY[tensor["dtype"]]), tensor["dtype"])
        worst = worstOf(found, expected)
        form = f" {rows} rows" if rows else ""
        print(f"{name} {dtype}{form} {label}: {worst:.2e}")
        if not worst <= TOLERANCE[tensor["dtype"]]:
            return f"{name} {dtype}: {label} differs by {worst}"
    return None


def getCompiled():
    """The lines without a comment of the list that names what compiles."""
    place = pathlib.Path(__file__).parents[3] / "tools/rapt/Inputs"
    lines = (place / "compiled_examples.txt").read_text().splitlines()
    return {line.strip() for line in lines if "#" not in line}


def main():
    target, cc, emulator, examples, folder, *requests = sys.argv[1:]
    failures = []
    for request in requests:
        pattern, dtype, *rows = request.split(":")
        rows = int(rows[0]) if rows else 0
        specs = sorted(pathlib.Path(examples).glob(pattern + ".attn"))
        if pattern == "*":  # those that kernels are tested with
            specs = [spec for spec in specs if spec.stem in getCompiled()]
        if not specs:
            failures.append(f"there is no example {pattern}")
        for spec in specs:
            place = pathlib.Path(folder) / f"{spec.stem}-{dtype}-{rows}"
            commands = shlex.split(cc), shlex.split(emulator)
            failure = check(target, *commands, spec, dtype, rows, place)
            failures += [failure] if failure else []
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()
