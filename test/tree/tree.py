# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the checks of the tree share: its files, and how a check is run.

A check is a function from (root, paths) to a list of problems, each one line
that begins with a path. Beside it stands a list of samples, (files, problems):
small trees that are wrong in one way, or right, and what the check must say.

usage: CHECK.py ROOT          prints the problems, exit 1 if there are any
       CHECK.py --self-test   shows on the samples that the check can fail
"""

import pathlib
import subprocess
import sys
import tempfile


def files(root):
    """The paths, relative to the root, that git knows or does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0 and (root / ".git").exists():
        paths = listing.stdout.split("\0")
    else:
        paths = [path.relative_to(root).as_posix() for path in root.rglob("*")]
        paths = [path for path in paths if not path.startswith(("build", ".git/"))]
    return sorted(path for path in set(paths) if path and (root / path).is_file())


def text(root, path):
    """The text of a file, empty if it is not text."""
    try:
        return (root / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def run(check, samples):
    if sys.argv[1:] == ["--self-test"]:
        wrong = 0
        for sample, expected in samples:
            with tempfile.TemporaryDirectory() as folder:
                root = pathlib.Path(folder)
                for path, content in sample.items():
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(content)
                found = check(root, files(root))
            if found != expected:
                print(f"{sorted(sample)}: expected {expected}, found {found}")
                wrong += 1
        if not any(expected for _, expected in samples):
            print("no sample is wrong")
            wrong += 1
        sys.exit(1 if wrong else 0)
    root = pathlib.Path(sys.argv[1])
    problems = check(root, files(root))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
