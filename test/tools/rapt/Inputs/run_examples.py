# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs every example with grouped heads and lengths that fill no tile, and prints
for each that it agrees with the Reference in every row, or that a construct of it
is not compiled yet: run_examples.py EXAMPLES CACHE. Anything else is a failure."""

import pathlib
import subprocess
import sys

SHAPE = "batch=2,heads=4,kv_heads=2,queries=83,keys=150,dim=64,vdim=48"
# Where the extents of features are those of params.
OTHER_SHAPES = {"mla": "batch=1,heads=2,queries=83,keys=150"}


def run(path, cache):
    shape = OTHER_SHAPES.get(path.stem, SHAPE)
    command = ["rapt", "run", str(path), "--shape", shape, "--check=all"]
    command += ["--repeats=1", f"--cache-dir={cache}"]
    return subprocess.run(command, capture_output=True, text=True)


def main(examples, cache):
    failures = 0
    for path in sorted(pathlib.Path(examples).glob("*.attn")):
        done = run(path, cache)
        if done.returncode == 0 and "check    passed: largest error" in done.stdout:
            print(f"{path.stem}: passed")
        elif done.returncode == 1 and "error: not compiled yet: " in done.stderr:
            construct = done.stderr.split("not compiled yet: ")[1].splitlines()[0]
            print(f"{path.stem}: not compiled yet: {construct}")
        else:
            failures += 1
            print(f"{path.stem}: failed: {done.stderr.strip()}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
