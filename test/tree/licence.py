# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every source file begins with the licence, whose text is in LICENSE."""

import tree

LINES = [
    "Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.",
    "See LICENSE for license information.",
    "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception",
]
COMMENTS = {".h": "// ", ".cpp": "// ", ".c": "// ", ".td": "// "}
COMMENTS |= {".py": "# ", ".sh": "# ", ".cmake": "# "}
PARTS = ["Apache License", "TERMS AND CONDITIONS", "LLVM Exceptions"]


def check(root, paths):
    problems = []
    for path in paths:
        content = tree.text(root, path)
        suffix = "." + path.rsplit(".", 1)[-1]
        comment = COMMENTS.get(suffix)
        if content.startswith("#!"):
            comment = "# "
            content = content.partition("\n")[2]
        if comment is None:
            continue
        heads = [[comment + line for line in LINES]]
        if comment == "// ":
            heads.append([f"/* {LINES[0]}", f" * {LINES[1]}", f" * {LINES[2]}"])
        head = [line.removesuffix(" */") for line in content.split("\n")[:3]]
        if head not in heads:
            problems.append(f"{path}: does not begin with the licence")
    licence = tree.text(root, "LICENSE") if "LICENSE" in paths else ""
    for part in PARTS:
        if part not in licence:
            problems.append(f"LICENSE: says nothing of {part}")
    return problems


WHOLE = {"LICENSE": "\n".join(PARTS)}
SAMPLES = [
    (
        WHOLE
        | {
            "a.h": "".join(f"// {line}\n" for line in LINES),
            "run": "#!/bin/sh\n" + "".join(f"# {line}\n" for line in LINES),
            "b.c": "/* " + "\n * ".join(LINES) + " */\n",
            "notes.md": "",
        },
        [],
    ),
    (
        WHOLE | {"a.py": "import os\n", "run": "#!/bin/sh\ntrue\n"},
        [
            "a.py: does not begin with the licence",
            "run: does not begin with the licence",
        ],
    ),
    ({}, [f"LICENSE: says nothing of {part}" for part in PARTS]),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
