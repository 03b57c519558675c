# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""test/<path> tests <path>, and every folder of code has tests."""

import pathlib

import tree

# Folders of test that mirror nothing.
OWN = {"integration", "fuzz", "docs", "tree", "oracles"}


def folders(paths):
    """Every folder that holds one of the files, at any depth."""
    return {str(parent) for path in paths for parent in pathlib.PurePath(path).parents}


def check(root, paths):
    problems = []
    existing = folders(paths)
    tests = [path for path in paths if path.startswith("test/")]
    for folder in sorted(folders(tests)):
        parts = pathlib.PurePath(folder).parts
        if len(parts) < 2 or parts[1] in OWN or "Inputs" in parts:
            continue
        if parts[1:] in (("unit",), ("tools",)):
            continue
        if parts[1] == "unit":
            mirrored = "/".join(("lib",) + parts[2:])
        else:
            mirrored = "/".join(parts[1:])
        # A program that only tests use lies in test/tools with its sources.
        if parts[1] == "tools" and f"{folder}/CMakeLists.txt" in paths:
            continue
        if mirrored not in existing:
            problems.append(f"{folder}: there is no {mirrored} that it could test")

    coded = {
        str(pathlib.PurePath(path).parent)
        for path in paths
        if path.endswith((".cpp", ".td"))
        and path.startswith(("lib/", "dialects/", "tools/"))
    }
    for folder in sorted(coded):
        places = [f"test/{folder}/"]
        if folder.startswith("lib/"):
            places.append(f"test/unit/{folder[len('lib/'):]}/")
        if not any(test.startswith(tuple(places)) for test in tests):
            problems.append(f"{folder}: no test in {' or '.join(places)}")
    return problems


SAMPLES = [
    (
        {
            "lib/A/B/C.cpp": "",
            "test/unit/A/B/CTest.cpp": "",
            "dialects/X/IR/XOps.td": "",
            "test/dialects/X/IR/Inputs/ops.mlir": "",
            "test/tools/rapt-parse/CMakeLists.txt": "",
            "test/tools/rapt-parse/rapt-parse.cpp": "",
            "test/tree/names.py": "",
        },
        [],
    ),
    (
        {"lib/A/C.cpp": "", "test/lib/A/c.mlir": "", "test/lib/B/c.mlir": ""},
        ["test/lib/B: there is no lib/B that it could test"],
    ),
    (
        {"lib/A/C.cpp": "", "test/lib/AB/c.mlir": "", "lib/AB/D.h": ""},
        ["lib/A: no test in test/lib/A/ or test/unit/A/"],
    ),
    (
        {"tools/rapt/rapt.cpp": ""},
        ["tools/rapt: no test in test/tools/rapt/"],
    ),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
