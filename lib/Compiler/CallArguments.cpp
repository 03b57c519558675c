// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CallArguments.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/Overlap.h"
#include "lib/Support/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <limits>

using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace rapt {
namespace {

llvm::Error invalid(const Twine &message) {
  return makeError(ErrorCode::InvalidArgument, message);
}

/// One tensor of the call, its strides filled in.
struct BoundTensor {
  const frontend::TensorSignature *signature = nullptr;
  const TensorView *view = nullptr;
  std::vector<int64_t> strides;
  bool isResult = false;

  bool hasElements() const { return !llvm::is_contained(view->sizes, 0); }
  Footprint getFootprint() const {
    return {static_cast<int64_t>(reinterpret_cast<intptr_t>(view->data)),
            support::getElementSize(signature->elementType), view->sizes,
            strides};
  }
};

llvm::Error checkShape(const BoundTensor &tensor, AxisExtents &extents) {
  const std::string &name = tensor.signature->name;
  const TensorView &view = *tensor.view;
  if (getElementType(view.dtype) != tensor.signature->elementType)
    return invalid("'" + name + "' has type " + describe(view.dtype) +
                   ", expected " +
                   support::getElementTypeName(tensor.signature->elementType));
  for (int64_t size : view.sizes)
    if (size < 0)
      return invalid("'" + name + "' has a dimension of size " + Twine(size));
  if (llvm::Error error = extents.setTensor(*tensor.signature, view.sizes))
    return error;
  if (!view.strides.empty() && view.strides.size() != view.sizes.size())
    return invalid("'" + name + "' has " + Twine(view.sizes.size()) +
                   " sizes, but " + Twine(view.strides.size()) + " strides");
  return llvm::Error::success();
}

std::vector<int64_t> getStrides(const TensorView &view) {
  if (!view.strides.empty() || view.sizes.empty())
    return view.strides;
  std::vector<int64_t> strides(view.sizes.size());
  int64_t stride = 1;
  for (size_t d = strides.size(); d-- > 0;) {
    strides[d] = stride;
    // What overflows is found by the check of the span.
    if (view.sizes[d] > 1 && llvm::MulOverflow(stride, view.sizes[d], stride))
      stride = std::numeric_limits<int64_t>::max();
  }
  return strides;
}

/// Strides and, unless the tensor is never read, the address. A dimension of
/// one element may have any stride.
llvm::Error checkMemory(BoundTensor &tensor, bool isContiguous, bool isRead) {
  const std::string &name = tensor.signature->name;
  const TensorView &view = *tensor.view;
  if (!tensor.hasElements())
    return llvm::Error::success();
  for (size_t d = 0; d < view.sizes.size(); ++d) {
    int64_t &stride = tensor.strides[d];
    const std::string &axis = tensor.signature->axes[d].name;
    bool isLast = d + 1 == view.sizes.size();
    if (view.sizes[d] == 1) {
      stride = isLast ? 1 : 0;
      continue;
    }
    if (stride < 0)
      return invalid("stride of axis '" + axis + "' of '" + name + "' is " +
                     Twine(stride) + ", expected 0 or more; copy the tensor");
    if (isLast && isContiguous && stride != 1)
      return invalid("stride of the last axis '" + axis + "' of '" + name +
                     "' is " + Twine(stride) + ", expected 1");
  }
  Footprint footprint = tensor.getFootprint();
  if (!isRead && footprint.address == 0)
    return llvm::Error::success();
  if (footprint.address == 0)
    return invalid("'" + name + "' has elements, but no address");
  if (footprint.address % footprint.elementBytes != 0)
    return invalid("address of '" + name + "' is not a multiple of " +
                   Twine(footprint.elementBytes) +
                   ", the size of its elements");
  int64_t span;
  if (!footprint.getSpan(span) ||
      llvm::AddOverflow(footprint.address, span, span))
    return invalid("'" + name + "' reaches beyond the address space");
  if (tensor.isResult && mayOverlapItself(footprint))
    return invalid("two elements of '" + name + "' may share memory");
  return llvm::Error::success();
}

} // namespace

Expected<std::vector<const TensorView *>>
matchArguments(llvm::ArrayRef<frontend::TensorSignature> arguments,
               llvm::ArrayRef<NamedTensor> tensors) {
  llvm::SmallVector<StringRef> names;
  for (const frontend::TensorSignature &argument : arguments)
    names.push_back(argument.name);
  std::vector<const TensorView *> matched(arguments.size());
  for (const NamedTensor &tensor : tensors) {
    auto name = llvm::find(names, tensor.name);
    if (name == names.end())
      return invalid("unknown tensor '" + tensor.name + "'" +
                     support::didYouMean(tensor.name, names) +
                     "; the spec reads " + llvm::join(names, ", "));
    const TensorView *&slot = matched[name - names.begin()];
    if (slot)
      return invalid("tensor '" + tensor.name + "' is given twice");
    slot = &tensor.tensor;
  }
  for (auto [argument, slot] : llvm::zip_equal(arguments, matched))
    if (!slot)
      return invalid("tensor '" + argument.name + "' " +
                     describeAxes(argument) + " is missing");
  return matched;
}

/// Checks what is given and puts it in words. `out` and `lse` may be null.
static Expected<CallArguments> bind(const CallSignature &signature,
                                    llvm::ArrayRef<NamedTensor> tensors,
                                    const TensorView *out,
                                    const TensorView *lse, bool readsFloats) {
  auto matched = matchArguments(signature.arguments, tensors);
  if (!matched)
    return matched.takeError();
  std::vector<BoundTensor> bound;
  for (auto [argument, view] : llvm::zip_equal(signature.arguments, *matched))
    bound.push_back({&argument, view, getStrides(*view), false});
  if (lse && signature.results.size() < 2)
    return invalid("'lse' is given, but the spec has the result '" +
                   signature.results.front().name + "' alone");
  const TensorView *given[] = {out, lse};
  for (auto [result, view] : llvm::zip_equal(
           signature.results,
           llvm::ArrayRef(given).take_front(signature.results.size())))
    bound.push_back({&result, view,
                     view ? getStrides(*view) : std::vector<int64_t>(), true});

  AxisExtents extents;
  for (const BoundTensor &tensor : bound)
    if (tensor.view)
      if (llvm::Error error = checkShape(tensor, extents))
        return std::move(error);
  if (llvm::Error error = extents.check(signature.packedAxes))
    return std::move(error);
  for (auto [tensor, isContiguous] :
       llvm::zip_equal(bound, signature.contiguous))
    if (tensor.view) {
      bool isRead =
          readsFloats || !support::isFloat(tensor.signature->elementType);
      if (llvm::Error error = checkMemory(tensor, isContiguous, isRead))
        return std::move(error);
    }
  for (const BoundTensor &result : bound)
    for (const BoundTensor &other : bound) {
      if (!result.isResult || !result.view || !other.view ||
          &result == &other || !result.hasElements() || !other.hasElements())
        continue;
      if (mayOverlap(result.getFootprint(), other.getFootprint()))
        return invalid("'" + result.signature->name + "' shares memory with '" +
                       other.signature->name + "'");
    }

  CallArguments arguments;
  for (const BoundTensor &tensor : bound) {
    size_t rank = tensor.signature->axes.size();
    if (!tensor.view) {
      arguments.words.insert(arguments.words.end(), 1 + 2 * rank, 0);
      continue;
    }
    arguments.words.push_back(tensor.getFootprint().address);
    llvm::append_range(arguments.words, tensor.view->sizes);
    llvm::append_range(arguments.words, tensor.strides);
    if (tensor.isResult)
      arguments.isEmpty |= !tensor.hasElements();
  }
  arguments.extents = std::move(extents);
  return arguments;
}

Expected<CallArguments> bindArguments(const CallSignature &signature,
                                      llvm::ArrayRef<NamedTensor> tensors,
                                      const TensorView &out,
                                      const TensorView *lse) {
  return bind(signature, tensors, &out, lse, /*readsFloats=*/true);
}

Expected<CallArguments> bindForPlan(const CallSignature &signature,
                                    llvm::ArrayRef<NamedTensor> tensors) {
  return bind(signature, tensors, nullptr, nullptr, /*readsFloats=*/false);
}

} // namespace rapt
