# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Prints what the normal form says of the states of each example that has some.

usage: kinds.py FOLDER NAME...     of examples FOLDER/NAME.attn
       kinds.py FILE.attn          of each definition of a file"""

import re
import subprocess
import sys

EXTENTS = {"dim": 8, "vdim": 8, "slots": 4}


def run(command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True)


if sys.argv[1].endswith(".attn"):
    text = open(sys.argv[1]).read()
    names = re.findall(r"^attention (\w+)", text, re.M)
    specs = [(name, [sys.argv[1], f"--definition={name}"]) for name in names]
else:
    specs = [(name, [f"{sys.argv[1]}/{name}.attn"]) for name in sys.argv[2:]]

for name, arguments in specs:
    extents = [f"--extent={axis}={extent}" for axis, extent in EXTENTS.items()]
    program = run(["rapt-attn", *arguments, *extents]).stdout
    remarks = run(
        [
            "rapt-opt",
            "--attn-normalize-recurrences",
            "--canonicalize",
            "--remarks-filter=attn-normalize-recurrences",
            "--remark-policy=all",
        ],
        program,
    ).stderr
    print(f"{name}: " + "; ".join(re.findall(r"Remark=\"state (.*?)\"", remarks)))
