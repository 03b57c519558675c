// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/KernelManifest.h"
#include "lib/Compiler/BuildId.h"
#include "lib/Compiler/SignatureJson.h"

namespace json = llvm::json;
using llvm::Expected;
using llvm::StringRef;

namespace rapt {

static constexpr std::pair<RemarkKind, StringRef> remarkNames[] = {
    {RemarkKind::Structure, "structure"}, {RemarkKind::Missed, "missed"}};

StringRef getRemarkName(RemarkKind kind) {
  for (auto [candidate, name] : remarkNames)
    if (candidate == kind)
      return name;
  return "";
}

std::optional<RemarkKind> parseRemarkKind(StringRef name) {
  for (auto [kind, candidate] : remarkNames)
    if (candidate == name)
      return kind;
  return std::nullopt;
}

static json::Array toJson(llvm::ArrayRef<Remark> remarks) {
  json::Array array;
  for (const Remark &remark : remarks)
    array.push_back(json::Object{{"kind", getRemarkName(remark.kind)},
                                 {"text", remark.text}});
  return array;
}

static json::Array toJson(llvm::ArrayRef<DeviceKernel> kernels) {
  json::Array array;
  for (const DeviceKernel &kernel : kernels)
    array.push_back(json::Object{{"name", kernel.name},
                                 {"threads", kernel.threads},
                                 {"shared_bytes", kernel.sharedBytes},
                                 {"tensor_maps", kernel.maps}});
  return array;
}

/// Reads the kernels of a manifest for a GPU.
static llvm::Error parseKernels(const json::Object &gpu,
                                std::vector<DeviceKernel> &kernels) {
  const json::Array *array = gpu.getArray("kernels");
  if (!array)
    return llvm::createStringError("manifest lacks the kernels of its GPU");
  for (const json::Value &entry : *array) {
    const json::Object *kernel = entry.getAsObject();
    auto name = kernel ? kernel->getString("name") : std::nullopt;
    auto threads = kernel ? kernel->getInteger("threads") : std::nullopt;
    auto shared = kernel ? kernel->getInteger("shared_bytes") : std::nullopt;
    auto maps = kernel ? kernel->getInteger("tensor_maps") : std::nullopt;
    if (!name || !threads || !shared || !maps)
      return llvm::createStringError(
          "manifest has a kernel without name, threads, shared_bytes or "
          "tensor_maps");
    kernels.push_back({name->str(), *threads, *shared, *maps});
  }
  return llvm::Error::success();
}

std::string KernelManifest::print() const {
  json::Object values;
  for (const auto &[name, value] : params)
    values[name] = value;
  json::Array contiguous;
  for (bool flag : facts.contiguous)
    contiguous.push_back(flag);
  json::Array listed;
  for (bool flag : facts.listed)
    listed.push_back(flag);
  std::string last = gpu.empty() ? "run" : "launch";
  json::Object object{
      {"version", getVersion()},
      {"symbol", symbol},
      {"entries", json::Object{{"workspace", symbol + "_workspace"},
                               {"plan", symbol + "_plan"},
                               {last, symbol + "_" + last}}},
      {"spec", source},
      {"params", std::move(values)},
      {"arguments", toJson(signature.arguments)},
      {"results", toJson(signature.results)},
      {"contiguous", std::move(contiguous)},
      {"listed", std::move(listed)},
      {"reaches", json::Array(facts.reaches)},
      {"target", json::Object{{"name", target.name},
                              {"triple", target.triple},
                              {"cpu", target.cpu},
                              {"features", target.features}}},
      {"form", facts.form},
      {"plan", facts.plan},
      {"tiles", facts.tiles},
      {"remarks", toJson(facts.remarks)},
      {"launches", facts.launches},
      {"tables", facts.tables},
      {"stack_bytes", facts.stackBytes}};
  if (sequences.isAny())
    object["sequences"] =
        json::Object{{"paged", sequences.isPaged},
                     {"positions", sequences.hasPositions},
                     {"arguments", toJson(sequenceArguments)}};
  if (!gpu.empty())
    object["gpu"] =
        json::Object{{"name", gpu}, {"kernels", toJson(facts.kernels)}};
  return rapt::print(std::move(object), /*isIndented=*/true);
}

Expected<LoweringFacts> parseLoweringFacts(StringRef manifest) {
  Expected<json::Value> value = json::parse(manifest);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  std::optional<StringRef> form, plan, tiles;
  std::optional<int64_t> launches, tables, stackBytes;
  const json::Array *contiguous = nullptr, *listed = nullptr,
                    *remarks = nullptr, *reaches = nullptr;
  if (object) {
    form = object->getString("form");
    plan = object->getString("plan");
    tiles = object->getString("tiles");
    launches = object->getInteger("launches");
    tables = object->getInteger("tables");
    stackBytes = object->getInteger("stack_bytes");
    contiguous = object->getArray("contiguous");
    listed = object->getArray("listed");
    remarks = object->getArray("remarks");
    reaches = object->getArray("reaches");
  }
  if (!form || !plan || !tiles || !launches || !tables || !stackBytes ||
      !contiguous || !listed || !remarks || !reaches ||
      static_cast<int64_t>(listed->size()) != *tables)
    return llvm::createStringError(
        "manifest lacks form, plan, tiles, launches, tables, stack_bytes, "
        "contiguous, listed, remarks or reaches");
  LoweringFacts facts;
  facts.form = form->str();
  facts.plan = plan->str();
  facts.tiles = tiles->str();
  facts.launches = *launches;
  facts.tables = *tables;
  facts.stackBytes = *stackBytes;
  for (const json::Value &flag : *listed)
    facts.listed.push_back(flag.getAsBoolean().value_or(true));
  for (const json::Value &entry : *remarks) {
    const json::Object *remark = entry.getAsObject();
    auto kind = remark ? remark->getString("kind") : std::nullopt;
    auto text = remark ? remark->getString("text") : std::nullopt;
    auto parsed = kind ? parseRemarkKind(*kind) : std::nullopt;
    if (!parsed || !text)
      return llvm::createStringError("manifest has a remark without a known "
                                     "kind or a text");
    facts.remarks.push_back({*parsed, text->str()});
  }
  for (const json::Value &number : *reaches)
    facts.reaches.push_back(number.getAsInteger().value_or(0));
  for (const json::Value &flag : *contiguous)
    facts.contiguous.push_back(flag.getAsBoolean().value_or(true));
  if (const json::Object *gpu = object->getObject("gpu"))
    if (llvm::Error error = parseKernels(*gpu, facts.kernels))
      return std::move(error);
  return facts;
}

} // namespace rapt
