// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The language server for the attention language.

#ifndef RAPT_LIB_LANGUAGESERVER_SERVER_H
#define RAPT_LIB_LANGUAGESERVER_SERVER_H

#include "llvm/Support/LSP/Transport.h"

namespace rapt::lsp {

/// Serves one client until it sends `exit` or `in` ends. Gives the exit status
/// that the protocol asks for: 0 if `shutdown` came before `exit`, else 1.
int serve(std::FILE *in, llvm::raw_ostream &out,
          llvm::lsp::JSONStreamStyle style, bool isPretty);

} // namespace rapt::lsp

#endif // RAPT_LIB_LANGUAGESERVER_SERVER_H
