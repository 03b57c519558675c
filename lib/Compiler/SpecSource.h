// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a Spec of the interface holds.

#ifndef RAPT_LIB_COMPILER_SPECSOURCE_H
#define RAPT_LIB_COMPILER_SPECSOURCE_H

#include "lib/Frontend/Ast.h"
#include "lib/Frontend/Sema.h"
#include "lib/Support/SourceFile.h"
#include "rapt/Kernel.h"
#include "llvm/Support/Error.h"

namespace rapt {

struct Spec::Source {
  support::SourceFile file;
  frontend::File tree;
};

/// Whether the states of a recurrence are arguments and results; see
/// frontend::Instance.
struct StateRequest {
  bool takes = false, gives = false;
};

/// The checked definition that `options` choose; it refers to `source`. Fails
/// with every diagnostic.
llvm::Expected<frontend::Spec> analyze(const Spec::Source &source,
                                       const CompileOptions &options,
                                       StateRequest states = {});

/// One tensor, and the signature, in the types of the interface.
TensorSignature makeTensor(const frontend::TensorSignature &tensor);
Signature makeSignature(const frontend::Spec &spec);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_SPECSOURCE_H
