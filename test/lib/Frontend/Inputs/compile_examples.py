# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiles every example: named like its file, and the same program as the
definition of that name in the language's design, where there is one."""

import pathlib
import re
import subprocess
import sys

EXTENTS = ["--extent=dim=64", "--extent=vdim=48"]


def emit(*arguments):
    command = ["rapt-attn", *EXTENTS, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


examples, design = map(pathlib.Path, sys.argv[1:])
designed = re.findall(r"^attention (\w+)", design.read_text(), re.MULTILINE)
paths = sorted(examples.glob("*.attn"))
for path in paths:
    program = emit(path)
    if f"func.func @{path.stem}(" not in program:
        sys.exit(f"{path.name} does not define {path.stem}")
    if path.stem not in designed:
        print(path.stem)
    elif program != emit(design, f"--definition={path.stem}"):
        sys.exit(f"{path.name} differs from the design")
if len(paths) < 20:
    sys.exit(f"found {len(paths)} examples only")
