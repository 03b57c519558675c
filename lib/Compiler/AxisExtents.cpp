// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/AxisExtents.h"
#include "lib/Support/MaxLength.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace rapt {
namespace {

Error invalid(const Twine &message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), message);
}

} // namespace

std::string describeAxes(const frontend::TensorSignature &tensor) {
  std::string text;
  for (const frontend::TensorAxis &axis : tensor.axes)
    text += (text.empty() ? "[" : ", ") + axis.name;
  return text.empty() ? "a scalar" : text + "]";
}

Error AxisExtents::set(StringRef axis, int64_t extent, StringRef origin) {
  auto [entry, isNew] =
      entries.try_emplace(axis.str(), Entry{extent, origin.str()});
  if (isNew || entry->second.extent == extent)
    return Error::success();
  return invalid("axis '" + axis + "' of " + origin + " has extent " +
                 Twine(extent) + ", expected " + Twine(entry->second.extent) +
                 " as in " + entry->second.origin);
}

Error AxisExtents::setTensor(const frontend::TensorSignature &tensor,
                             llvm::ArrayRef<int64_t> sizes) {
  if (sizes.size() != tensor.axes.size())
    return invalid("'" + tensor.name + "' has rank " + Twine(sizes.size()) +
                   ", expected " + describeAxes(tensor) + ", rank " +
                   Twine(tensor.axes.size()));
  std::string origin = "'" + tensor.name + "'";
  for (auto [axis, size] : llvm::zip_equal(tensor.axes, sizes)) {
    // An axis named by its own number has nothing in common with others.
    bool isNumber = llvm::all_of(axis.name, llvm::isDigit);
    if (axis.extent && (isNumber || !get(axis.name)) && *axis.extent != size)
      return invalid("axis '" + axis.name + "' of " + origin + " has extent " +
                     Twine(size) + ", expected " + Twine(*axis.extent));
    if (!isNumber)
      if (Error error = set(axis.name, size, origin))
        return error;
  }
  return Error::success();
}

void AxisExtents::setDefault(StringRef axis, int64_t extent) {
  entries.try_emplace(axis.str(), Entry{extent, "the default"});
}

std::optional<int64_t> AxisExtents::get(StringRef axis) const {
  auto entry = entries.find(axis);
  if (entry == entries.end())
    return std::nullopt;
  return entry->second.extent;
}

Expected<std::vector<int64_t>>
AxisExtents::getSizes(const frontend::TensorSignature &tensor) const {
  std::vector<int64_t> sizes;
  for (const frontend::TensorAxis &axis : tensor.axes) {
    std::optional<int64_t> extent = axis.extent ? axis.extent : get(axis.name);
    if (!extent)
      return invalid("axis '" + axis.name + "' of '" + tensor.name +
                     "' has no extent");
    sizes.push_back(*extent);
  }
  return sizes;
}

std::map<std::string, int64_t> AxisExtents::getAll() const {
  std::map<std::string, int64_t> all;
  for (const auto &[axis, entry] : entries)
    all[axis] = entry.extent;
  return all;
}

Error AxisExtents::check(llvm::ArrayRef<std::string> packed) const {
  for (StringRef axis :
       {"batch", "heads", "kv_heads", "groups", "queries", "keys"})
    if (auto entry = entries.find(axis);
        entry != entries.end() && entry->second.extent > support::kMaxLength &&
        !llvm::is_contained(packed, axis))
      return invalid("axis '" + axis + "' of " + entry->second.origin +
                     " has extent " + Twine(entry->second.extent) +
                     ", expected at most " + Twine(support::kMaxLength));
  auto heads = entries.find(StringRef("heads"));
  if (heads == entries.end())
    return Error::success();
  for (StringRef axis : {"kv_heads", "groups"}) {
    auto entry = entries.find(axis);
    if (entry == entries.end())
      continue;
    int64_t parts = entry->second.extent;
    if (parts <= 0)
      return invalid("axis '" + Twine(axis) + "' of " + entry->second.origin +
                     " has extent " + Twine(parts) + ", expected 1 or more");
    if (heads->second.extent % parts != 0)
      return invalid("axis 'heads' of " + heads->second.origin +
                     " has extent " + Twine(heads->second.extent) +
                     ", expected a multiple of " + Twine(parts) + ", axis '" +
                     axis + "' of " + entry->second.origin);
  }
  return Error::success();
}

} // namespace rapt
