# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Compiles examples for a GPU and looks at what the assembler says: no spills,
no stack, no call of a library, no message.

usage: gpu_examples.py FOLDER TARGET DTYPE DIM NAME...

Without names every example is looked at; how many compiled is printed.
"""

import pathlib
import subprocess
import sys
import tempfile


def main(folder, target, dtype, dim, *names):
    known = bool(names)
    paths = sorted(pathlib.Path(folder).glob("*.attn"))
    if known:
        paths = [pathlib.Path(folder) / f"{name}.attn" for name in names]
    count, problems = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        for path in paths:
            compiled = subprocess.run(
                ["rapt", "compile", path, f"--target={target}"]
                + [f"--dtype={dtype}", f"--shape=dim={dim},vdim={dim}"]
                + ["--emit=cubin", "-o", f"{scratch}/{path.stem}.cubin"],
                capture_output=True,
                text=True,
            )
            said = compiled.stderr.splitlines()
            if compiled.returncode == 0:
                count += 1
            elif known or not any("error" in line for line in said):
                problems.append(f"{path.name}: {compiled.stderr.strip()}")
            # What the assembler said, spills included, is a warning; a
            # function of a library is an error.
            problems += [
                f"{path.name}: {line}"
                for line in said
                if "which no library here has" in line
                or "ptxas" in line
                or "outside of registers" in line
                or "C75" in line
            ]
    for problem in problems:
        print(problem)
    print(f"{count} compiled, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
