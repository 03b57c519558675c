// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Syntax tree to a checked definition with a signature: which tensors it
/// takes, of which axes and types.

#ifndef RAPT_LIB_FRONTEND_SEMA_H
#define RAPT_LIB_FRONTEND_SEMA_H

#include "lib/Frontend/Ast.h"
#include "lib/Support/Diagnostics.h"
#include "lib/Support/FloatFormats.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rapt::frontend {

class Program;
class SymbolIndex;
struct SequenceAxis;

/// What is fixed when a kernel is compiled.
struct Instance {
  /// The definition to compile; not needed if the file has one only.
  std::optional<std::string> definition;
  /// Values of params, as written by the user: `512`, `0.1`, `-3`.
  std::map<std::string, std::string> params;
  /// Extents of feature axes: `dim`, `vdim`, `slots`, ... Names that the
  /// definition does not have are ignored.
  std::map<std::string, int64_t> extents;
  /// Element type of q and of everything declared without one: f32, bf16, f16.
  support::ElementType elementType = support::ElementType::F32;
  /// Of a definition with states: whether the states before the first token are
  /// arguments, in the place of `from`, and those after the last one results.
  /// Each has the name of its state and f32[batch, heads, its axes]. A
  /// definition that uses positions as numbers then has the argument `start:
  /// i32`, the number of tokens before the first one.
  bool takesStates = false, givesStates = false;
};

/// One dimension of a tensor of the signature.
struct TensorAxis {
  /// `batch`, `heads`, `dim`, ...; the number itself for `[heads, 32]`.
  std::string name;
  /// A feature axis has an extent fixed at compile time, a leading axis not.
  bool isFeature = false;
  /// Extent of a feature axis if it is known.
  std::optional<int64_t> extent;
  /// What a leading axis of a computed tensor counts; null for tokens.
  const SequenceAxis *sequence = nullptr;
};

struct TensorSignature {
  std::string name;
  support::ElementType elementType;
  std::vector<TensorAxis> axes; ///< Empty: a scalar.
};

/// A definition that passed every check that its known extents allow. Refers to
/// the File it was made from.
struct Spec {
  std::string name;
  /// What is read, q k v first, then in the order of declaration.
  std::vector<TensorSignature> arguments;
  /// `out` [batch, heads, queries, vdim] and, of a pairwise loop with one
  /// number per pair, `lse` [batch, heads, queries]: the log of the sum of the
  /// exponentials of a softmax, its sink included, and 0 where the weight is no
  /// softmax.
  std::vector<TensorSignature> results;
  /// Feature axes of the arguments whose extents `Instance::extents` must still
  /// give. emitAttn() needs this to be empty.
  std::vector<std::string> missingExtents;
  /// Every param with the value it has.
  std::map<std::string, std::string> params;
  /// What the user should know though nothing is wrong, as it is printed.
  std::string warnings;
  /// Whether emitAttn() keeps real constants as they are, for the Reference:
  /// one that f32 does not hold becomes an f64 constant cut by arith.truncf.
  /// Else each is rounded to f32 once, as kernels want it.
  bool hasExactReals = false;

  std::shared_ptr<const Program> program;
};

/// Checks one definition of `file` for `instance`. Every error is reported at
/// its place; nothing is returned if there was one. Checks that need an extent
/// that is not known yet are made when analyze() is called with it.
std::optional<Spec> analyze(const File &file, const Instance &instance,
                            support::DiagnosticEngine &diags);

/// Checks one definition for an instance of which nothing is known, and tells
/// `index` what every name and expression of it is, also of those around an
/// error. `index` must know the declarations of the definition.
std::optional<Spec> analyzeDefinition(const Definition &definition,
                                      support::DiagnosticEngine &diags,
                                      SymbolIndex &index);

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_SEMA_H
