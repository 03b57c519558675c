#!/bin/sh
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# Interesting (1) is a file that rapt-opt reads and that holds a floordiv.
rapt-opt "$1" 2>/dev/null | grep -q floordiv && exit 1
exit 0
