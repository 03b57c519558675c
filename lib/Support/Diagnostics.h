// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Errors, warnings and notes about one source file, collected and printed.

#pragma once

#include "lib/Support/SourceFile.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace rapt::support {

enum class Severity { Error, Warning };

/// A remark under a diagnostic; without a range it is printed without a place.
struct Note {
  std::optional<SourceRange> range;
  std::string message;
};

struct Diagnostic {
  Severity severity = Severity::Error;
  SourceRange range;
  std::string message;
  std::vector<Note> notes;

  Diagnostic &note(SourceRange where, const llvm::Twine &text);
  Diagnostic &note(const llvm::Twine &text);
};

/// Collects diagnostics in the order given. After `maxErrors` errors further
/// ones are dropped, and print() says so.
///
///   diags.error(name.range, "unknown name '" + name.text + "'")
///       .note(other.range, "the branch starts here");
class DiagnosticEngine {
public:
  explicit DiagnosticEngine(const SourceFile &file, unsigned maxErrors = 20)
      : file(file), maxErrors(maxErrors) {}

  /// The reference stays valid as long as the engine.
  Diagnostic &error(SourceRange range, const llvm::Twine &message);
  Diagnostic &warning(SourceRange range, const llvm::Twine &message);

  bool hasErrors() const { return errors != 0; }
  unsigned errorCount() const { return errors; }
  /// True once no further error is kept: a caller may stop looking for more.
  bool isFull() const { return errors >= maxErrors; }

  const SourceFile &source() const { return file; }
  const std::deque<Diagnostic> &diagnostics() const { return list; }

  /// Prints every diagnostic as
  ///   file:line:col: error: message
  ///     source line
  ///          ^~~~
  /// followed by its notes, each with its own place.
  void print(llvm::raw_ostream &os) const;
  std::string str() const;

private:
  Diagnostic &add(Severity severity, SourceRange range,
                  const llvm::Twine &message);

  const SourceFile &file;
  unsigned maxErrors;
  unsigned errors = 0;
  std::deque<Diagnostic> list;
  Diagnostic dropped;
};

/// The candidate nearest to `word`, if it is near enough to be a misspelling
/// (about a third of its letters); the first of equals.
std::optional<llvm::StringRef>
nearestSpelling(llvm::StringRef word,
                llvm::ArrayRef<llvm::StringRef> candidates);

/// "; did you mean 'queries'?" or nothing: to be appended to a message.
std::string didYouMean(llvm::StringRef word,
                       llvm::ArrayRef<llvm::StringRef> candidates);

} // namespace rapt::support
