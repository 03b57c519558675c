// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Files that appear complete or not at all.

#ifndef RAPT_TOOLS_RAPT_OUTPUTFILE_H
#define RAPT_TOOLS_RAPT_OUTPUTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <utility>
#include <vector>

namespace rapt::tool {

/// Whether there is something at `path` that bytes go through, a pipe or a
/// device such as /dev/null, and which must stay what it is.
bool isChannel(llvm::StringRef path);

/// Several files that belong together: each is written under another name in
/// its folder; keep() gives all of them theirs, or writes their bytes to the
/// channel of that name. What is not kept is removed.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles();

  /// Calls `write` with the name to write to. Fails if a file cannot be made
  /// there or `write` fails.
  llvm::Error add(llvm::StringRef path,
                  llvm::function_ref<llvm::Error(llvm::StringRef)> write);
  llvm::Error addText(llvm::StringRef path, llvm::StringRef text);
  llvm::Error keep();

private:
  /// Temporary and final name.
  std::vector<std::pair<std::string, std::string>> files;
};

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_OUTPUTFILE_H
