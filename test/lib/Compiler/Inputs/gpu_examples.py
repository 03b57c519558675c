# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiles examples for a GPU and looks at what the assembler says: no spills,
no stack, no call of a library, no message.

usage: gpu_examples.py FOLDER TARGET DTYPE NAME...

Without names every example that compiles is looked at; how many these are is
printed.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def main(folder, target, dtype, *names):
    known = bool(names)
    paths = sorted(pathlib.Path(folder).glob("*.attn"))
    if known:
        paths = [pathlib.Path(folder) / f"{name}.attn" for name in names]
    count, problems = 0, []
    for path in paths:
        compiled = subprocess.run(
            ["rapt", "compile", path, f"--target={target}", f"--dtype={dtype}"]
            + ["--emit=ptx", "--shape=dim=64,vdim=64"],
            capture_output=True,
            text=True,
        )
        if compiled.returncode != 0:
            if known or "error" not in compiled.stderr:
                problems.append(f"{path.name}: {compiled.stderr.strip()}")
            continue
        count += 1
        if "__nv_" in compiled.stdout or ".extern .func" in compiled.stdout:
            problems.append(f"{path.name}: calls a library")
        with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
            file.write(compiled.stdout)
            file.flush()
            report = subprocess.run(
                ["ptxas", f"-arch={target}", "-v", file.name, "-o", "/dev/null"],
                capture_output=True,
                text=True,
            )
        text = report.stdout + report.stderr
        if report.returncode != 0:
            problems.append(f"{path.name}: {text.strip()}")
        for found in re.findall(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads",
            text,
        ):
            if found != ("0", "0", "0"):
                problems.append(f"{path.name}: stack and spills of {found} bytes")
        for line in text.splitlines():
            if "warning" in line.lower() or "C75" in line:
                problems.append(f"{path.name}: {line}")
    for problem in problems:
        print(problem)
    print(f"{count} compiled, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
