#!/usr/bin/env bash
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# Runs both fuzzers on the seeds and on what earlier runs found.
#   test/fuzz/run.sh BUILD_FOLDER SECONDS_EACH
# Build first: cmake --preset fuzz && ninja -C build-fuzz rapt-fuzz
# A failing input is left in BUILD_FOLDER/test/fuzz and its path printed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
seconds=$2
work=$build/test/fuzz

for kind in parse roundtrip; do
  mkdir -p "$work/corpus-$kind"
  log=$work/$kind.log
  if ! "$build/bin/rapt-fuzz-$kind" -max_total_time="$seconds" -timeout=5 \
      -max_len=8192 -dict="$here/attn.dict" -artifact_prefix="$work/$kind-" \
      "$work/corpus-$kind" "$work/seeds" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "rapt-fuzz-$kind failed, log: $log"
    exit 1
  fi
  echo "rapt-fuzz-$kind: $(grep -a '^Done' "$log")"
done
