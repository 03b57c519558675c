// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What stands before the transport of LLVM, which ends the session at a
/// message that is no request and says nothing about one that is no JSON: here
/// such messages get the answer that the protocol has for them. The order of a
/// session (initialize, shutdown, exit) is kept here too.

#ifndef RAPT_LIB_LANGUAGESERVER_MESSAGEGATE_H
#define RAPT_LIB_LANGUAGESERVER_MESSAGEGATE_H

#include "llvm/Support/LSP/Transport.h"

namespace rapt::lsp {

class MessageGate : public llvm::lsp::JSONTransportInput {
public:
  MessageGate(std::FILE *in, llvm::lsp::JSONStreamStyle style)
      : JSONTransportInput(style), input(in, style) {}

  /// Who sends the answers. Needed before the first message is read.
  void setTransport(llvm::lsp::JSONTransport &newTransport) {
    transport = &newTransport;
  }
  /// Whether the client has asked for the end.
  bool isShutdown() const { return state == State::Shutdown; }

  bool hasError() const final { return input.hasError(); }
  bool isEndOfInput() const final { return input.isEndOfInput(); }
  llvm::LogicalResult readDelimitedMessage(std::string &json) final;
  llvm::LogicalResult readStandardMessage(std::string &json) final;

private:
  enum class State { Started, Initialized, Shutdown };
  /// Whether the message may go on; answers it if not.
  bool admit(llvm::StringRef json);
  bool reject(llvm::json::Value id, llvm::lsp::ErrorCode code,
              llvm::StringRef message);

  llvm::lsp::JSONTransportInputOverFile input;
  llvm::lsp::JSONTransport *transport = nullptr;
  State state = State::Started;
};

} // namespace rapt::lsp

#endif // RAPT_LIB_LANGUAGESERVER_MESSAGEGATE_H
