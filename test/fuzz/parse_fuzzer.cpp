// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Feeds arbitrary bytes to the prescan and the parser. Neither crashes nor
/// hangs, a refused text has a message, and every message can be rendered.

#include "lib/Frontend/Parser.h"
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rapt::support::SourceFile source(
      "fuzz.attn", std::string(reinterpret_cast<const char *>(data), size));
  rapt::support::DiagnosticEngine diags(source);
  bool isParsed = rapt::frontend::parse(diags).has_value();
  if (isParsed == diags.hasErrors())
    abort();
  if (diags.hasErrors() && diags.str().empty())
    abort();
  // The same text as an editor has it while it is written.
  rapt::support::DiagnosticEngine again(source);
  rapt::frontend::File file = rapt::frontend::parsePartially(again);
  if (isParsed && again.hasErrors())
    abort();
  rapt::frontend::getExpectedAtEnd(source.text());
  return 0;
}
