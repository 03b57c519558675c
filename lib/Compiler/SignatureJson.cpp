// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/SignatureJson.h"
#include "lib/Compiler/ElementTypes.h"
#include "llvm/Support/raw_ostream.h"

namespace json = llvm::json;

namespace rapt {

json::Object toJson(const TensorSignature &tensor) {
  json::Array axes;
  for (const Axis &axis : tensor.axes)
    axes.push_back(json::Object{{"name", axis.name},
                                {"extent", axis.extent},
                                {"feature", axis.isFeature}});
  return json::Object{{"name", tensor.name},
                      {"dtype", describe(tensor.dtype)},
                      {"axes", std::move(axes)}};
}

json::Array toJson(const std::vector<TensorSignature> &tensors) {
  json::Array array;
  for (const TensorSignature &tensor : tensors)
    array.push_back(toJson(tensor));
  return array;
}

json::Object toJson(const Signature &signature) {
  return json::Object{
      {"arguments", toJson(signature.arguments)},
      {"results", toJson(signature.results)},
      {"missing_extents", json::Array(signature.missingExtents)}};
}

std::string print(json::Value value, bool isIndented) {
  std::string text;
  llvm::raw_string_ostream os(text);
  json::OStream(os, isIndented ? 2 : 0).value(value);
  return text;
}

} // namespace rapt
