// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// `rapt explain`: what the compiler makes of a spec at one shape, without
// computing it.

#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Runtime/ThreadPool.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/rapt/BandwidthMeter.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/ExplainPage.h"
#include "tools/rapt/MaskSvg.h"
#include "tools/rapt/OutputFile.h"
#include "tools/rapt/PeakMeter.h"
#include "tools/rapt/SpecTensors.h"
#include "tools/rapt/UsefulWork.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using llvm::Expected;
using llvm::StringRef;
using rapt::reference::MaskEvaluator;

namespace rapt::tool {

using llvm::Error;
namespace {

struct ExplainRequest {
  RequestedSpec requested;
  TensorOptions tensors;
  unsigned threads = 0;
  /// What the user wants to be taken for the machine; 0: measured.
  double flopsPerSecond = 0, bytesPerSecond = 0;
  /// What is drawn.
  int64_t batch = 0, head = 0;
};

/// The value of --peak or --bandwidth, in units per second.
Expected<double> getRate(const CommandLine &line, StringRef flag) {
  std::optional<StringRef> text = line.get(flag);
  double value = 0;
  if (!text)
    return value;
  if (text->getAsDouble(value) || !std::isfinite(value) || value <= 0)
    return usageError("option '" + flag +
                      "' expects a positive number of billions a second, "
                      "found '" +
                      *text + "'");
  return value * 1e9;
}

Expected<ExplainRequest> parseRequest(const CommandLine &line) {
  ExplainRequest request;
  auto tensors = parseTensorOptions(line);
  if (!tensors)
    return tensors.takeError();
  request.tensors = std::move(*tensors);
  auto threads = line.getThreads();
  if (!threads)
    return threads.takeError();
  request.threads = *threads;
  auto peak = getRate(line, "--peak");
  if (!peak)
    return peak.takeError();
  auto bandwidth = getRate(line, "--bandwidth");
  if (!bandwidth)
    return bandwidth.takeError();
  auto batch = line.getInteger("--batch", 0, 0);
  if (!batch)
    return batch.takeError();
  auto head = line.getInteger("--head", 0, 0);
  if (!head)
    return head.takeError();
  request.batch = *batch;
  request.head = *head;
  request.flopsPerSecond = *peak;
  request.bytesPerSecond = *bandwidth;
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  request.requested = std::move(*requested);
  request.requested.options.useCache = !line.has("--no-cache");
  if (auto directory = line.get("--cache-dir"))
    request.requested.options.cacheDirectory = directory->str();
  return request;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// The arguments of a call that is planned and never run: rows of queries, keys
/// and values have sizes and no memory.
struct PlannedTensors {
  std::vector<HostTensor> owned;
  std::vector<NamedTensor> arguments;
  std::vector<reference::NamedTensor> named;
};

Error addArguments(const ExplainRequest &request, const frontend::Spec &spec,
                   const AxisExtents &extents,
                   llvm::ArrayRef<std::string> readByMasks,
                   PlannedTensors &tensors) {
  // A plan reads every tensor of integers.
  auto isRead = [&](const frontend::TensorSignature &argument) {
    return !support::isFloat(argument.elementType) ||
           llvm::is_contained(readByMasks, argument.name);
  };
  if (Error error =
          addRandom(request.tensors, spec, extents, tensors.owned, isRead))
    return error;
  for (const frontend::TensorSignature &argument : spec.arguments) {
    auto own = llvm::find_if(tensors.owned, [&](const HostTensor &tensor) {
      return tensor.getName() == argument.name;
    });
    if (own != tensors.owned.end()) {
      tensors.arguments.push_back({argument.name, own->getView()});
      tensors.named.push_back({argument.name, own->getReferenceView()});
      continue;
    }
    auto sizes = extents.getSizes(argument);
    if (!sizes)
      return sizes.takeError();
    auto view =
        reference::TensorView::getDense(nullptr, argument.elementType, *sizes);
    tensors.arguments.push_back(
        {argument.name,
         {nullptr, getDType(argument.elementType), *sizes,
          std::vector<int64_t>(view.strides.begin(), view.strides.end())}});
    tensors.named.push_back({argument.name, std::move(view)});
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The floor
//===----------------------------------------------------------------------===//

/// Bytes of every tensor once.
Expected<double> countBytes(const frontend::Spec &spec,
                            const AxisExtents &extents) {
  double bytes = 0;
  for (const auto *tensors : {&spec.arguments, &spec.results})
    for (const frontend::TensorSignature &tensor : *tensors) {
      auto sizes = extents.getSizes(tensor);
      if (!sizes)
        return sizes.takeError();
      double size = double(support::getElementSize(tensor.elementType));
      for (int64_t extent : *sizes)
        size *= double(extent);
      bytes += size;
    }
  return bytes;
}

Error measureMachine(const ExplainRequest &request, Floor &floor) {
  floor.flopsPerSecond = request.flopsPerSecond;
  floor.bytesPerSecond = request.bytesPerSecond;
  floor.isMeasured = floor.flopsPerSecond <= 0 || floor.bytesPerSecond <= 0;
  if (!floor.isMeasured)
    return Error::success();
  auto &pool = runtime::ThreadPool::shared(request.threads);
  floor.threads = pool.getThreads();
  if (floor.flopsPerSecond <= 0) {
    auto meter = PeakMeter::create(floor.threads);
    if (!meter)
      return meter.takeError();
    for (int round = 0; round < 5; ++round)
      meter->measure(pool);
    floor.flopsPerSecond = meter->getFlopsPerSecond();
  }
  if (floor.bytesPerSecond <= 0)
    floor.bytesPerSecond = measureBandwidth(pool);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Pictures
//===----------------------------------------------------------------------===//

/// Fails if a loop lacks the batch or the head that is asked for.
Error checkHead(const ExplainRequest &request, const CommandLine &line,
                const MaskEvaluator &masks) {
  for (const reference::MaskedLoop &loop : masks.getLoops()) {
    auto check = [](StringRef flag, int64_t value, int64_t count) -> Error {
      if (value < count)
        return Error::success();
      return usageError("option '" + flag + "' gives " + llvm::Twine(value) +
                        ", expected less than " + llvm::Twine(count));
    };
    if (line.has("--batch"))
      if (Error error = check("--batch", request.batch, loop.batch))
        return error;
    if (line.has("--head"))
      if (Error error = check("--head", request.head, loop.heads))
        return error;
  }
  return Error::success();
}

std::vector<MaskPicture> drawLoops(const ExplainRequest &request,
                                   const MaskEvaluator &masks,
                                   const std::vector<RunTable> &tables,
                                   const PictureLimits &limits) {
  std::vector<MaskPicture> pictures;
  for (auto [number, table] : llvm::enumerate(matchTables(masks, tables)))
    pictures.push_back(
        makePicture(masks, number, table, request.batch, request.head, limits));
  return pictures;
}

/// The loop that a picture of one shows: the first with a mask.
size_t chooseLoop(const MaskEvaluator &masks) {
  auto loops = masks.getLoops();
  auto *found =
      llvm::find_if(loops, [](const auto &loop) { return loop.hasMask; });
  return found == loops.end() ? 0 : found - loops.begin();
}

/// Writes what --html and --svg ask for, under other names until `files` are
/// kept.
Error addPictures(const ExplainRequest &request, const CommandLine &line,
                  const MaskEvaluator &masks,
                  const std::vector<RunTable> &tables,
                  const Explanation &explanation, OutputFiles &files) {
  if (auto path = line.get("--html"))
    if (Error error = files.addText(
            *path, makePage(explanation, drawLoops(request, masks, tables,
                                                   PictureLimits()))))
      return error;
  auto path = line.get("--svg");
  if (!path)
    return Error::success();
  // What some hundred pixels show.
  PictureLimits limits{/*rows=*/256, /*runs=*/20000, /*pairs=*/128 * 128};
  auto pictures = drawLoops(request, masks, tables, limits);
  std::string title = explanation.spec;
  for (const auto &[name, value] : explanation.params)
    title += " " + name + "=" + value;
  if (pictures.empty())
    return llvm::createStringError("there is no loop over pairs to draw");
  return files.addText(*path, drawMask(pictures[chooseLoop(masks)], title));
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

void describeSpec(const ExplainRequest &request, const CommandLine &line,
                  const Compilation &compilation, const AxisExtents &extents,
                  Explanation &explanation) {
  explanation.spec = compilation.spec.name;
  explanation.file = line.getFile().str();
  explanation.target = compilation.target.name;
  if (compilation.target.cpu != compilation.target.name)
    explanation.target += " (" + compilation.target.cpu + ")";
  explanation.dtype = describe(request.requested.options.dtype);
  for (const auto &[name, value] : compilation.spec.params)
    explanation.params.emplace_back(name, value);
  explanation.shape = getShape(compilation.spec, extents);
}

Error execute(const CommandLine &line) {
  auto request = parseRequest(line);
  if (!request)
    return request.takeError();
  AxisExtents extents;
  PlannedTensors tensors;
  auto inputs = readInputs(request->tensors, request->requested, extents);
  if (!inputs)
    return inputs.takeError();
  tensors.owned = std::move(*inputs);
  auto spec = chooseExtents(request->requested, extents);
  if (!spec)
    return spec.takeError();
  auto compilation =
      prepare(request->requested.spec.getSource(), request->requested.options);
  if (!compilation)
    return compilation.takeError();
  auto kernel =
      Kernel::compile(request->requested.spec, request->requested.options);
  if (!kernel)
    return makeError(kernel.error().code, kernel.error().message);
  for (const std::string &warning : kernel->getWarnings())
    warn(warning);

  auto emitted = emitForReference(*compilation);
  if (!emitted)
    return emitted.takeError();
  auto function = *emitted->module->getOps<mlir::func::FuncOp>().begin();
  if (Error error =
          addArguments(*request, *spec, extents,
                       reference::getMaskArguments(function), tensors))
    return error;
  // Calls of few queries take another form than the one for many.
  auto form = kernel->selectFor(tensors.arguments);
  if (!form)
    return makeError(form.error().code, form.error().message);
  auto tables = form->planRuns(tensors.arguments);
  if (!tables)
    return makeError(tables.error().code, tables.error().message);
  auto masks = MaskEvaluator::create(function, tensors.named);
  if (!masks)
    return masks.takeError();
  // Blocks that begin inside of a query have no tiles of queries to show.
  if (!ungroupHeads(*masks, *tables))
    tables->clear();

  if (Error error = checkHead(*request, line, *masks))
    return error;

  Explanation explanation;
  describeSpec(*request, line, *compilation, extents, explanation);
  explanation.form = form->getForm();
  explanation.plan = form->getPlan();
  explanation.planParts = form->getTiles();
  explanation.remarks = form->getRemarks();
  explanation.loops = countPairs(*masks, *tables, request->threads);
  size_t next = 0;
  function.walk([&](attn::AttendOp attend) {
    LoopCounts &counts = explanation.loops[next++];
    counts.flopsPerPair = getFlopsPerPair(attend);
    explanation.floor.flops += counts.keptPairs * counts.flopsPerPair;
  });
  auto bytes = countBytes(*spec, extents);
  if (!bytes)
    return bytes.takeError();
  explanation.floor.bytes = *bytes;
  if (Error error = measureMachine(*request, explanation.floor))
    return error;
  OutputFiles files;
  if (Error error =
          addPictures(*request, line, *masks, *tables, explanation, files))
    return error;
  if (line.has("--json"))
    printJson(explanation, llvm::outs());
  else
    printText(explanation, llvm::outs());
  return files.keep();
}

} // namespace

const Command &getExplainCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows;
    for (const OptionRow &row : getTensorOptionRows())
      if (row.flag != "--out")
        rows.push_back(row);
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.insert(
        rows.end(),
        {{"--threads", "N", "Threads that measure and count; one per core"},
         {"--peak", "GFLOP/S",
          "Take this for what the machine computes; else measured"},
         {"--bandwidth", "GB/S",
          "Take this for what its memory reads; else measured"},
         {"--json", "", "Print one line of JSON"},
         {"--html", "FILE",
          "Write a page with all this, the mask to look around in, and the\n"
          "roofline"},
         {"--svg", "FILE", "Write a picture of the mask"},
         {"--batch", "N", "Which batch is drawn; 0"},
         {"--head", "N", "Which head is drawn; 0"},
         {"--no-cache", "", "Compile even if the kernel is on disk"},
         {"--cache-dir", "DIR",
          "Where compiled kernels are; $RAPT_CACHE_DIR, else\n"
          "$XDG_CACHE_HOME/rapt, else ~/.cache/rapt"},
         {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{
      {"explain", "FILE [options]",
       "Say what the compiler makes of a spec, without running it", options,
       /*takesFile=*/true},
      execute};
  return command;
}

} // namespace rapt::tool
