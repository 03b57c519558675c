// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Whatever parses is printed as the same program, and printing that one gives
/// the same text.

#include "lib/Frontend/Parser.h"
#include "lib/Frontend/Printer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <cstdlib>

using rapt::frontend::File;

static std::optional<File> parseText(const std::string &text,
                                     std::string &messages) {
  rapt::support::SourceFile source("fuzz.attn", text);
  rapt::support::DiagnosticEngine diags(source);
  std::optional<File> file = rapt::frontend::parse(diags);
  messages = diags.str();
  return file;
}

[[noreturn]] static void fail(const std::string &printed,
                              const std::string &why) {
  llvm::errs() << "printed as\n" << printed << '\n' << why << '\n';
  abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string messages;
  std::string text(reinterpret_cast<const char *>(data), size);
  std::optional<File> file = parseText(text, messages);
  if (!file)
    return 0;
  std::string printed = rapt::frontend::str(*file);
  std::optional<File> again = parseText(printed, messages);
  if (!again)
    fail(printed, messages);
  if (!(*again == *file))
    fail(printed, "which is another program");
  if (rapt::frontend::str(*again) != printed)
    fail(printed, "which is printed otherwise");
  return 0;
}
