// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The user's tool: rapt run, rapt check, rapt compile, rapt explain, rapt
// bench, rapt tune, rapt targets.

#include "lib/Compiler/BuildId.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Support/Diagnostics.h"
#include "tools/rapt/Commands.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef;

namespace rapt::tool {

void warn(const llvm::Twine &message) {
  llvm::errs() << "rapt: warning: " << message << '\n';
}

namespace {

llvm::SmallVector<const Command *> getCommands() {
  return {&getRunCommand(),     &getCheckCommand(), &getCompileCommand(),
          &getExplainCommand(), &getBenchCommand(), &getTuneCommand(),
          &getTargetsCommand()};
}

const Command *findCommand(StringRef name) {
  for (const Command *command : getCommands())
    if (command->usage.name == name)
      return command;
  return nullptr;
}

void printOverview(llvm::raw_ostream &os) {
  os << "usage: rapt COMMAND [options]\n\ncommands:\n";
  for (const Command *command : getCommands())
    os << "  " << llvm::left_justify(command->usage.name, 10)
       << command->usage.summary.split('\n').first << '\n';
  os << "  help      Say what a command takes: rapt help run\n\n"
        "options:\n"
        "  --version  Print the version\n"
        "  --help     Print this text\n";
}

void printVersion(llvm::raw_ostream &os) {
  os << "rapt " << getVersion() << " (LLVM " << LLVM_VERSION_STRING << ")\n";
}

int unknownCommand(StringRef name) {
  llvm::SmallVector<StringRef> names{"help"};
  for (const Command *command : getCommands())
    names.push_back(command->usage.name);
  llvm::errs() << "rapt: error: unknown command '" << name << "'"
               << support::didYouMean(name, names) << "; see 'rapt help'\n";
  return 2;
}

/// Prints one error; a diagnostic of a spec has its place in front already.
int report(llvm::Error error, StringRef command) {
  int code = 1;
  llvm::handleAllErrors(
      std::move(error),
      [&](const UsageError &usage) {
        llvm::errs() << "rapt: error: " << usage.message << "; see 'rapt help "
                     << command << "'\n";
        code = 2;
      },
      [&](const CodedError &coded) {
        bool hasPlace = coded.getCode() == ErrorCode::InvalidSpec ||
                        (coded.getCode() == ErrorCode::NotSupported &&
                         StringRef(coded.getMessage()).contains("error: "));
        llvm::errs() << (hasPlace ? "" : "rapt: error: ") << coded.getMessage()
                     << '\n';
      },
      [&](const llvm::ErrorInfoBase &other) {
        llvm::errs() << "rapt: error: " << other.message() << '\n';
      });
  return code;
}

int help(llvm::ArrayRef<StringRef> words) {
  if (words.empty()) {
    printOverview(llvm::outs());
    return 0;
  }
  const Command *command = findCommand(words.front());
  if (!command)
    return unknownCommand(words.front());
  printHelp(command->usage, llvm::outs());
  return 0;
}

int execute(llvm::ArrayRef<StringRef> words) {
  if (words.empty()) {
    printOverview(llvm::errs());
    return 2;
  }
  StringRef name = words.front();
  words = words.drop_front();
  if (name == "--version") {
    printVersion(llvm::outs());
    return 0;
  }
  if (name == "help" || name == "--help" || name == "-h")
    return help(words);
  const Command *command = findCommand(name);
  if (!command)
    return unknownCommand(name);
  auto line = CommandLine::parse(command->usage, words);
  if (!line)
    return report(line.takeError(), name);
  if (line->has("--help"))
    return help(name);
  llvm::Error error = command->execute(*line);
  return error ? report(std::move(error), name) : 0;
}

} // namespace
} // namespace rapt::tool

int main(int argc, char **argv) {
  llvm::SmallVector<StringRef> words(argv + 1, argv + argc);
  int code = rapt::tool::execute(words);
  llvm::outs().flush();
  if (llvm::outs().has_error()) {
    llvm::errs() << "rapt: error: cannot write to the standard output: "
                 << llvm::outs().error().message() << '\n';
    llvm::outs().clear_error();
    return 1;
  }
  return code;
}
