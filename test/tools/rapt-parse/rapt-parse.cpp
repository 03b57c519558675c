// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-parse: the front end's syntax alone, for tests that must not need the
/// compiler. Prints the tree of a file as text, or indented.

#include "lib/Frontend/Parser.h"
#include "lib/Frontend/Printer.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

namespace {
enum class Action { Print, Dump, RoundTrip };
} // namespace

static llvm::cl::opt<std::string> inputFile(llvm::cl::Positional,
                                            llvm::cl::desc("<input>"),
                                            llvm::cl::init("-"));
static llvm::cl::opt<Action> action(
    llvm::cl::desc("Action:"), llvm::cl::init(Action::Print),
    llvm::cl::values(
        clEnumValN(Action::Print, "print", "print canonical source (default)"),
        clEnumValN(Action::Dump, "dump", "print the tree"),
        clEnumValN(
            Action::RoundTrip, "roundtrip",
            "print, parse again, compare; print the definitions' names")));

static std::optional<rapt::frontend::File> parseText(llvm::StringRef name,
                                                     llvm::StringRef text) {
  rapt::support::SourceFile source(name.str(), text.str());
  rapt::support::DiagnosticEngine diags(source);
  std::optional<rapt::frontend::File> file = rapt::frontend::parse(diags);
  diags.print(llvm::errs());
  return file;
}

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv, "attention language parser\n");
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(inputFile);
  if (std::error_code error = buffer.getError()) {
    llvm::errs() << inputFile << ": " << error.message() << '\n';
    return 1;
  }
  auto file = parseText(inputFile, (*buffer)->getBuffer());
  if (!file)
    return 1;
  switch (action) {
  case Action::Print:
    rapt::frontend::print(*file, llvm::outs());
    return 0;
  case Action::Dump:
    rapt::frontend::dump(*file, llvm::outs());
    return 0;
  case Action::RoundTrip:
    break;
  }
  auto again = parseText("printed text", rapt::frontend::str(*file));
  if (!again || !(*again == *file)) {
    llvm::errs() << inputFile << ": the printed text is another program\n";
    return 1;
  }
  for (const rapt::frontend::Definition &definition : file->definitions)
    llvm::outs() << definition.name.text << '\n';
  return 0;
}
