// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The params and inputs of a definition, which hold everywhere in it.

#ifndef RAPT_LIB_FRONTEND_DECLARATIONS_H
#define RAPT_LIB_FRONTEND_DECLARATIONS_H

#include "lib/Frontend/Scope.h"

namespace rapt::frontend {

class Declarations {
public:
  Declarations(const Definition &definition, Scope &scope, Builder &builder)
      : definition(definition), scope(scope), b(builder) {}

  /// Declares every param and input, and q, k, v if they are not declared.
  void declare();

  /// Feature axes on which the unknown extents of an input depend.
  std::vector<std::string> getUnknownExtents(const InputTensor &input) const;

private:
  bool isFree(const Name &name);
  void declareParam(const ParamBinding &binding);
  Node *getOverride(const ParamBinding &binding, Scalar scalar);
  void checkOverrides();
  void collectFeatures();
  void declareInputs(const Input &input);
  std::optional<TensorAxis> getAxis(const Expr &extent,
                                    llvm::ArrayRef<TensorAxis> before);
  void addImplicitInputs();
  void setElementTypes();

  const Definition &definition;
  Scope &scope;
  Builder &b;
  std::map<std::string, SourceRange> names;
  std::map<std::string, SourceRange> paramPlaces;
  std::set<std::string> inputNames;
  std::map<std::string, std::vector<std::string>> unknownExtents;
  std::vector<InputTensor *> withoutType;
};

} // namespace rapt::frontend

#endif // RAPT_LIB_FRONTEND_DECLARATIONS_H
