# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compares an example with its oracle: drive.py ORACLE.py [--show]

An oracle test/oracles/NAME.py is a module about examples/NAME.attn with

    CASES    shapes and params; by default SHAPES below. A case is a dictionary of
             extents; `p` holds params, `seed` a seed of its own. Fewer than four
             cases are run with another seed as well.
    INPUTS   name to axes, "batch heads keys dim", to (axes, how) or to (axes,
             how, type): `how` is a function from standard normal numbers to
             values, or a function with two parameters (random generator, case
             with `sizes`). Integers are i4 without a type. q, k and v are
             there unless they are given as None.
    head(x)  the mechanism for one batch and head. x.q [queries, dim], x.k
             [keys, dim], x.v [keys, vdim] and the other inputs without their
             leading batch, heads, kv_heads and groups; x.i [queries] and x.j
             [keys] positions; x.b, x.h, x.heads, x.queries, x.keys; x.p params;
             x.at(h) the same for another head. Returns out [queries, vdim], or
             out and lse [queries].
    WRONG    pairs (text, other text): a spec with one replaced must fail.

Inputs are rounded to f32 before anything is computed; all of the rest is
float64. Results must agree to 1e-9 of their largest size.
"""

import importlib.util
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types

import numpy

TOLERANCE = 1e-9
SHAPES = [
    dict(batch=2, heads=4, kv_heads=2, queries=13, keys=13, dim=5, vdim=3),
    dict(batch=1, heads=3, kv_heads=1, queries=7, keys=18, dim=8, vdim=4),
    dict(batch=1, heads=2, kv_heads=2, queries=33, keys=33, dim=4, vdim=7),
    dict(batch=2, heads=2, kv_heads=1, queries=1, keys=9, dim=6, vdim=6),
]
DEFAULT_INPUTS = {
    "q": "batch heads queries dim",
    "k": "batch kv_heads keys dim",
    "v": "batch kv_heads keys vdim",
}


class Head:
    """What one head sees."""

    def __init__(self, extents, params, axes, tensors, b, h):
        self.extents, self.p, self.b, self.h = extents, params, b, h
        self._axes, self._tensors = axes, tensors
        self.heads = extents.get("heads", 1)
        self.queries, self.keys = extents["queries"], extents["keys"]
        self.row = numpy.arange(self.queries)
        self.i = self.row + self.keys - self.queries
        self.j = numpy.arange(self.keys)

    def at(self, h):
        """The same for head `h`."""
        return Head(self.extents, self.p, self._axes, self._tensors, self.b, h)

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._tensors:
            raise AttributeError(name)
        tensor = self._tensors[name]
        for axis in self._axes[name]:
            if axis == "batch":
                tensor = tensor[self.b]
            elif axis in ("heads", "kv_heads", "groups"):
                shared = self.heads // self.extents[axis]
                tensor = tensor[self.h // shared]
            else:
                break
        return tensor


def load(path):
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    spec = importlib.util.spec_from_file_location("oracle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_tensors(module, case, seed):
    """Axes and values of every input, f32 numbers in float64 arrays."""
    extents = {name: n for name, n in case.items() if isinstance(n, int)}
    random = numpy.random.default_rng(seed)
    axes, tensors = {}, {}
    for name, given in {**DEFAULT_INPUTS, **getattr(module, "INPUTS", {})}.items():
        if given is None:
            continue
        given = given if isinstance(given, tuple) else (given,)
        names, how, dtype = (given + (None, None))[:3]
        axes[name] = names.split()
        sizes = [int(a) if a.isdigit() else extents[a] for a in axes[name]]
        if how is not None and len(inspect.signature(how).parameters) == 2:
            all_extents = types.SimpleNamespace(
                **extents, sizes=sizes, p=case.get("p", {})
            )
            values = how(random, all_extents)
        else:
            values = random.standard_normal(sizes)
            values = how(values) if how else values
        values = numpy.asarray(values)
        assert list(values.shape) == sizes, f"{name}: {values.shape}, not {sizes}"
        if values.dtype.kind == "f":
            values = values.astype(numpy.float32).astype(numpy.float64)
        else:
            values = values.astype(dtype or ("?" if values.dtype == bool else "i4"))
        tensors[name] = values
    return extents, axes, tensors


def expect(module, extents, params, axes, tensors):
    outs, lses = [], []
    for b in range(extents["batch"]):
        for h in range(extents.get("heads", 1)):
            result = module.head(Head(extents, params, axes, tensors, b, h))
            out, lse = result if isinstance(result, tuple) else (result, None)
            outs.append(out)
            lses.append(lse)
    shape = extents["batch"], extents.get("heads", 1)
    out = numpy.array(outs).reshape(shape + outs[0].shape)
    if lses[0] is None:
        return out, None
    return out, numpy.array(lses).reshape(shape + lses[0].shape)


def evaluate(
    folder, spec, extents, params, tensors, wants_lse, may_leave_out=False
):
    """What `rapt check` gives: out and lse, or a message."""
    command = [os.environ.get("RAPT", "rapt"), "check", str(spec), "--threads=1"]
    for name, values in tensors.items():
        stored = values.astype("f4") if values.dtype.kind == "f" else values
        numpy.save(folder / f"{name}.npy", numpy.asarray(stored, order="C"))
        command.append(f"--in={name}={folder}/{name}.npy")
    command += [f"-p={name}={value}" for name, value in params.items()]
    command += [f"--out=out={folder}/out.npy"]
    command += [f"--out=lse={folder}/lse.npy"] if wants_lse else []
    # What no tensor says: the number of heads, for one.
    command += [f"--shape=heads={extents['heads']}"] if "heads" in extents else []
    done = subprocess.run(command + ["--json"], capture_output=True, text=True)
    # A wrong spec may leave out an input.
    unread = re.search(r"option '--in' gives '(\w+)', but", done.stderr)
    if unread and may_leave_out:
        rest = {name: x for name, x in tensors.items() if name != unread[1]}
        return evaluate(folder, spec, extents, params, rest, wants_lse, True)
    if done.returncode != 0:
        return None, done.stderr
    json.loads(done.stdout)
    out = numpy.load(folder / "out.npy")
    return (out, numpy.load(folder / "lse.npy") if wants_lse else None), ""


def compare(found, expected):
    """The largest difference relative to the largest expected size."""
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    if not numpy.array_equal(numpy.isfinite(found), numpy.isfinite(expected)):
        return "finite in other places than expected"
    where = numpy.isfinite(expected)
    if not numpy.array_equal(found[~where], expected[~where], equal_nan=True):
        return "infinite in another way than expected"
    size = numpy.max(numpy.abs(expected[where]), initial=0)
    error = numpy.max(numpy.abs(found[where] - expected[where]), initial=0)
    if error > TOLERANCE * size:
        return f"differs by {error / max(size, 1e-300):.2e} of the largest number"
    return ""


def run_case(module, spec, case, seed, folder, is_wrong=False):
    """An empty text if the spec and the oracle agree."""
    extents, axes, tensors = make_tensors(module, case, seed)
    params = case.get("p", {})
    out, lse = expect(module, extents, params, axes, tensors)
    if not numpy.isfinite(out).all() or not numpy.any(out):
        return "the oracle gives numbers that are not finite, or zeros only"
    found, message = evaluate(
        folder, spec, extents, params, tensors, lse is not None, is_wrong
    )
    if found is None:
        return message.strip()
    problem = compare(found[0], out)
    if not problem and lse is not None:
        problem = compare(found[1], lse)
        problem = problem and "lse " + problem
    return problem


def main(path):
    path = pathlib.Path(path)
    module = load(path)
    spec = path.resolve().parents[2] / "examples" / (path.stem + ".attn")
    cases = getattr(module, "CASES", SHAPES)
    problems = []
    shapes = {tuple(sorted((k, n) for k, n in c.items() if k not in "p seed")) for c in cases}
    if len(shapes) < 2:
        problems.append("all cases have one shape")
    # Each has a seed of its own, and few of them another one.
    cases = [{"seed": number, **case} for number, case in enumerate(cases)]
    if len(cases) < 4:
        cases += [{**case, "seed": case["seed"] + 100} for case in cases]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for number, case in enumerate(cases):
            problem = run_case(module, spec, case, case["seed"], folder)
            if problem:
                problems.append(f"case {number}: {problem}")
        # The oracle notices what it is there for.
        text = spec.read_text()
        wrong = getattr(module, "WRONG", [])
        if not wrong:
            problems.append("no wrong spec is given that must fail")
        for number, (old, new) in enumerate(wrong):
            if text.count(old) < 1:
                problems.append(f"wrong spec {number}: no '{old}' in the spec")
                continue
            other = folder / "wrong.attn"
            other.write_text(text.replace(old, new))
            found = [
                run_case(module, other, case, case["seed"], folder, True)
                for case in cases[:3]
            ]
            if not any("differs" in problem for problem in found):
                problems.append(f"wrong spec {number}, '{new}', passes: {found[0]}")
    for problem in problems:
        print(f"{spec.name}: {problem}")
    if not problems:
        print(f"{spec.name}: {len(cases)} cases agree, {len(wrong)} wrong specs do not")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
