// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The requests of the protocol, answered from the index that semantic analysis
// makes. Nothing here knows what a name means.

#include "lib/LanguageServer/Server.h"
#include "lib/Frontend/Token.h"
#include "lib/Frontend/Vocabulary.h"
#include "lib/LanguageServer/Document.h"
#include "lib/LanguageServer/MessageGate.h"
#include "llvm/ADT/StringMap.h"

namespace rapt::lsp {

using namespace llvm::lsp;
using llvm::StringRef;

namespace {
class Server {
public:
  Server(JSONTransport &transport) : handler(transport) {
    publish = handler.outgoingNotification<PublishDiagnosticsParams>(
        "textDocument/publishDiagnostics");
    handler.method("initialize", this, &Server::onInitialize);
    handler.notification("initialized", this, &Server::onInitialized);
    handler.method("shutdown", this, &Server::onShutdown);
    handler.notification("textDocument/didOpen", this, &Server::onOpen);
    handler.notification("textDocument/didChange", this, &Server::onChange);
    handler.notification("textDocument/didClose", this, &Server::onClose);
    handler.method("textDocument/hover", this, &Server::onHover);
    handler.method("textDocument/definition", this, &Server::onDefinition);
    handler.method("textDocument/references", this, &Server::onReferences);
    handler.method("textDocument/completion", this, &Server::onCompletion);
    handler.method("textDocument/documentSymbol", this, &Server::onSymbols);
  }

  MessageHandler &getHandler() { return handler; }

private:
  void onInitialize(const InitializeParams &params,
                    Callback<llvm::json::Value> reply);
  void onInitialized(const InitializedParams &) {}
  void onShutdown(const NoParams &, Callback<std::nullptr_t> reply) {
    reply(nullptr);
  }
  void onOpen(const DidOpenTextDocumentParams &params);
  void onChange(const DidChangeTextDocumentParams &params);
  void onClose(const DidCloseTextDocumentParams &params);
  void onHover(const TextDocumentPositionParams &params,
               Callback<std::optional<Hover>> reply);
  void onDefinition(const TextDocumentPositionParams &params,
                    Callback<std::vector<Location>> reply);
  void onReferences(const ReferenceParams &params,
                    Callback<std::vector<Location>> reply);
  void onCompletion(const CompletionParams &params,
                    Callback<CompletionList> reply);
  void onSymbols(const DocumentSymbolParams &params,
                 Callback<std::vector<DocumentSymbol>> reply);

  /// The document, or an error for the client.
  llvm::Expected<const Document *> find(const URIForFile &uri) const;
  void publishDiagnostics(const URIForFile &uri, const Document &document);

  MessageHandler handler;
  OutgoingNotification<PublishDiagnosticsParams> publish;
  /// By the text of their URIs: two of them can name one path.
  llvm::StringMap<std::unique_ptr<Document>> documents;
};
} // namespace

void Server::onInitialize(const InitializeParams &,
                          Callback<llvm::json::Value> reply) {
  llvm::json::Object capabilities{
      {"positionEncoding", "utf-16"},
      {"textDocumentSync",
       llvm::json::Object{
           {"openClose", true},
           {"change", static_cast<int>(TextDocumentSyncKind::Incremental)}}},
      {"hoverProvider", true},
      {"definitionProvider", true},
      {"referencesProvider", true},
      {"documentSymbolProvider", true},
      {"completionProvider",
       llvm::json::Object{
           {"resolveProvider", false},
           {"triggerCharacters", llvm::json::Array{".", "(", "="}}}},
  };
  reply(llvm::json::Object{
      {"serverInfo", llvm::json::Object{{"name", "rapt-lsp"}}},
      {"capabilities", std::move(capabilities)}});
}

//===----------------------------------------------------------------------===//
// Documents
//===----------------------------------------------------------------------===//

llvm::Expected<const Document *> Server::find(const URIForFile &uri) const {
  auto known = documents.find(uri.uri());
  if (known != documents.end())
    return known->second.get();
  return llvm::make_error<LSPError>(("'" + uri.uri() + "' is not open").str(),
                                    ErrorCode::InvalidParams);
}

void Server::onOpen(const DidOpenTextDocumentParams &params) {
  const TextDocumentItem &item = params.textDocument;
  std::unique_ptr<Document> &document = documents[item.uri.uri()];
  document = std::make_unique<Document>(item.uri.file().str(), item.text,
                                        item.version);
  publishDiagnostics(item.uri, *document);
}

void Server::onChange(const DidChangeTextDocumentParams &params) {
  const VersionedTextDocumentIdentifier &id = params.textDocument;
  auto known = documents.find(id.uri.uri());
  if (known == documents.end())
    return Logger::error("change of '{0}', which is not open", id.uri.uri());
  known->second->change(params.contentChanges, id.version);
  publishDiagnostics(id.uri, *known->second);
}

void Server::onClose(const DidCloseTextDocumentParams &params) {
  const URIForFile &uri = params.textDocument.uri;
  auto known = documents.find(uri.uri());
  if (known == documents.end())
    return;
  PublishDiagnosticsParams nothing(uri, known->second->getVersion());
  documents.erase(known);
  publish(nothing);
}

void Server::publishDiagnostics(const URIForFile &uri,
                                const Document &document) {
  PublishDiagnosticsParams params(uri, document.getVersion());
  for (const support::Diagnostic &found :
       document.getAnalysis().getDiagnostics()) {
    Diagnostic diagnostic;
    diagnostic.range = document.getRange(found.range);
    diagnostic.severity = found.severity == support::Severity::Error
                              ? DiagnosticSeverity::Error
                              : DiagnosticSeverity::Warning;
    diagnostic.source = "rapt";
    diagnostic.message = found.message;
    std::vector<DiagnosticRelatedInformation> related;
    for (const support::Note &note : found.notes) {
      if (note.range)
        related.emplace_back(Location(uri, document.getRange(*note.range)),
                             note.message);
      else
        diagnostic.message += "\nnote: " + note.message;
    }
    if (!related.empty())
      diagnostic.relatedInformation = std::move(related);
    params.diagnostics.push_back(std::move(diagnostic));
  }
  publish(params);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static std::string formatHover(StringRef code, StringRef doc) {
  std::string text = ("```attn\n" + code + "\n```").str();
  if (!doc.empty())
    text += ("\n\n" + doc).str();
  return text;
}

void Server::onHover(const TextDocumentPositionParams &params,
                     Callback<std::optional<Hover>> reply) {
  llvm::Expected<const Document *> found = find(params.textDocument.uri);
  if (!found)
    return reply(found.takeError());
  const Document &document = **found;
  const frontend::SymbolIndex &index = document.getAnalysis().getIndex();
  uint32_t offset = document.getOffset(params.position);
  auto answer = [&](support::SourceRange range, StringRef code, StringRef doc) {
    Hover hover(document.getRange(range));
    hover.contents.value = formatHover(code, doc);
    reply(std::optional(std::move(hover)));
  };
  if (std::optional<frontend::Occurrence> at = index.getOccurrence(offset))
    return answer(at->range, at->symbol->getSignature(), at->symbol->doc);
  // A keyword: the lexer knows where it begins, which is in this line.
  StringRef text = document.getText();
  uint32_t begin = offset;
  while (begin && isalpha(static_cast<unsigned char>(text[begin - 1])))
    --begin;
  bool isInComment =
      text.slice(text.rfind('\n', begin) + 1, begin).contains("//");
  frontend::Token token = frontend::scanToken(text, begin);
  if (!isInComment && token.kind == frontend::TokenKind::Keyword &&
      token.range.begin == begin)
    if (const frontend::VocabularyWord *word =
            frontend::findKeyword(token.text))
      return answer(token.range, word->name, word->doc);
  if (!isInComment)
    if (std::optional<frontend::TypedRange> expression =
            index.getExpression(offset))
      return answer(expression->range, expression->type, "");
  reply(std::nullopt);
}

void Server::onDefinition(const TextDocumentPositionParams &params,
                          Callback<std::vector<Location>> reply) {
  llvm::Expected<const Document *> found = find(params.textDocument.uri);
  if (!found)
    return reply(found.takeError());
  const Document &document = **found;
  std::vector<Location> places;
  std::optional<frontend::Occurrence> at =
      document.getAnalysis().getIndex().getOccurrence(
          document.getOffset(params.position));
  if (at && at->symbol->place)
    places.emplace_back(params.textDocument.uri,
                        document.getRange(*at->symbol->place));
  reply(std::move(places));
}

void Server::onReferences(const ReferenceParams &params,
                          Callback<std::vector<Location>> reply) {
  llvm::Expected<const Document *> found = find(params.textDocument.uri);
  if (!found)
    return reply(found.takeError());
  const Document &document = **found;
  const frontend::SymbolIndex &index = document.getAnalysis().getIndex();
  std::vector<Location> places;
  if (std::optional<frontend::Occurrence> at =
          index.getOccurrence(document.getOffset(params.position)))
    for (support::SourceRange range : index.getReferences(*at->symbol)) {
      bool isDeclaration =
          at->symbol->place && at->symbol->place->begin == range.begin;
      if (!isDeclaration || params.context.includeDeclaration)
        places.emplace_back(params.textDocument.uri, document.getRange(range));
    }
  reply(std::move(places));
}

//===----------------------------------------------------------------------===//
// Completion
//===----------------------------------------------------------------------===//

static CompletionItemKind getItemKind(frontend::Candidates::Kind kind) {
  using Kind = frontend::Candidates::Kind;
  switch (kind) {
  case Kind::Keyword:
    return CompletionItemKind::Keyword;
  case Kind::Variable:
    return CompletionItemKind::Variable;
  case Kind::Branch:
    return CompletionItemKind::Module;
  case Kind::Function:
    return CompletionItemKind::Function;
  case Kind::Constant:
    return CompletionItemKind::Constant;
  case Kind::Argument:
    return CompletionItemKind::Property;
  case Kind::Type:
    return CompletionItemKind::TypeParameter;
  }
  return CompletionItemKind::Text;
}

void Server::onCompletion(const CompletionParams &params,
                          Callback<CompletionList> reply) {
  llvm::Expected<const Document *> found = find(params.textDocument.uri);
  if (!found)
    return reply(found.takeError());
  const Document &document = **found;
  frontend::Candidates candidates = frontend::complete(
      document.getSource(), document.getOffset(params.position),
      document.getAnalysis().getIndex());
  CompletionList list;
  Range range = document.getRange(candidates.word);
  for (const frontend::Candidates::Candidate &candidate : candidates.list) {
    // The order of the list is the order of likelihood.
    std::string order = std::to_string(1000 + list.items.size());
    CompletionItem item(candidate.label, getItemKind(candidate.kind), order);
    item.detail = candidate.detail;
    if (!candidate.doc.empty())
      item.documentation = MarkupContent{MarkupKind::PlainText, candidate.doc};
    item.textEdit = TextEdit{range, candidate.label};
    list.items.push_back(std::move(item));
  }
  reply(std::move(list));
}

//===----------------------------------------------------------------------===//
// Outline
//===----------------------------------------------------------------------===//

static SymbolKind getSymbolKind(frontend::SymbolKind kind) {
  using Kind = frontend::SymbolKind;
  switch (kind) {
  case Kind::Definition:
    return SymbolKind::Class;
  case Kind::Param:
    return SymbolKind::Constant;
  case Kind::Input:
    return SymbolKind::Property;
  case Kind::State:
    return SymbolKind::Field;
  case Kind::Branch:
    return SymbolKind::Namespace;
  case Kind::Role:
    return SymbolKind::Method;
  case Kind::Let:
  case Kind::Carry:
  case Kind::Counter:
  case Kind::Feature:
  case Kind::Word:
    return SymbolKind::Variable;
  }
  return SymbolKind::Variable;
}

/// The symbols that stand in `parent`, with those in them.
static std::vector<DocumentSymbol>
makeOutline(const Document &document,
            llvm::ArrayRef<const frontend::Symbol *> symbols,
            const std::map<const frontend::Symbol *,
                           std::vector<const frontend::Symbol *>> &children) {
  std::vector<DocumentSymbol> outline;
  for (const frontend::Symbol *symbol : symbols) {
    DocumentSymbol &entry = outline.emplace_back(
        symbol->name, getSymbolKind(symbol->kind),
        document.getRange(symbol->range), document.getRange(*symbol->place));
    entry.detail = symbol->type;
    if (auto below = children.find(symbol); below != children.end())
      entry.children = makeOutline(document, below->second, children);
  }
  return outline;
}

void Server::onSymbols(const DocumentSymbolParams &params,
                       Callback<std::vector<DocumentSymbol>> reply) {
  llvm::Expected<const Document *> found = find(params.textDocument.uri);
  if (!found)
    return reply(found.takeError());
  std::map<const frontend::Symbol *, std::vector<const frontend::Symbol *>>
      children;
  for (const frontend::Symbol *symbol :
       (*found)->getAnalysis().getIndex().getDeclarations())
    children[symbol->parent].push_back(symbol);
  reply(makeOutline(**found, children[nullptr], children));
}

//===----------------------------------------------------------------------===//
// Session
//===----------------------------------------------------------------------===//

int serve(std::FILE *in, llvm::raw_ostream &out, JSONStreamStyle style,
          bool isPretty) {
  // Files that are not saved yet.
  URIForFile::registerSupportedScheme("untitled");
  auto input = std::make_unique<MessageGate>(in, style);
  MessageGate &gate = *input;
  JSONTransport transport(std::move(input), out, isPretty);
  gate.setTransport(transport);
  Server server(transport);
  if (llvm::Error error = transport.run(server.getHandler())) {
    Logger::error("session ended: {0}", llvm::toString(std::move(error)));
    return 1;
  }
  return gate.isShutdown() ? 0 : 1;
}

} // namespace rapt::lsp
