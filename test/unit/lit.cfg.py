# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The GoogleTest programs of a folder, which lit runs case by case.

RAPT_TEST_TIER=nightly makes them run many more random cases; RAPT_SEED and
RAPT_CASES say where to start and how many.
"""

import os

import lit.formats

config.name = config.rapt_suite
config.test_format = lit.formats.GoogleTest(".", "Tests")
# The programs lie in the build, in folders named as those of their sources.
config.test_source_root = os.path.join(config.rapt_tests, config.rapt_suite)
config.test_exec_root = config.test_source_root
config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
# LLVM's allocators mark their memory in our instrumented code, but not in the
# packaged libraries that allocate from the same slabs.
config.environment["ASAN_OPTIONS"] = "allow_user_poisoning=0"
# Tests of the pool of threads fork, and their children start threads.
config.environment["TSAN_OPTIONS"] = "die_after_fork=0"
config.environment["XDG_CACHE_HOME"] = os.path.join(config.rapt_tests, "cache")
if os.environ.get("RAPT_TEST_TIER") == "nightly":
    config.environment["RAPT_NIGHTLY"] = "1"
passed = ("HOME", "ASAN_OPTIONS", "TSAN_OPTIONS", "LLVM_SYMBOLIZER_PATH")
for name in passed + ("RAPT_NIGHTLY", "RAPT_SEED", "RAPT_CASES"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
