// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// Limits on a source, checked before the grammar sees it.

#pragma once

#include "lib/Support/Diagnostics.h"

namespace rapt::frontend {

/// Most bytes in a source.
inline constexpr size_t maxSourceBytes = 1 << 20;
/// Most brackets `(`, `[`, `{` open at one place.
inline constexpr unsigned maxBracketDepth = 200;
/// Most prefix operators `!`, `-` in a row.
inline constexpr unsigned maxPrefixRun = 200;

/// True if the source is valid UTF-8 without NUL and within the limits above;
/// else reports the first place where it is not. The grammar is recursive in
/// brackets, so this is what bounds its use of the stack.
bool prescan(support::DiagnosticEngine &diags);

} // namespace rapt::frontend
