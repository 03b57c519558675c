# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Prints how many tests passed, failed and were skipped in a result of lit.

usage: count_results.py RESULTS.json
"""

import collections
import json
import sys

PASSED = ("PASS", "FLAKYPASS", "XFAIL")
SKIPPED = ("UNSUPPORTED", "SKIPPED", "EXCLUDED")


def count(codes):
    """Whatever is not known to be good has failed, and so has no test at all."""
    counts = collections.Counter(codes)
    passed = sum(counts[code] for code in PASSED)
    skipped = sum(counts[code] for code in SKIPPED)
    failed = counts.total() - passed - skipped
    return passed, failed if counts else 1, skipped


def main():
    try:
        with open(sys.argv[1]) as file:
            codes = [test["code"] for test in json.load(file)["tests"]]
    except (OSError, ValueError, KeyError) as error:
        print(f"no result of lit: {error}", file=sys.stderr)
        codes = []
    print(*count(codes))


if __name__ == "__main__":
    main()
