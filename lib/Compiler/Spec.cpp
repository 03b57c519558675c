// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/AxisExtents.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/SpecSource.h"
#include "lib/Frontend/Parser.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt {

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

Result<Spec> Spec::parse(std::string text, std::string name) {
  support::SourceFile file(std::move(name), std::move(text));
  support::DiagnosticEngine diags(file);
  std::optional<frontend::File> tree = frontend::parse(diags);
  if (!tree)
    return Error{ErrorCode::InvalidSpec,
                 StringRef(diags.str()).rtrim('\n').str()};
  Spec spec;
  spec.source =
      std::make_shared<Source>(Source{std::move(file), std::move(*tree)});
  return spec;
}

Result<Spec> Spec::loadFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return Error{ErrorCode::InputOutput,
                 path + ": cannot read: " + buffer.getError().message()};
  return parse((*buffer)->getBuffer().str(), path);
}

std::vector<std::string> Spec::getDefinitions() const {
  std::vector<std::string> names;
  for (const frontend::Definition &definition : source->tree.definitions)
    names.push_back(definition.name.text);
  return names;
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

Expected<frontend::Spec> analyze(const Spec::Source &source,
                                 const CompileOptions &options,
                                 StateRequest states) {
  frontend::Instance instance;
  if (!options.definition.empty())
    instance.definition = options.definition;
  instance.params = options.params;
  instance.extents = options.extents;
  instance.takesStates = states.takes;
  instance.givesStates = states.gives;
  switch (options.dtype) {
  case DType::F32:
  case DType::F16:
  case DType::BF16:
    instance.elementType = *getElementType(options.dtype);
    break;
  default:
    return makeError(ErrorCode::InvalidArgument,
                     "type of q is " + describe(options.dtype) +
                         ", expected f32, bf16 or f16");
  }
  support::DiagnosticEngine diags(source.file);
  std::optional<frontend::Spec> spec =
      frontend::analyze(source.tree, instance, diags);
  if (!spec)
    return makeError(ErrorCode::InvalidSpec,
                     StringRef(diags.str()).rtrim('\n'));
  spec->warnings = StringRef(diags.str()).rtrim('\n');
  return std::move(*spec);
}

TensorSignature makeTensor(const frontend::TensorSignature &tensor) {
  TensorSignature result{tensor.name, getDType(tensor.elementType), {}};
  for (const frontend::TensorAxis &axis : tensor.axes)
    result.axes.push_back(
        {axis.name, axis.extent.value_or(-1), axis.isFeature});
  return result;
}

Signature makeSignature(const frontend::Spec &spec) {
  Signature signature;
  for (const frontend::TensorSignature &tensor : spec.arguments)
    signature.arguments.push_back(makeTensor(tensor));
  for (const frontend::TensorSignature &tensor : spec.results)
    signature.results.push_back(makeTensor(tensor));
  signature.missingExtents = spec.missingExtents;
  return signature;
}

Result<Signature> Spec::getSignature(const CompileOptions &options) const {
  Expected<frontend::Spec> spec = analyze(*source, options);
  if (!spec)
    return toError(spec.takeError());
  return makeSignature(*spec);
}

Result<void> Spec::inferExtents(CompileOptions &options,
                                const std::vector<NamedTensor> &tensors) const {
  Expected<frontend::Spec> spec = analyze(*source, options);
  if (!spec)
    return toError(spec.takeError());
  AxisExtents extents;
  for (const auto &[axis, extent] : options.extents)
    if (llvm::Error error = extents.set(axis, extent, "the options"))
      return toError(std::move(error));
  for (const NamedTensor &named : tensors) {
    auto argument = llvm::find_if(spec->arguments, [&](const auto &argument) {
      return argument.name == named.name;
    });
    // Kernel::run() says which tensors there are.
    if (argument == spec->arguments.end())
      continue;
    if (options.sequences.isAny()) {
      // Which axes are in front depends on the call.
      llvm::ArrayRef<int64_t> sizes = named.tensor.sizes;
      for (const frontend::TensorAxis &axis : llvm::reverse(argument->axes)) {
        if (!axis.isFeature || sizes.empty())
          break;
        if (!llvm::all_of(axis.name, llvm::isDigit))
          if (llvm::Error error =
                  extents.set(axis.name, sizes.back(), "'" + named.name + "'"))
            return toError(std::move(error));
        sizes = sizes.drop_back();
      }
      continue;
    }
    if (llvm::Error error = extents.setTensor(*argument, named.tensor.sizes))
      return toError(std::move(error));
  }
  for (const frontend::TensorSignature &argument : spec->arguments)
    for (const frontend::TensorAxis &axis : argument.axes)
      if (axis.isFeature && !axis.extent)
        if (std::optional<int64_t> extent = extents.get(axis.name))
          options.extents[axis.name] = *extent;
  return {};
}

} // namespace rapt
