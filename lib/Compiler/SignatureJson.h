// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Signatures as JSON, the same in manifests and in the C interface.

#ifndef RAPT_LIB_COMPILER_SIGNATUREJSON_H
#define RAPT_LIB_COMPILER_SIGNATUREJSON_H

#include "rapt/Kernel.h"
#include "llvm/Support/JSON.h"

namespace rapt {

/// {"name", "dtype", "axes": [{"name", "extent", "feature"}]}; an extent that
/// every call has its own of is -1.
llvm::json::Object toJson(const TensorSignature &tensor);
llvm::json::Array toJson(const std::vector<TensorSignature> &tensors);
/// {"arguments", "results", "missing_extents"}.
llvm::json::Object toJson(const Signature &signature);

/// One line, or indented by two.
std::string print(llvm::json::Value value, bool isIndented);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_SIGNATUREJSON_H
