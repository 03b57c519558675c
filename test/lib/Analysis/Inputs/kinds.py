# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Prints what the normal form says of the states of each example that has some.

usage: kinds.py FOLDER NAME..."""

import re
import subprocess
import sys

EXTENTS = {"dim": 8, "vdim": 8, "slots": 4}


def run(command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True)


for name in sys.argv[2:]:
    extents = [f"--extent={axis}={extent}" for axis, extent in EXTENTS.items()]
    program = run(["rapt-attn", f"{sys.argv[1]}/{name}.attn", *extents]).stdout
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
