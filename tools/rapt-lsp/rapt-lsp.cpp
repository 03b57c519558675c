// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-lsp: the language server for files in the attention language.

#include "lib/Frontend/Token.h"
#include "lib/Frontend/Vocabulary.h"
#include "lib/LanguageServer/Server.h"
#include "llvm/Support/LSP/Logging.h"
#include "llvm/Support/Signals.h"

using llvm::StringRef;

static constexpr char usage[] = R"(usage: rapt-lsp [option...]

The language server for .attn files. It speaks the Language Server Protocol on
its standard input and output; docs/editors.md says how an editor starts it.

  --log=LEVEL    what it writes to standard error: error (default), info, debug
  --stdio        accepted; there is no other way
  --lit-test     for tests: messages separated by lines '// -----'; answers laid
                 out for reading
  --vocabulary   prints each word of the language with its kind, and each
                 function, and exits; for tools that colour sources
  --help         this text
)";

static StringRef getKindName(rapt::frontend::WordKind kind) {
  using Kind = rapt::frontend::WordKind;
  switch (kind) {
  case Kind::Keyword:
    return "keyword";
  case Kind::Role:
    return "role";
  case Kind::Position:
    return "position";
  case Kind::Axis:
    return "axis";
  case Kind::Constant:
    return "constant";
  case Kind::Candidate:
    return "candidate";
  case Kind::ElementType:
    return "type";
  case Kind::Pooling:
    return "pooling";
  case Kind::Over:
    return "over";
  case Kind::Member:
    return "member";
  }
  return "";
}

static void printVocabulary() {
  for (const rapt::frontend::VocabularyWord &word :
       rapt::frontend::getVocabulary())
    llvm::outs() << getKindName(word.kind) << ' ' << word.name << '\n';
  for (const rapt::frontend::FunctionInfo &function :
       rapt::frontend::getFunctions())
    llvm::outs() << "function " << function.name << '\n';
}

int main(int argc, char **argv) {
  using llvm::lsp::Logger;
  llvm::sys::PrintStackTraceOnErrorSignal(argv[0]);
  bool isTest = false;
  Logger::Level level = Logger::Level::Error;
  for (int n = 1; n < argc; ++n) {
    StringRef option = argv[n];
    // MLIR's servers write long options with one hyphen too.
    if (option == "--lit-test" || option == "-lit-test") {
      isTest = true;
    } else if (option == "--log=error") {
      level = Logger::Level::Error;
    } else if (option == "--log=info") {
      level = Logger::Level::Info;
    } else if (option == "--log=debug") {
      level = Logger::Level::Debug;
    } else if (option == "--vocabulary") {
      printVocabulary();
      return 0;
    } else if (option == "--help") {
      llvm::outs() << usage;
      return 0;
    } else if (option != "--stdio") {
      llvm::errs() << "rapt-lsp: unknown argument '" << option
                   << "'; --help lists what there is\n";
      return 2;
    }
  }
  Logger::setLogLevel(level);
  return rapt::lsp::serve(stdin, llvm::outs(),
                          isTest ? llvm::lsp::JSONStreamStyle::Delimited
                                 : llvm::lsp::JSONStreamStyle::Standard,
                          isTest);
}
