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

std::string KernelManifest::print() const {
  json::Object values;
  for (const auto &[name, value] : params)
    values[name] = value;
  json::Array contiguous;
  for (bool flag : facts.contiguous)
    contiguous.push_back(flag);
  return rapt::print(
      json::Object{
          {"version", getVersion()},
          {"symbol", symbol},
          {"entries", json::Object{{"workspace", symbol + "_workspace"},
                                   {"plan", symbol + "_plan"},
                                   {"run", symbol + "_run"}}},
          {"spec", source},
          {"params", std::move(values)},
          {"arguments", toJson(signature.arguments)},
          {"results", toJson(signature.results)},
          {"contiguous", std::move(contiguous)},
          {"target", json::Object{{"name", target.name},
                                  {"triple", target.triple},
                                  {"cpu", target.cpu},
                                  {"features", target.features}}},
          {"form", facts.form},
          {"plan", facts.plan},
          {"launches", facts.launches},
          {"tables", facts.tables},
          {"stack_bytes", facts.stackBytes}},
      /*isIndented=*/true);
}

Expected<LoweringFacts> parseLoweringFacts(StringRef manifest) {
  Expected<json::Value> value = json::parse(manifest);
  if (!value)
    return value.takeError();
  const json::Object *object = value->getAsObject();
  std::optional<StringRef> form, plan;
  std::optional<int64_t> launches, tables, stackBytes;
  const json::Array *contiguous = nullptr;
  if (object) {
    form = object->getString("form");
    plan = object->getString("plan");
    launches = object->getInteger("launches");
    tables = object->getInteger("tables");
    stackBytes = object->getInteger("stack_bytes");
    contiguous = object->getArray("contiguous");
  }
  if (!form || !plan || !launches || !tables || !stackBytes || !contiguous)
    return llvm::createStringError(
        "manifest lacks form, plan, launches, tables, stack_bytes or "
        "contiguous");
  LoweringFacts facts{form->str(), plan->str(), *launches,
                      *tables,     *stackBytes, {}};
  for (const json::Value &flag : *contiguous)
    facts.contiguous.push_back(flag.getAsBoolean().value_or(true));
  return facts;
}

} // namespace rapt
