// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Choices that look ahead: a mask that hides the keys after the query beside a
/// set that was chosen by them.

#ifndef RAPT_LIB_FRONTEND_CAUSALITY_H
#define RAPT_LIB_FRONTEND_CAUSALITY_H

#include "lib/Frontend/Computed.h"
#include "lib/Support/Diagnostics.h"

namespace rapt::frontend {

/// Warns of every set in a causal mask whose elements certainly depend on keys,
/// or queries, after the query. What cannot be decided is passed over.
void warnOfLeaks(const Loop &loop, support::DiagnosticEngine &diags);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_CAUSALITY_H
