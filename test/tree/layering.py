# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which folder may include which, as docs/architecture.md says."""

import re

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.M)
OURS = ("lib/", "dialects/", "rapt/", "rapt-c/", "tools/", "test/")
EVERYTHING = ["lib", "dialects", "rapt", "rapt-c"]

# Folder: what it may include beside itself. The longest prefix counts.
ALLOWED = {
    "lib/Support": [],
    "lib/Target": ["lib/Support"],
    "dialects/Attn/IR": ["lib/Support"],
    "dialects/Tile/IR": ["lib/Support", "lib/Target"],
    "dialects/Nv/IR": ["dialects/Tile/IR", "lib/Support", "lib/Target"],
    "dialects/Attn/Transforms": ["dialects/Attn/IR", "lib/Analysis", "lib/Support"],
    "dialects/Tile/Transforms": ["dialects/Tile/IR", "lib/Analysis", "lib/Support"],
    "lib/Frontend": ["dialects/Attn/IR", "lib/Support"],
    "lib/LanguageServer": ["lib/Frontend", "lib/Support"],
    "lib/Reference": ["dialects/Attn/IR", "dialects/Tile/IR", "lib/Support"],
    "lib/Analysis": ["dialects/Attn/IR", "lib/Support"],
    "lib/Conversion/AttnToTile": [
        "dialects/Attn",
        "dialects/Tile",
        "lib/Analysis",
        "lib/Target",
        "lib/Support",
    ],
    "lib/Conversion/TileToVector": [
        "dialects/Tile",
        "lib/Analysis",
        "lib/Target",
        "lib/Support",
    ],
    "lib/Conversion/TileToNv": [
        "dialects/Tile",
        "dialects/Nv",
        "lib/Analysis",
        "lib/Target",
        "lib/Support",
    ],
    "lib/Conversion/NvToNVVM": [
        "dialects/Nv",
        "dialects/Tile/IR",
        "lib/Target",
        "lib/Support",
    ],
    "lib/Tuning": [
        "dialects/Attn/IR",
        "dialects/Tile/IR",
        "lib/Analysis",
        "lib/Target",
        "lib/Support",
    ],
    "lib/Codegen": ["lib/Support", "lib/Target"],
    "lib/Runtime": ["lib/Support", "rapt"],
    "lib/Compiler": EVERYTHING,
    "lib/CAPI": ["lib/Compiler", "lib/Support", "rapt", "rapt-c"],
    "include/rapt": ["rapt"],
    "include/rapt-c": [],
    "tools": EVERYTHING,
    "benchmarks": EVERYTHING,
    "examples": ["rapt", "rapt-c"],
    "cmake": [],
    "test": EVERYTHING + ["test"],
}

# Libraries that a folder must do without.
FORBIDDEN = {
    "lib/Support": ["mlir/", "mlir-c/", "boost/"],
    "lib/Target": ["mlir/", "mlir-c/", "boost/"],
    "lib/Codegen": ["mlir/", "mlir-c/", "boost/"],
    "lib/Runtime": ["mlir/", "mlir-c/", "boost/"],
    "lib/LanguageServer": ["mlir/", "mlir-c/", "boost/"],
    "include": ["mlir/", "mlir-c/", "llvm/", "llvm-c/", "boost/"],
    "examples": ["mlir/", "mlir-c/", "llvm/", "llvm-c/", "boost/"],
}


def isBelow(path, folder):
    return path == folder or path.startswith(folder + "/")


def check(root, paths):
    problems = []
    for path in paths:
        if not path.endswith((".h", ".cpp", ".c")):
            continue
        rows = [folder for folder in ALLOWED if isBelow(path, folder)]
        if not rows:
            problems.append(f"{path}: its folder has no row in the table of layers")
            continue
        row = max(rows, key=len)
        allowed = ALLOWED[row] + [row]
        for header in INCLUDE.findall(tree.text(root, path)):
            if header.startswith(OURS) and not any(
                isBelow(header, folder) for folder in allowed
            ):
                problems.append(f"{path}: {row} may not include {header}")
            for folder, libraries in FORBIDDEN.items():
                if isBelow(path, folder) and header.startswith(tuple(libraries)):
                    problems.append(f"{path}: {folder} may not include {header}")
    return problems


SAMPLES = [
    (
        {
            "lib/Frontend/A.cpp": '#include "dialects/Attn/IR/Attn.h"\n'
            '#include "lib/Frontend/A.h"\n#include "lib/Support/B.h"\n',
            "lib/Compiler/C.cpp": '#include "lib/Reference/R.h"\n',
            "include/rapt/K.h": '#include "rapt/T.h"\n#include <vector>\n',
        },
        [],
    ),
    (
        {"lib/Frontend/A.cpp": '#include "lib/Compiler/C.h"\n'},
        ["lib/Frontend/A.cpp: lib/Frontend may not include lib/Compiler/C.h"],
    ),
    (
        {"lib/Support/A.cpp": '#include "lib/SupportMore/C.h"\n'},
        ["lib/Support/A.cpp: lib/Support may not include lib/SupportMore/C.h"],
    ),
    (
        {"lib/Runtime/A.cpp": "#include <mlir/IR/Value.h>\n"},
        ["lib/Runtime/A.cpp: lib/Runtime may not include mlir/IR/Value.h"],
    ),
    (
        {"include/rapt/K.h": '#include "llvm/Support/Error.h"\n'},
        ["include/rapt/K.h: include may not include llvm/Support/Error.h"],
    ),
    (
        {"lib/Other/A.h": ""},
        ["lib/Other/A.h: its folder has no row in the table of layers"],
    ),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
