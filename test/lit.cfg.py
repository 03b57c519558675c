# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Test files: test/<path> tests <path>.

RAPT_TEST_TIER=test|all|nightly   what may run (features tier-all, tier-nightly)
RAPT_ROUNDTRIP=1                  rapt-opt also prints and parses all it reads
"""

import os
import shutil
import subprocess
import sys

import lit.formats

config.name = "rapt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".attn", ".test"]
config.excludes = ["Inputs", "unit", "fuzz"]
config.test_source_root = os.path.dirname(os.path.abspath(__file__))
config.test_exec_root = config.rapt_tests

tools = os.path.join(config.rapt_build, "bin")
environment = config.environment
environment["PATH"] = os.pathsep.join(
    [tools, config.llvm_tools, environment.get("PATH", os.defpath)]
)
environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"
environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
# LLVM's allocators mark their memory in our instrumented code, but not in the
# packaged libraries that allocate from the same slabs.
environment["ASAN_OPTIONS"] = "allow_user_poisoning=0"
# Tests leave the user's cache of kernels alone.
environment["XDG_CACHE_HOME"] = os.path.join(config.rapt_tests, "cache")
environment["PYTHONPATH"] = os.path.join(config.rapt_source, "python")
environment["PYTHONDONTWRITEBYTECODE"] = "1"
for name in ("HOME", "ASAN_OPTIONS", "RAPT_ROUNDTRIP"):
    if name in os.environ:
        environment[name] = os.environ[name]

roundtrip = " --verify-roundtrip" if os.environ.get("RAPT_ROUNDTRIP") else ""
config.substitutions += [
    # A program is found on the path; only this one gets a flag more.
    (r"(?<![\w./-])rapt-opt(?![\w./-])", "rapt-opt" + roundtrip),
    # lit itself runs with the Python of the distribution, which has NumPy.
    ("%python", sys.executable),
    ("%{source}", config.rapt_source),
    ("%{build}", config.rapt_build),
    ("%{examples}", os.path.join(config.rapt_source, "examples")),
    ("%{include}", os.path.join(config.rapt_source, "include")),
    ("%{path}", environment["PATH"]),
    ("%{lib}", os.path.join(config.rapt_build, "lib")),
    ("%{cc}", "clang-22"),
    ("%{aarch64-cc}", "aarch64-linux-gnu-gcc"),
    ("%{qemu-aarch64}", "qemu-aarch64 -L /usr/aarch64-linux-gnu"),
    # Its widest CPU has AVX2 and no AVX-512.
    ("%{qemu-avx2}", "qemu-x86_64 -cpu max"),
]

# A browser without a window, for the pages that the tool writes. As root it has
# no sandbox.
browser = shutil.which("chromium-headless-shell") or shutil.which("chromium")
browser_flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=2000"
config.substitutions.append(("%{browser}", f"{browser} {browser_flags}"))


def hasHopper():
    """The run time finds a GPU of compute capability 9.0 on this machine."""
    command = [os.path.join(tools, "rapt"), "targets"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    rows = [line.split() for line in answer.stdout.splitlines()]
    return any(row[:2] == ["cuda", "sm_90a"] for row in rows)


tier = os.environ.get("RAPT_TEST_TIER", "test")
if tier not in ("test", "all", "nightly"):
    lit_config.fatal(f"RAPT_TEST_TIER is {tier}, expected test, all or nightly")
features = {
    "tier-all": tier in ("all", "nightly"),
    "tier-nightly": tier == "nightly",
    "browser": browser,
    "nvidia-sm90": hasHopper(),
    "qemu-aarch64": shutil.which("qemu-aarch64")
    and shutil.which("aarch64-linux-gnu-gcc")
    and os.path.isdir("/usr/aarch64-linux-gnu"),
    "qemu-x86_64": shutil.which("qemu-x86_64"),
    "ptxas": shutil.which("ptxas"),
    "sanitizer": config.rapt_sanitize != "",
}
config.available_features |= {name for name, holds in features.items() if holds}
