# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Splits files of definitions into one seed a definition for the fuzzers.

usage: make_corpus.py OUTPUT_FOLDER FILE...
"""

import pathlib
import re
import sys


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in map(pathlib.Path, sys.argv[2:]):
        for piece in re.split(r"^(?=attention )", path.read_text(), flags=re.M):
            head = re.match(r"attention (\w+)", piece)
            if head:
                seed = folder / f"{path.stem}-{head[1]}.attn"
                seed.write_text(piece)


if __name__ == "__main__":
    main()
