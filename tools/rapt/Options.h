// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The command line of the user's tool, from a table for each subcommand. Not
/// llvm::cl, whose options are global to a process and would show those of
/// every LLVM library that is linked.

#ifndef RAPT_TOOLS_RAPT_OPTIONS_H
#define RAPT_TOOLS_RAPT_OPTIONS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace rapt::tool {

/// A command line that makes no sense: the tool exits with 2, not 1.
struct UsageError : llvm::ErrorInfo<UsageError> {
  static char ID;
  explicit UsageError(std::string message) : message(std::move(message)) {}
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override;
  std::string message;
};
llvm::Error usageError(const llvm::Twine &message);

/// One row of a table of options.
struct OptionRow {
  /// With its dashes: `--shape`, `-o`.
  llvm::StringRef flag;
  /// What help calls the value: `N`, `NAME=FILE`; empty: takes none.
  llvm::StringRef value;
  llvm::StringRef help;
  /// May be given several times, e.g. `-p`.
  bool isRepeated = false;
};

struct Subcommand {
  llvm::StringRef name;
  /// What stands after the name in help: `FILE [options]`.
  llvm::StringRef usage;
  llvm::StringRef summary;
  llvm::ArrayRef<OptionRow> options;
  /// Takes exactly one file.
  bool takesFile = false;
};

/// What the user gave. A value is `--flag=value` or `--flag value`.
class CommandLine {
public:
  static llvm::Expected<CommandLine>
  parse(const Subcommand &subcommand, llvm::ArrayRef<llvm::StringRef> words);

  llvm::StringRef getFile() const { return file; }
  bool has(llvm::StringRef flag) const { return values.count(flag.str()) != 0; }
  std::optional<llvm::StringRef> get(llvm::StringRef flag) const;
  /// The values of a repeated option in the order given.
  llvm::ArrayRef<std::string> getAll(llvm::StringRef flag) const;
  /// An integer of at least `minimum`.
  llvm::Expected<int64_t> getInteger(llvm::StringRef flag, int64_t byDefault,
                                     int64_t minimum) const;
  /// The value of --threads, at most 1024; 0 if it is not given.
  llvm::Expected<unsigned> getThreads() const;

private:
  std::string file;
  std::map<std::string, std::vector<std::string>> values;
};

/// `name=value` taken apart; `flag` and `form` (`NAME=FILE`) are for the
/// message.
llvm::Expected<std::pair<std::string, std::string>>
splitAssignment(llvm::StringRef flag, llvm::StringRef form,
                llvm::StringRef text);

/// Adds `name=value` pairs to a map; a name given twice is an error.
llvm::Error addAssignments(llvm::StringRef flag, llvm::StringRef form,
                           llvm::ArrayRef<std::string> texts,
                           std::map<std::string, std::string> &assignments);

void printHelp(const Subcommand &subcommand, llvm::raw_ostream &os);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_OPTIONS_H
