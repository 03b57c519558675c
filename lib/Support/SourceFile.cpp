// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/SourceFile.h"

#include <algorithm>

namespace rapt::support {

SourceFile::SourceFile(std::string name, std::string text)
    : fileName(std::move(name)), contents(std::move(text)) {
  lineStarts.push_back(0);
  // Offsets are 32 bit; the parser refuses texts far below that size.
  size_t end = std::min<size_t>(contents.size(), UINT32_MAX - 1);
  for (size_t pos = 0; pos < end; ++pos)
    if (contents[pos] == '\n')
      lineStarts.push_back(static_cast<uint32_t>(pos) + 1);
}

LineColumn SourceFile::place(uint32_t offset) const {
  offset = static_cast<uint32_t>(std::min<size_t>(offset, contents.size()));
  auto next = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset);
  LineColumn place;
  place.line = static_cast<unsigned>(next - lineStarts.begin());
  place.column = offset - *(next - 1) + 1;
  return place;
}

uint32_t SourceFile::offset(LineColumn place) const {
  size_t number = std::clamp<size_t>(place.line, 1, lineStarts.size());
  size_t column = std::min<size_t>(std::max(place.column, 1u) - 1,
                                   line(static_cast<unsigned>(number)).size());
  return lineStarts[number - 1] + static_cast<uint32_t>(column);
}

llvm::StringRef SourceFile::line(unsigned number) const {
  if (number == 0 || number > lineStarts.size())
    return "";
  llvm::StringRef rest = text().substr(lineStarts[number - 1]);
  return rest.take_until([](char c) { return c == '\n'; }).rtrim('\r');
}

llvm::StringRef SourceFile::text(SourceRange range) const {
  return text().slice(range.begin, std::max(range.begin, range.end));
}

} // namespace rapt::support
