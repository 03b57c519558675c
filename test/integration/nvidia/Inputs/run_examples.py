# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs examples on the GPU and compares every row with the Reference.

usage: run_examples.py RAPT EXAMPLES RUNNER TARGET DTYPE DIM [NAME...]

RAPT is the program, RUNNER the folder of ahead_of_time.py. Every call is made
three times: as it is, without maps for the copy engine, and with keys that begin
at an odd element, where memory around all tensors is NaN. Then once more with
values of which some are infinite or NaN. Without names every
example that compiles for TARGET is run, and how many these are is printed. The
judge is the error rule (docs/numerics.md), where the plain implementation rounds
the operands of products as the GPU does.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

RAPT, EXAMPLES, RUNNER, TARGET, DTYPE, DIM = sys.argv[1:7]
NAMES = sys.argv[7:]
sys.path.insert(0, RUNNER)
from ahead_of_time import Kernel  # noqa: E402

TYPES = {
    "bf16": torch.bfloat16,
    "f16": torch.float16,
    "f32": torch.float32,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "u8": torch.uint8,
    "bool": torch.bool,
}
# A pair that is kept may have the weight 0, which then meets its value or does
# not, as the tile is whole or partial.
HAVE_ZERO_WEIGHTS = {"alibi", "dropout", "flash", "gau"}
# Steps of too much code are not walked twice (TileToNv/CarefulLoop.cpp).
ARE_NOT_CAREFUL = {"magicpig"}
SHAPES = [
    {"batch": 2, "heads": 4, "kv_heads": 2, "queries": 333, "keys": 429},
    {"batch": 1, "heads": 2, "kv_heads": 2, "queries": 700, "keys": 700},
    {"batch": 2, "heads": 3, "kv_heads": 1, "queries": 3, "keys": 65},
]


def randomTensor(argument, shape, generator):
    sizes = [
        axis["extent"] if axis["extent"] >= 0 else shape.get(axis["name"], 5)
        for axis in argument["axes"]
    ]
    dtype = TYPES[argument["dtype"]]
    if dtype.is_floating_point:
        tensor = torch.randn(sizes, generator=generator)
        axes = argument["axes"]
        if len(axes) > 1 and axes[-1]["feature"] and axes[-2]["feature"]:
            tensor /= sizes[-1] ** 0.5
    elif dtype == torch.bool:
        tensor = torch.rand(sizes, generator=generator) < 0.5
    elif argument["axes"] and argument["axes"][-1]["name"] in ("queries", "keys"):
        begins = torch.rand(sizes, generator=generator) < 8 / sizes[-1]
        tensor = begins.int().cumsum(-1)
    else:
        tensor = torch.randint(0, shape["keys"], sizes, generator=generator)
    return tensor.to(dtype)


def findExtents(manifest, tensors):
    extents = {}
    for argument in manifest["arguments"]:
        for axis, size in zip(argument["axes"], tensors[argument["name"]].shape):
            extents[axis["name"]] = size
    extents.setdefault("heads", extents.get("kv_heads"))
    extents.setdefault("queries", extents.get("keys"))
    return extents


def save(path, tensor):
    if tensor.dtype == torch.bfloat16:
        array = tensor.view(torch.int16).numpy().view("V2")
    else:
        array = tensor.numpy()
    numpy.save(path, array)


def surround(tensor, before):
    """The same in memory that begins `before` elements later and has NaNs on
    both sides."""
    if not tensor.dtype.is_floating_point:
        return tensor
    around = 64
    memory = torch.full(
        (tensor.numel() + 2 * around,),
        float("nan"),
        dtype=tensor.dtype,
        device=tensor.device,
    )
    begin = around - 8 + before
    moved = memory[begin : begin + tensor.numel()].view(tensor.shape)
    moved.copy_(tensor)
    return moved


def spoil(tensor, generator):
    """Some elements become infinite or NaN."""
    spoilt = tensor.clone()
    for value in (float("nan"), float("inf"), float("-inf")):
        for _ in range(3):
            place = [
                torch.randint(0, size, (1,), generator=generator).item()
                for size in tensor.shape
            ]
            spoilt[tuple(place)] = value
    return spoilt


class Judge:
    """What the Reference says of results of one example and one shape."""

    def __init__(self, path, folder):
        self.path, self.folder, self.known = path, folder, []
        self.worst = 0

    def setInputs(self, tensors):
        self.options, self.known = [], []
        for name, tensor in tensors.items():
            file = self.folder / f"{name}.npy"
            save(file, tensor.cpu())
            self.options += ["--in", f"{name}={file}"]

    def isWrong(self, results):
        """Nothing, or what is wrong. The same bits need no second opinion."""
        bits = {name: tensor.cpu().view(torch.uint8) for name, tensor in results}
        for known, verdict in self.known:
            if all(torch.equal(bits[name], known[name]) for name in bits):
                return verdict
        options = []
        for name, tensor in results:
            file = self.folder / f"found_{name}.npy"
            save(file, tensor.cpu())
            options += ["--against", f"{name}={file}"]
        checked = subprocess.run(
            [RAPT, "check", self.path, f"--dtype={DTYPE}", "--json", "--threads=2"]
            + [f"--operands={DTYPE}", *self.options, *options],
            capture_output=True,
            text=True,
        )
        verdict = ""
        if not checked.stdout.strip():
            verdict = checked.stderr.strip().splitlines()[-1]
        else:
            found = json.loads(checked.stdout)["found"]
            if not found["passed"]:
                verdict = checked.stderr.strip().splitlines()[-1]
            elif found["rows_checked"] + found["rows_skipped"] == 0:
                verdict = "no row was checked"
            else:
                self.worst = max(
                    self.worst, found["max_error"] / found["error_bound"]
                )
        self.known.append((bits, verdict))
        return verdict


def run(path, folder):
    base = folder / path.stem
    compiled = subprocess.run(
        [RAPT, "compile", path, f"--target={TARGET}", f"--dtype={DTYPE}"]
        + [f"--shape=dim={DIM},vdim={DIM}", "-o", f"{base}.cubin"],
        capture_output=True,
        text=True,
    )
    if compiled.returncode != 0:
        return None if not NAMES else [compiled.stderr.strip()]
    kernel = Kernel(f"{base}.cubin")
    alone = Kernel(f"{base}.cubin", hasMaps=False)
    problems = []
    judge = Judge(path, folder)
    for number, shape in enumerate(SHAPES):
        generator = torch.Generator().manual_seed(number)
        tensors = {
            argument["name"]: randomTensor(argument, shape, generator)
            for argument in kernel.manifest["arguments"]
        }
        extents = findExtents(kernel.manifest, tensors)

        def check(what, runner, own):
            results = [
                (
                    result["name"],
                    torch.full(
                        [
                            axis["extent"] if axis["extent"] >= 0 else extents[axis["name"]]
                            for axis in result["axes"]
                        ],
                        float("nan"),
                        dtype=TYPES[result["dtype"]],
                        device="cuda",
                    ),
                )
                for result in kernel.manifest["results"]
            ]
            runner.prepare(**own, **dict(results))()
            torch.cuda.synchronize()
            verdict = judge.isWrong(results)
            if verdict:
                problems.append(f"shape {number}{what}: {verdict}")

        onDevice = {name: tensor.cuda() for name, tensor in tensors.items()}
        judge.setInputs(tensors)
        check("", kernel, onDevice)
        check(" without maps", alone, onDevice)
        check(
            " with moved keys",
            kernel,
            {
                name: surround(tensor, 1 if name == "k" else 0)
                for name, tensor in onDevice.items()
            },
        )
        isSpoilt = "v" in tensors and path.stem not in HAVE_ZERO_WEIGHTS | ARE_NOT_CAREFUL
        if isSpoilt and tensors["v"].is_floating_point():
            onDevice["v"] = spoil(onDevice["v"], generator)
            judge.setInputs(onDevice)
            check(" with spoilt values", kernel, onDevice)
            check(" with spoilt values, without maps", alone, onDevice)
    if not problems:
        print(f"{path.stem}: {judge.worst:.2f} of what is allowed", flush=True)
    return problems


def main():
    paths = sorted(pathlib.Path(EXAMPLES).glob("*.attn"))
    if NAMES:
        paths = [pathlib.Path(EXAMPLES) / f"{name}.attn" for name in NAMES]
    count = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            try:
                problems = run(path, pathlib.Path(folder))
            except RuntimeError as error:
                problems = [str(error).splitlines()[0]]
            if problems is None:
                continue
            count += 1
            failed += bool(problems)
            for problem in problems:
                print(f"{path.stem}: FAILED: {problem}", flush=True)
    print(f"{count} run, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
