// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/Diagnostics.h"

#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/Unicode.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt::support {

Diagnostic &Diagnostic::note(SourceRange where, const llvm::Twine &text) {
  notes.push_back({where, text.str()});
  return *this;
}

Diagnostic &Diagnostic::note(const llvm::Twine &text) {
  notes.push_back({std::nullopt, text.str()});
  return *this;
}

Diagnostic &DiagnosticEngine::add(Severity severity, SourceRange range,
                                  const llvm::Twine &message) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.range = range;
  diagnostic.message = message.str();
  list.push_back(std::move(diagnostic));
  return list.back();
}

Diagnostic &DiagnosticEngine::error(SourceRange range,
                                    const llvm::Twine &message) {
  if (++errors > maxErrors)
    return dropped = Diagnostic();
  return add(Severity::Error, range, message);
}

Diagnostic &DiagnosticEngine::warning(SourceRange range,
                                      const llvm::Twine &message) {
  return add(Severity::Warning, range, message);
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

namespace {

/// The part of one line that is shown: sanitised, tabs as spaces, clipped.
struct Excerpt {
  static constexpr unsigned maxWidth = 100;
  static constexpr unsigned tabWidth = 4;

  std::string text;
  unsigned caret = 0; ///< Columns before the caret.
  unsigned width = 1; ///< Columns underlined, caret included.

  /// `line` is the whole line; [first, last) is the range in it, in bytes.
  Excerpt(llvm::StringRef line, size_t first, size_t last);
};

} // namespace

/// Bytes of the character at the start of `text`, at least 1; 1 if invalid.
static unsigned characterLength(llvm::StringRef text) {
  auto *bytes = reinterpret_cast<const llvm::UTF8 *>(text.data());
  unsigned length = llvm::getNumBytesForUTF8(bytes[0]);
  if (length > text.size() || !llvm::isLegalUTF8Sequence(bytes, bytes + length))
    return 1;
  return length;
}

Excerpt::Excerpt(llvm::StringRef line, size_t first, size_t last) {
  first = std::min(first, line.size());
  last = std::min(std::max(last, first), line.size());
  // Only a window around the caret is looked at: a line may have a megabyte.
  size_t begin = 0;
  bool isCutLeft = first > maxWidth * 2 / 3 && line.size() > maxWidth;
  if (isCutLeft) {
    begin = first - maxWidth / 2;
    while (begin < first && (line[begin] & 0xC0) == 0x80)
      ++begin;
    text = "...";
  }
  unsigned column = static_cast<unsigned>(text.size());
  unsigned end = 0;
  bool isCutRight = false;
  caret = column;
  for (size_t pos = begin; pos < line.size();) {
    if (pos <= first)
      caret = column;
    if (pos < last)
      end = 0;
    else if (end == 0)
      end = column;
    if (column >= maxWidth) {
      isCutRight = true;
      break;
    }
    llvm::StringRef character =
        line.substr(pos, characterLength(line.substr(pos)));
    pos += character.size();
    int width = llvm::sys::unicode::columnWidthUTF8(character);
    if (character == "\t") {
      text.append(tabWidth, ' ');
      column += tabWidth;
    } else if (width < 0) {
      text += '?';
      ++column;
    } else {
      text += character;
      column += width;
    }
    if (pos <= first)
      caret = column;
  }
  if (end == 0)
    end = column;
  if (isCutRight)
    text += "...";
  width = end > caret ? end - caret : 1;
}

static void printPlace(llvm::raw_ostream &os, const SourceFile &file,
                       SourceRange range) {
  LineColumn place = file.place(range.begin);
  os << file.name() << ':' << place.line << ':' << place.column << ": ";
}

static void printExcerpt(llvm::raw_ostream &os, const SourceFile &file,
                         SourceRange range) {
  LineColumn place = file.place(range.begin);
  size_t first = place.column - 1;
  size_t length = range.end > range.begin ? range.end - range.begin : 0;
  Excerpt excerpt(file.line(place.line), first, first + length);
  os << "  " << llvm::StringRef(excerpt.text).rtrim() << "\n  ";
  os.indent(excerpt.caret) << '^';
  for (unsigned column = 1; column < excerpt.width; ++column)
    os << '~';
  os << '\n';
}

void DiagnosticEngine::print(llvm::raw_ostream &os) const {
  for (const Diagnostic &diagnostic : list) {
    printPlace(os, file, diagnostic.range);
    os << (diagnostic.severity == Severity::Error ? "error: " : "warning: ")
       << diagnostic.message << '\n';
    printExcerpt(os, file, diagnostic.range);
    for (const Note &note : diagnostic.notes) {
      printPlace(os, file, note.range.value_or(diagnostic.range));
      os << "note: " << note.message << '\n';
      if (note.range)
        printExcerpt(os, file, *note.range);
    }
  }
  if (errors > maxErrors)
    os << file.name() << ": note: only the first " << maxErrors
       << " errors are shown\n";
}

std::string DiagnosticEngine::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  print(os);
  return text;
}

//===----------------------------------------------------------------------===//
// Suggestions
//===----------------------------------------------------------------------===//

std::optional<llvm::StringRef>
nearestSpelling(llvm::StringRef word,
                llvm::ArrayRef<llvm::StringRef> candidates) {
  // One letter wrong in a word of one or two is another word.
  if (word.size() < 3)
    return std::nullopt;
  unsigned limit =
      static_cast<unsigned>(std::min<size_t>(word.size(), 64) + 2) / 3;
  std::optional<llvm::StringRef> nearest;
  unsigned best = limit + 1;
  for (llvm::StringRef candidate : candidates) {
    if (candidate == word)
      continue;
    unsigned distance =
        word.edit_distance(candidate, /*AllowReplacements=*/true, limit);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string didYouMean(llvm::StringRef word,
                       llvm::ArrayRef<llvm::StringRef> candidates) {
  if (std::optional<llvm::StringRef> nearest =
          nearestSpelling(word, candidates))
    return ("; did you mean '" + *nearest + "'?").str();
  return "";
}

} // namespace rapt::support
