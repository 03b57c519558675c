# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs examples by `rapt run --target=cuda`, which compares them with the
Reference by the rule of docs/numerics.md.

usage: run_by_tool.py RAPT EXAMPLES TARGET DTYPE DIM [NAME...]

Lengths fill no tile. Without names every example that compiles is run.
"""

import concurrent.futures
import pathlib
import subprocess
import sys

RAPT, EXAMPLES, TARGET, DTYPE, DIM = sys.argv[1:6]
NAMES = sys.argv[6:]
SHAPES = [
    "batch=2,heads=4,queries=333,keys=429",
    "batch=1,heads=2,queries=700,keys=700",
    "batch=2,heads=3,queries=3,keys=65",
]


def start(path, shape):
    command = [RAPT, "run", path, f"--target={TARGET}", f"--dtype={DTYPE}"]
    command += [f"--shape={shape},dim={DIM},vdim={DIM}", "--repeats=1"]
    return subprocess.run(command, capture_output=True, text=True)


def run(path):
    """What went wrong, shape by shape; None for what does not compile."""
    problems = []
    for number, shape in enumerate(SHAPES):
        done = start(path, shape)
        if "check    " not in done.stdout and not NAMES:
            if "check failed" not in done.stderr:
                return None
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:]
            problems += [f"shape {number}: {text}" for text in last]
    return problems


def main():
    paths = sorted(pathlib.Path(EXAMPLES).glob("*.attn"))
    if NAMES:
        paths = [pathlib.Path(EXAMPLES) / f"{name}.attn" for name in NAMES]
    count = failed = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for path, problems in zip(paths, pool.map(run, paths)):
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
