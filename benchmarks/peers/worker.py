# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A process for each peer and number of threads, which waits between cases.

Idle threads of a library sleep there and take no time from the next case, and a
kernel is compiled once for all rounds.
"""

import dataclasses
import json
import os
import pathlib
import subprocess

# What benchmarks/peers/timing.py knows how to run.
NAMES = ("sdpa", "flex", "unfused")


class Peer:
    def __init__(self, name, threads, python):
        self.name, self.threads = name, threads
        environment = dict(os.environ, OMP_WAIT_POLICY="passive",
                           OMP_NUM_THREADS=str(threads))
        script = pathlib.Path(__file__).with_name("timing.py")
        self.process = subprocess.Popen(
            [python, str(script), name, str(threads)], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, case):
        """Milliseconds of one call, None if the peer has no such case."""
        if self.process.poll() is not None:
            return None
        self.process.stdin.write(json.dumps(dataclasses.asdict(case)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line)["ms"] if line else None

    def close(self):
        self.process.stdin.close()
        self.process.wait()
