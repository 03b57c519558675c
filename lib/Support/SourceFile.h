// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// One source text with a name, and places in it.

#pragma once

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>
#include <vector>

namespace rapt::support {

/// Half-open range of byte offsets into one SourceFile.
struct SourceRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// Line and column, both counted from 1; the column counts bytes.
struct LineColumn {
  unsigned line = 1;
  unsigned column = 1;
};

/// A text, the name shown in messages, and an index of its lines. The text is
/// taken as it is: nothing here requires it to be valid UTF-8.
class SourceFile {
public:
  SourceFile(std::string name, std::string text);

  llvm::StringRef name() const { return fileName; }
  llvm::StringRef text() const { return contents; }

  /// The place of a byte offset; an offset past the end is the end.
  LineColumn place(uint32_t offset) const;

  /// The byte offset of a place; of one that does not exist the nearest before.
  uint32_t offset(LineColumn place) const;

  /// The text of a line (counted from 1), without its line break.
  llvm::StringRef line(unsigned number) const;

  /// The text of a range, clipped to the file.
  llvm::StringRef text(SourceRange range) const;

private:
  std::string fileName;
  std::string contents;
  std::vector<uint32_t> lineStarts;
};

} // namespace rapt::support
