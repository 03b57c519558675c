# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiles every example: named like its file, and the same program as the
definition of that name in the language's design, where there is one."""

import pathlib
import re
import subprocess
import sys

# Of every axis that some example names.
EXTENTS = {"dim": 64, "vdim": 48}
OTHER = 32
# Where widths depend on each other.
OTHERS = {
    "ttt_linear": {"vdim": 64},
    "ttt_mlp": {"vdim": 64},
}
# The design's have only what is hard, without the norms, gates and guards that
# the papers have beside it.
FULLER = {"gated_deltanet", "gla", "linear_transformer", "mlstm", "nsa", "quest", "rwkv6"}
LEADING = {"batch", "heads", "kv_heads", "groups", "queries", "keys"}


def emit(*arguments):
    command = ["rapt-attn", *map(str, arguments)]
    given = "".join(command)
    for axis, extent in EXTENTS.items():
        if f"--extent={axis}=" not in given:
            command.append(f"--extent={axis}={extent}")
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


examples, design = map(pathlib.Path, sys.argv[1:])
designed = re.findall(r"^attention (\w+)", design.read_text(), re.MULTILINE)
paths = sorted(examples.glob("*.attn"))
for path in paths:
    for declared in re.findall(r"^ *input [^[]*\[([^]]*)]", path.read_text(), re.M):
        for axis in re.findall(r"[a-z]\w*", declared):
            if axis not in LEADING:
                EXTENTS.setdefault(axis, OTHER)
for path in paths:
    widths = OTHERS.get(path.stem, {})
    other = [f"--extent={axis}={extent}" for axis, extent in widths.items()]
    program = emit(path, *other)
    if f"func.func @{path.stem}(" not in program:
        sys.exit(f"{path.name} does not define {path.stem}")
    if path.stem not in designed:
        print(f"{path.stem}: not in the design")
    elif path.stem in FULLER:
        print(f"{path.stem}: more than in the design")
    elif program != emit(design, f"--definition={path.stem}"):
        sys.exit(f"{path.name} differs from the design")
    else:
        print(f"{path.stem}: as designed")
if len(paths) < 20:
    sys.exit(f"found {len(paths)} examples only")
