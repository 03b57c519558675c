// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/LanguageServer/Document.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ConvertUTF.h"

namespace rapt::lsp {

using llvm::StringRef;
using llvm::lsp::Position;

Document::Document(std::string name, std::string text, int64_t version)
    : name(std::move(name)), version(version) {
  setText(std::move(text));
  analyze();
}

void Document::setText(std::string text) {
  // It refers to the text.
  analysis.reset();
  source = std::make_unique<support::SourceFile>(name, std::move(text));
  lineStarts = {0};
  StringRef all = getText();
  for (size_t at = 0; at < all.size(); ++at) {
    bool isBreak = all[at] == '\n' ||
                   (all[at] == '\r' && !all.substr(at + 1).starts_with("\n"));
    if (isBreak)
      lineStarts.push_back(at + 1);
  }
}

void Document::analyze() {
  analysis = std::make_unique<frontend::SourceAnalysis>(*source);
}

void Document::change(
    llvm::ArrayRef<llvm::lsp::TextDocumentContentChangeEvent> changes,
    int64_t newVersion) {
  version = newVersion;
  for (const llvm::lsp::TextDocumentContentChangeEvent &change : changes) {
    if (!change.range) {
      setText(change.text);
      continue;
    }
    uint32_t begin = getOffset(change.range->start);
    uint32_t end = std::max(begin, getOffset(change.range->end));
    setText(
        (getText().take_front(begin) + change.text + getText().drop_front(end))
            .str());
  }
  analyze();
}

/// Bytes of the first character of a text that is not empty.
static size_t getCharacterBytes(StringRef text) {
  size_t bytes = llvm::getNumBytesForUTF8(text.front());
  return std::min(bytes, text.size());
}

/// UTF-16 code units of a character of so many bytes of UTF-8.
static int getUnits(size_t bytes) { return bytes == 4 ? 2 : 1; }

uint32_t Document::getOffset(Position position) const {
  if (position.line < 0)
    return 0;
  if (static_cast<size_t>(position.line) >= lineStarts.size())
    return getText().size();
  uint32_t offset = lineStarts[position.line];
  StringRef rest = getText().drop_front(offset);
  int units = 0;
  while (!rest.empty() && rest.front() != '\n' && rest.front() != '\r') {
    size_t bytes = getCharacterBytes(rest);
    units += getUnits(bytes);
    if (units > position.character)
      break;
    offset += bytes;
    rest = rest.drop_front(bytes);
  }
  return offset;
}

Position Document::getPosition(uint32_t offset) const {
  offset = std::min<size_t>(offset, getText().size());
  auto next = llvm::upper_bound(lineStarts, offset);
  StringRef rest = getText().slice(*std::prev(next), offset);
  int units = 0;
  while (!rest.empty()) {
    size_t bytes = getCharacterBytes(rest);
    units += getUnits(bytes);
    rest = rest.drop_front(bytes);
  }
  return {static_cast<int>(next - lineStarts.begin()) - 1, units};
}

llvm::lsp::Range Document::getRange(support::SourceRange range) const {
  return {getPosition(range.begin),
          getPosition(std::max(range.begin, range.end))};
}

} // namespace rapt::lsp
