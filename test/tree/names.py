# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""No file says nothing by its name, and a pass has one name everywhere."""

import pathlib
import re

import tree

EMPTY_WORDS = {"util", "utils", "utility", "utilities", "common", "helper"}
EMPTY_WORDS |= {"helpers", "misc", "miscellaneous"}
DECLARED = re.compile(r'def\s+(\w+)\s*:\s*Pass<\s*"([^"]+)"')
IN_CODE = re.compile(r'getArgument\(\)\s*const[^{]*{\s*return\s*"([^"]+)"')


def words(name):
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)


def kebab(name):
    return "-".join(word.lower() for word in words(name))


def checkPass(paths, path, name, flag):
    """A pass NAME is NAME.cpp, has the flag --[dialect-]name, and the test
    test/<folder>/name.mlir."""
    problems = []
    folder = path.rsplit("/", 1)[0]
    dialect = folder.split("/")[1].lower() if folder.startswith("dialects/") else ""
    expected = f"{dialect}-{kebab(name)}" if dialect else kebab(name)
    if flag != expected:
        problems.append(f"{path}: pass {name} has the flag {flag}, not {expected}")
    for needed in (f"{folder}/{name}.cpp", f"test/{folder}/{kebab(name)}.mlir"):
        if needed not in paths:
            problems.append(f"{path}: pass {name} has no {needed}")
    return problems


def check(root, paths):
    problems = []
    for path in paths:
        for part in pathlib.PurePosixPath(path).parts:
            for word in words(part.split(".")[0]):
                if word.lower() in EMPTY_WORDS:
                    problems.append(f"{path}: {word} in a name says nothing")
    for path in paths:
        if path.endswith(".td"):
            for name, flag in DECLARED.findall(tree.text(root, path)):
                problems += checkPass(paths, path, name, flag)
        if path.endswith(".cpp") and path.startswith(("lib/", "dialects/")):
            for flag in IN_CODE.findall(tree.text(root, path)):
                problems += checkPass(paths, path, pathlib.Path(path).stem, flag)
    return problems


PASS = 'def SkipTiles : Pass<"tile-skip-tiles"> {\n'
SAMPLES = [
    (
        {
            "dialects/Tile/Transforms/Passes.td": PASS,
            "dialects/Tile/Transforms/SkipTiles.cpp": "",
            "test/dialects/Tile/Transforms/skip-tiles.mlir": "",
            "lib/Support/Commonality.cpp": "",
        },
        [],
    ),
    (
        {"lib/Support/TileUtils.cpp": "", "lib/Misc/A.cpp": ""},
        [
            "lib/Misc/A.cpp: Misc in a name says nothing",
            "lib/Support/TileUtils.cpp: Utils in a name says nothing",
        ],
    ),
    (
        {
            "dialects/Tile/Transforms/Passes.td": PASS.replace("tile-", ""),
            "dialects/Tile/Transforms/SkipTiles.cpp": "",
        },
        [
            "dialects/Tile/Transforms/Passes.td: pass SkipTiles has the flag "
            "skip-tiles, not tile-skip-tiles",
            "dialects/Tile/Transforms/Passes.td: pass SkipTiles has no "
            "test/dialects/Tile/Transforms/skip-tiles.mlir",
        ],
    ),
    (
        {
            "lib/Conversion/AttnToTile/AttnToTile.cpp": "StringRef getArgument() "
            'const final { return "to-tile"; }\n',
            "test/lib/Conversion/AttnToTile/attn-to-tile.mlir": "",
        },
        [
            "lib/Conversion/AttnToTile/AttnToTile.cpp: pass AttnToTile has the "
            "flag to-tile, not attn-to-tile"
        ],
    ),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
