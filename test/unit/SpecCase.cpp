// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "SpecCase.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Frontend/EmitAttn.h"
#include "lib/Frontend/Parser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <cstdlib>

namespace rapt::testing {

using Extents = llvm::SmallVector<int64_t, 4>;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

SpecTensor::SpecTensor(std::string name, support::ElementType type,
                       std::vector<int64_t> sizes)
    : name(std::move(name)), type(type), sizes(std::move(sizes)) {
  llvm::SmallVector<int64_t, 4> dense =
      reference::TensorView::getDenseStrides(this->sizes);
  strides.assign(dense.begin(), dense.end());
  data.resize(std::max<int64_t>(count(), 1) * support::getElementSize(type));
}

int64_t SpecTensor::count() const {
  int64_t result = 1;
  for (int64_t size : sizes)
    result *= size;
  return result;
}

reference::TensorView SpecTensor::view() const {
  return {data.data(), type, Extents(sizes.begin(), sizes.end()),
          Extents(strides.begin(), strides.end())};
}

reference::ResultView SpecTensor::result() {
  return {data.data(), type, Extents(sizes.begin(), sizes.end()),
          Extents(strides.begin(), strides.end())};
}

int64_t SpecTensor::offset(int64_t number) const {
  int64_t place = 0;
  for (size_t d = sizes.size(); d-- > 0; number /= sizes[d])
    place += number % sizes[d] * strides[d];
  return place;
}

double SpecTensor::get(int64_t number) const {
  if (support::isFloat(type))
    return support::loadReal(type, data.data(), offset(number));
  return static_cast<double>(
      support::loadInteger(type, data.data(), offset(number)));
}

void SpecTensor::set(int64_t number, double value) {
  if (support::isFloat(type))
    support::storeReal(type, data.data(), offset(number), value);
  else
    support::storeInteger(type, data.data(), offset(number),
                          static_cast<int64_t>(value));
}

void SpecTensor::arrange(llvm::ArrayRef<unsigned> order, int64_t gap) {
  SpecTensor next(name, type, sizes);
  int64_t stride = 1;
  for (size_t place = order.size(); place-- > 0;) {
    next.strides[order[place]] = stride;
    stride *= std::max<int64_t>(sizes[order[place]], 1);
    if (place + 1 == order.size())
      stride += gap;
  }
  next.data.assign((stride + 1) * support::getElementSize(type), '\x7f');
  for (int64_t n = 0; n < count(); ++n)
    next.set(n, get(n));
  *this = std::move(next);
}

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

llvm::Expected<std::unique_ptr<SpecCase>>
SpecCase::create(SpecSetting setting) {
  std::unique_ptr<SpecCase> result(new SpecCase(std::move(setting)));
  const SpecSetting &made = result->setting;
  result->source = std::make_unique<support::SourceFile>("<test>", made.text);
  support::DiagnosticEngine diags(*result->source);
  auto failure = [&] { return llvm::createStringError(diags.str()); };
  result->file = frontend::parse(diags);
  if (!result->file)
    return failure();
  frontend::Instance instance;
  if (!made.definition.empty())
    instance.definition = made.definition;
  instance.params = made.params;
  instance.extents = made.extents;
  instance.elementType = made.type;
  result->spec = frontend::analyze(*result->file, instance, diags);
  if (result->spec && !result->spec->missingExtents.empty()) {
    for (const std::string &name : result->spec->missingExtents)
      instance.extents[name] = result->setting.extents[name] = 5;
    result->spec = frontend::analyze(*result->file, instance, diags);
  }
  if (!result->spec)
    return failure();
  result->context = made.context;
  if (!made.context) {
    result->ownContext = createContext();
    result->context = result->ownContext.get();
  }
  result->evaluated =
      frontend::emitAttn(*result->spec, *result->context, diags);
  if (!result->evaluated)
    return failure();

  result->makeTensors();
  return result;
}

void SpecCase::makeTensors() {
  tensors.clear();
  std::map<std::string, int64_t> leading = {
      {"batch", setting.batch},
      {"heads", setting.heads},
      {"kv_heads", setting.kvHeads},
      {"groups", setting.groups > 0 ? setting.groups : setting.kvHeads},
      {"queries", setting.queries},
      {"keys", setting.keys}};
  for (const frontend::TensorSignature &argument : spec->arguments) {
    std::vector<int64_t> sizes;
    for (const frontend::TensorAxis &axis : argument.axes)
      sizes.push_back(axis.extent ? *axis.extent : leading.at(axis.name));
    tensors.emplace_back(argument.name, argument.elementType, sizes);
  }
  fill();
}

void SpecCase::resize(int64_t batch, int64_t heads, int64_t kvHeads,
                      int64_t queries, int64_t keys, uint64_t seed) {
  setting.batch = batch;
  setting.heads = heads;
  setting.kvHeads = kvHeads;
  setting.queries = queries;
  setting.keys = keys;
  setting.seed = seed;
  makeTensors();
}

mlir::OwningOpRef<mlir::ModuleOp> SpecCase::emit() {
  support::DiagnosticEngine diags(*source);
  return frontend::emitAttn(*spec, *context, diags);
}

void SpecCase::fill() {
  std::mt19937_64 random(setting.seed);
  std::normal_distribution<double> normal;
  for (SpecTensor &tensor : tensors) {
    int64_t last = tensor.sizes.empty() ? 1 : tensor.sizes.back();
    bool isSorted = random() % 2;
    for (int64_t n = 0; n < tensor.count(); ++n) {
      double value = normal(random);
      if (tensor.type == support::ElementType::Boolean)
        value = value > 0;
      else if (!support::isFloat(tensor.type))
        // Ids that rise along the last dimension, or positions in any order.
        value = isSorted ? n % last * 5 / last
                         : static_cast<double>(random() % (setting.keys + 1));
      tensor.set(n, value);
    }
  }
}

SpecTensor *SpecCase::find(llvm::StringRef name) {
  for (SpecTensor &tensor : tensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

std::vector<reference::NamedTensor> SpecCase::named() const {
  std::vector<reference::NamedTensor> result;
  for (const SpecTensor &tensor : tensors)
    result.push_back({tensor.name, tensor.view()});
  return result;
}

std::vector<reference::TensorView> SpecCase::views() const {
  std::vector<reference::TensorView> result;
  for (const SpecTensor &tensor : tensors)
    result.push_back(tensor.view());
  return result;
}

reference::AttnEvaluator SpecCase::evaluator(reference::Precision precision,
                                             reference::Placement placement) {
  auto function = *evaluated->getOps<mlir::func::FuncOp>().begin();
  return llvm::cantFail(reference::AttnEvaluator::create(
      function, named(), precision, 1, placement));
}

std::vector<reference::RowIndex> SpecCase::allRows() const {
  std::vector<reference::RowIndex> rows;
  for (int64_t b = 0; b < setting.batch; ++b)
    for (int64_t h = 0; h < setting.heads; ++h)
      for (int64_t i = 0; i < setting.queries; ++i)
        rows.push_back({b, h, i});
  return rows;
}

std::string SpecCase::describe() const {
  std::string text = llvm::formatv(
      "{0} {1} batch={2} heads={3} kv_heads={4} queries={5} keys={6} seed={7}",
      spec->name, support::getElementTypeName(setting.type), setting.batch,
      setting.heads, setting.kvHeads, setting.queries, setting.keys,
      setting.seed);
  for (const auto &[name, extent] : setting.extents)
    text += " " + name + "=" + std::to_string(extent);
  return text;
}

//===----------------------------------------------------------------------===//
// Examples and the environment
//===----------------------------------------------------------------------===//

SpecSetting getExample(llvm::StringRef name) {
  std::string path = (RAPT_EXAMPLES + llvm::Twine("/") + name + ".attn").str();
  auto buffer = llvm::MemoryBuffer::getFile(path);
  SpecSetting setting;
  setting.text = buffer ? (*buffer)->getBuffer().str() : "cannot read " + path;
  setting.definition = name.str();
  static const std::map<std::string, std::map<std::string, std::string>> small =
      {{"sliding_window", {{"window", "24"}, {"sinks", "3"}}},
       {"strided", {{"s", "20"}}},
       {"flash", {{"chunk", "20"}}},
       {"natten2d", {{"w", "9"}, {"r", "2"}}},
       {"mla", {{"nope", "7"}, {"rotary", "6"}, {"latent", "9"}}}};
  auto found = small.find(name.str());
  if (found != small.end())
    setting.params = found->second;
  return setting;
}

std::vector<std::string> getExampleNames() {
  auto buffer =
      llvm::MemoryBuffer::getFile(RAPT_EXAMPLES "/../test/tools/rapt/Inputs/"
                                                "compiled_examples.txt");
  std::vector<std::string> names;
  if (!buffer)
    return {"cannot read compiled_examples.txt"};
  for (llvm::StringRef line : llvm::split((*buffer)->getBuffer(), '\n'))
    if (!line.trim().empty() && !line.contains('#'))
      names.push_back(line.trim().str());
  return names;
}

uint64_t getSetting(const char *variable, uint64_t otherwise) {
  const char *text = std::getenv(variable);
  uint64_t value = 0;
  return text && !llvm::StringRef(text).getAsInteger(10, value) ? value
                                                                : otherwise;
}

bool isNightly() { return getSetting("RAPT_NIGHTLY", 0) != 0; }

} // namespace rapt::testing
