# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs examples on the GPU and compares every row with the Reference.

usage: run_examples.py RAPT EXAMPLES RUNNER TARGET DTYPE DIM [NAME...]

RAPT is the program, RUNNER the folder of ahead_of_time.py. Every call is made
three times: as it is, without maps for the copy engine, and with keys that begin
at an odd element. Without names every
example that compiles for TARGET is run, and how many these are is printed. The
error of a row is its largest difference over the features, as a fraction of the
row's largest number. It may be twice the roundings of a kernel of this kind:
that of the result and that of the weights, half a unit in the last place each.
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

BOUND = {"bf16": 4 * 2.0**-9, "f16": 4 * 2.0**-12}[DTYPE]
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


def save(path, tensor):
    if tensor.dtype == torch.bfloat16:
        array = tensor.view(torch.int16).numpy().view("V2")
    else:
        array = tensor.numpy()
    numpy.save(path, array)


def moveByOne(tensor):
    """The same in memory that begins one element later."""
    memory = torch.empty(tensor.numel() + 1, dtype=tensor.dtype, device=tensor.device)
    moved = memory[1:].view(tensor.shape)
    moved.copy_(tensor)
    return moved


def compare(found, wanted):
    """The largest error of a row."""
    found, wanted = found.double().cpu(), torch.from_numpy(wanted)
    if not torch.equal(found.isnan(), wanted.isnan()):
        return float("inf")
    scale = wanted.abs().amax(-1)
    error = (found - wanted).abs().amax(-1)
    error = torch.where(scale > 0, error / scale, torch.where(error > 0, torch.inf, 0.0))
    return error.nan_to_num(0.0).max().item() if error.numel() else 0.0


def compareLse(found, wanted):
    found, wanted = found.double().cpu(), torch.from_numpy(wanted)
    same = (found == wanted) | (found.isnan() & wanted.isnan())
    error = (found - wanted).abs() / wanted.abs().clamp_min(1)
    return torch.where(same, 0.0, error).max().item()


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
    problems, worst = [], 0
    for number, shape in enumerate(SHAPES):
        generator = torch.Generator().manual_seed(number)
        tensors, options = {}, []
        for argument in kernel.manifest["arguments"]:
            tensor = randomTensor(argument, shape, generator)
            file = folder / f"{argument['name']}.npy"
            save(file, tensor)
            options += ["--in", f"{argument['name']}={file}"]
            tensors[argument["name"]] = tensor.cuda()
        results = kernel.manifest["results"]
        for result in results:
            options += ["--out", f"{result['name']}={folder}/ref_{result['name']}.npy"]
        checked = subprocess.run(
            [RAPT, "check", path, f"--dtype={DTYPE}", *options],
            capture_output=True,
            text=True,
        )
        if checked.returncode != 0:
            problems.append(checked.stderr.strip().splitlines()[0])
            continue
        wanted = {
            result["name"]: numpy.load(folder / f"ref_{result['name']}.npy")
            for result in results
        }
        moved = dict(tensors)
        if "k" in moved:
            moved["k"] = moveByOne(tensors["k"])
        for way, runner, own in (
            ("", kernel, tensors),
            (" without maps", alone, tensors),
            (" with moved keys", kernel, moved),
        ):
            for result in results:
                own[result["name"]] = torch.full(
                    wanted[result["name"]].shape,
                    float("nan"),
                    dtype=TYPES[result["dtype"]],
                    device="cuda",
                )
            runner.prepare(**own)()
            torch.cuda.synchronize()
            error = compare(own["out"], wanted["out"])
            worst = max(worst, error)
            what = f"shape {number}{way}: error"
            if not error <= BOUND:
                problems.append(f"{what} {error:.2e} above {BOUND:.2e}")
            if "lse" in wanted:
                error = compareLse(own["lse"], wanted["lse"])
                if not error <= 1e-5:
                    problems.append(f"{what} of lse {error:.2e}")
    if not problems:
        print(f"{path.stem}: {worst:.2e}", flush=True)
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
