# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Runs every example with grouped heads and lengths that fill no tile:
run_examples.py EXAMPLES CACHE. One that compiled_examples.txt lists agrees with
the Reference in every row; of each other one a construct is not compiled yet."""

import pathlib
import subprocess
import sys

SHAPE = "batch=2,heads=4,kv_heads=2,queries=83,keys=150,dim=64,vdim=48"
# Where the extents of features are those of params, or equal.
OTHER_SHAPES = {
    "mla": "batch=1,heads=2,queries=83,keys=150",
    # A tree may begin at the first token.
    "tree_bitmap": SHAPE + ",nodes=150",
    "tree_intervals": SHAPE + ",nodes=150",
    "ttt_linear": SHAPE.replace("vdim=48", "vdim=64"),
    "ttt_mlp": SHAPE.replace("vdim=48", "vdim=64"),
}


def run(path, cache):
    shape = OTHER_SHAPES.get(path.stem, SHAPE)
    command = ["rapt", "run", str(path), "--shape", shape, "--check=all"]
    command += ["--repeats=1", f"--cache-dir={cache}"]
    return subprocess.run(command, capture_output=True, text=True)


def main(examples, cache):
    failures = 0
    listed = pathlib.Path(__file__).with_name("compiled_examples.txt").read_text()
    compiled = {line.split("#")[0].strip() for line in listed.splitlines()} - {""}
    for path in sorted(pathlib.Path(examples).glob("*.attn")):
        done = run(path, cache)
        if done.returncode == 0 and "check    passed: largest error" in done.stdout:
            said = "passed"
        elif done.returncode == 1 and "error: not compiled yet: " in done.stderr:
            said = done.stderr[done.stderr.index("not compiled yet: ") :].splitlines()[0]
        else:
            said = "failed: " + done.stderr.strip()
        print(f"{path.stem}: {said}")
        expected = "passed" if path.stem in compiled else "not compiled yet: "
        if not said.startswith(expected):
            failures += 1
            print(f"{path.stem}: {said}; expected: {expected}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
