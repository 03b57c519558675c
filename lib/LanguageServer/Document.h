// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// One open file of an editor: its text, what the front end says of it, and the
/// protocol's places, which count UTF-16 code units.

#ifndef RAPT_LIB_LANGUAGESERVER_DOCUMENT_H
#define RAPT_LIB_LANGUAGESERVER_DOCUMENT_H

#include "lib/Frontend/SourceAnalysis.h"
#include "llvm/Support/LSP/Protocol.h"

namespace rapt::lsp {

class Document {
public:
  Document(std::string name, std::string text, int64_t version);

  int64_t getVersion() const { return version; }
  llvm::StringRef getText() const { return source->text(); }
  const support::SourceFile &getSource() const { return *source; }
  const frontend::SourceAnalysis &getAnalysis() const { return *analysis; }

  /// Applies the changes in their order; one without a range is the new text.
  void change(llvm::ArrayRef<llvm::lsp::TextDocumentContentChangeEvent> changes,
              int64_t newVersion);

  /// The byte at a place. Behind the end of a line it is that end, behind the
  /// last line the end of the text; inside a surrogate pair its character.
  uint32_t getOffset(llvm::lsp::Position position) const;
  llvm::lsp::Position getPosition(uint32_t offset) const;
  llvm::lsp::Range getRange(support::SourceRange range) const;

private:
  void setText(std::string text);
  void analyze();

  std::string name;
  int64_t version;
  std::unique_ptr<support::SourceFile> source;
  std::unique_ptr<frontend::SourceAnalysis> analysis;
  /// Where lines begin: behind CR LF, LF, or CR, as the protocol has it.
  std::vector<uint32_t> lineStarts;
};

} // namespace rapt::lsp

#endif // RAPT_LIB_LANGUAGESERVER_DOCUMENT_H
