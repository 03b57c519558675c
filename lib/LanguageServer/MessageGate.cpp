// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/LanguageServer/MessageGate.h"

namespace rapt::lsp {

using llvm::StringRef;
using llvm::lsp::ErrorCode;

/// More than any message of the protocol has; the JSON parser is recursive.
static constexpr unsigned maxDepth = 256;

/// Whether brackets outside strings are nested at most maxDepth deep.
static bool isShallow(StringRef json) {
  unsigned depth = 0;
  bool inString = false;
  for (size_t at = 0; at < json.size(); ++at) {
    char c = json[at];
    if (inString) {
      at += c == '\\';
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > maxDepth)
        return false;
    } else if ((c == ']' || c == '}') && depth) {
      --depth;
    }
  }
  return true;
}

bool MessageGate::reject(llvm::json::Value id, ErrorCode code,
                         StringRef message) {
  transport->reply(std::move(id),
                   llvm::make_error<llvm::lsp::LSPError>(message.str(), code));
  return false;
}

bool MessageGate::admit(StringRef json) {
  if (!isShallow(json))
    return reject(nullptr, ErrorCode::ParseError,
                  "message is nested deeper than 256");
  llvm::Expected<llvm::json::Value> message = llvm::json::parse(json);
  if (!message)
    return reject(nullptr, ErrorCode::ParseError,
                  "message is no JSON: " + llvm::toString(message.takeError()));
  const llvm::json::Object *object = message->getAsObject();
  const llvm::json::Value *id = object ? object->get("id") : nullptr;
  auto getId = [&] { return id ? *id : llvm::json::Value(nullptr); };
  if (!object || object->getString("jsonrpc") != StringRef("2.0"))
    return reject(getId(), ErrorCode::InvalidRequest,
                  "expected an object with \"jsonrpc\": \"2.0\"");
  if (!object->get("method") && id)
    return true; // An answer.
  std::optional<StringRef> method = object->getString("method");
  if (!method)
    return reject(getId(), ErrorCode::InvalidRequest,
                  "expected the name of a method");
  if (*method == "exit" && !id)
    return true;
  switch (state) {
  case State::Started:
    if (*method == "initialize" && id) {
      state = State::Initialized;
      return true;
    }
    return id && reject(*id, ErrorCode::ServerNotInitialized,
                        "expected 'initialize' first");
  case State::Initialized:
    if (*method == "initialize")
      return id && reject(*id, ErrorCode::InvalidRequest,
                          "the session is initialized already");
    if (*method == "shutdown" && id)
      state = State::Shutdown;
    return true;
  case State::Shutdown:
    return id && reject(*id, ErrorCode::InvalidRequest,
                        "expected 'exit' after 'shutdown'");
  }
  return false;
}

llvm::LogicalResult MessageGate::readDelimitedMessage(std::string &json) {
  llvm::LogicalResult result = input.readDelimitedMessage(json);
  if (failed(result) || StringRef(json).trim().empty())
    return llvm::failure();
  return llvm::success(admit(json));
}

llvm::LogicalResult MessageGate::readStandardMessage(std::string &json) {
  llvm::LogicalResult result = input.readStandardMessage(json);
  return llvm::success(succeeded(result) && admit(json));
}

} // namespace rapt::lsp
