// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The subcommands of the user's tool.

#ifndef RAPT_TOOLS_RAPT_COMMANDS_H
#define RAPT_TOOLS_RAPT_COMMANDS_H

#include "tools/rapt/Options.h"

namespace rapt::tool {

/// A subcommand and what it does. An error becomes a message and the exit code
/// 1, or 2 for a UsageError.
struct Command {
  Subcommand usage;
  llvm::Error (*execute)(const CommandLine &line);
};

const Command &getRunCommand();
const Command &getBenchCommand();
const Command &getCheckCommand();
const Command &getCompileCommand();
const Command &getExplainCommand();
const Command &getTuneCommand();
const Command &getTargetsCommand();

/// A warning on stderr.
void warn(const llvm::Twine &message);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_COMMANDS_H
