# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every example is used by a test: test/oracles/NAME.py, or one that names it."""

import re

import tree


def check(root, paths):
    tests = [
        tree.text(root, path)
        for path in paths
        if path.startswith("test/") and not path.startswith("test/tree/")
    ]
    problems = []
    for path in paths:
        example = re.fullmatch(r"examples/([\w-]+\.attn)", path)
        if not example:
            continue
        if f"test/oracles/{example[1].removesuffix('.attn')}.py" in paths:
            continue
        name = re.compile(r"(?<![\w-])" + re.escape(example[1]))
        if not any("examples" in test and name.search(test) for test in tests):
            problems.append(f"{path}: no test runs it")
    return problems


SAMPLES = [
    (
        {
            "examples/full.attn": "",
            "test/integration/cpu/full.test": "RUN: rapt run %{examples}/full.attn",
        },
        [],
    ),
    ({"examples/full.attn": "", "test/oracles/full.py": "# RUN: %oracle %s"}, []),
    (
        {
            "examples/full.attn": "",
            "test/integration/cpu/full.test": "RUN: rapt run %{examples}/not_full.attn",
        },
        ["examples/full.attn: no test runs it"],
    ),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
