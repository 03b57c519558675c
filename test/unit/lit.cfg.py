# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The GoogleTest programs, which lit runs case by case."""

import os

import lit.formats

config.name = "unit"
config.test_format = lit.formats.GoogleTest(".", "Tests")
# The programs lie in the build, in folders named as those of their sources.
config.test_source_root = os.path.join(config.rapt_tests, "unit")
config.test_exec_root = config.test_source_root
config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
config.environment["XDG_CACHE_HOME"] = os.path.join(config.rapt_tests, "cache")
for name in ("HOME", "ASAN_OPTIONS", "LLVM_SYMBOLIZER_PATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
