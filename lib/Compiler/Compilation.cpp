// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/Compilation.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "lib/Analysis/Remarks.h"
#include "lib/Codegen/Codegen.h"
#include "lib/Codegen/GpuCode.h"
#include "lib/Compiler/BuildId.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/CompileForGpu.h"
#include "lib/Compiler/NotLowered.h"
#include "lib/Compiler/SequenceLayout.h"
#include "lib/Compiler/TableReach.h"
#include "lib/Frontend/EmitAttn.h"
#include "lib/Frontend/Printer.h"
#include "lib/Support/Diagnostics.h"
#include "lib/Tuning/CpuPlans.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MathExtras.h"
#include <set>

using llvm::Expected;
using llvm::StringRef;

namespace rapt {

//===----------------------------------------------------------------------===//
// Before any dialect
//===----------------------------------------------------------------------===//

/// The definition in canonical form, so that a comment changes no key.
static std::string printDefinition(const Spec::Source &source, StringRef name) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const frontend::Definition &definition : source.tree.definitions)
    if (definition.name.text == name)
      frontend::print(definition, os);
  return text;
}

static std::string
describeKernel(const Compilation &compilation, support::ElementType elementType,
               const std::map<std::string, int64_t> &extents) {
  const frontend::Spec &spec = compilation.spec;
  const target::CpuTarget &target = compilation.target;
  std::string key;
  llvm::raw_string_ostream os(key);
  os << "target " << target.name << ' ' << target.triple << ' ' << target.cpu
     << ' ' << target.features << ' ' << target.vectorBits << ' '
     << target.vectorRegisters << ' ' << target.l1Bytes << ' ' << target.l2Bytes
     << ' ' << target.scalesByPowers << ' '
     << static_cast<int>(target.bf16Dots.instruction) << ' '
     << target.bf16Dots.speed << '\n';
  const SequenceForm &sequences = compilation.sequences;
  os << "sequences " << sequences.isAny() << ' ' << sequences.isPaged << ' '
     << sequences.hasPositions << '\n';
  os << "rows " << compilation.plan.sizes.fewRows << '\n';
  os << "keys " << compilation.plan.sizes.mostKeys << '\n';
  if (compilation.gpu)
    os << "gpu " << compilation.gpu->name << ' ' << compilation.gpu->features
       << '\n';
  os << "type " << support::getElementTypeName(elementType) << '\n';
  for (const auto &[name, value] : spec.params)
    os << "param " << name << " = " << value << '\n';
  // A length is no part of the key.
  std::set<StringRef> leading;
  for (const auto *tensors : {&spec.arguments, &spec.results})
    for (const frontend::TensorSignature &tensor : *tensors)
      for (const frontend::TensorAxis &axis : tensor.axes)
        if (!axis.isFeature)
          leading.insert(axis.name);
  for (const auto &[axis, extent] : extents)
    if (!leading.count(axis))
      os << "extent " << axis << " = " << extent << '\n';
  os << printDefinition(*compilation.source, spec.name);
  return key;
}

/// Lengths by powers of two: the cache need not keep a kernel for each. Plans
/// for long sequences are all the same.
static int64_t roundKeys(int64_t keys) {
  constexpr int64_t longKeys = 4096;
  if (keys == 0 || keys > longKeys)
    return 0;
  return static_cast<int64_t>(llvm::PowerOf2Ceil(keys));
}

Expected<Compilation> prepare(const Spec::Source &source,
                              const CompileOptions &options,
                              StateRequest states) {
  const target::GpuTarget *gpu = target::findGpu(options.target);
  if (options.target == kCudaTarget) {
    Expected<const target::GpuTarget *> found = findCudaTarget();
    if (!found)
      return found.takeError();
    gpu = *found;
  }
  Expected<target::CpuTarget> target =
      gpu ? target::getHostTarget() : target::findTarget(options.target);
  if (!target)
    return withCode(ErrorCode::InvalidArgument, target.takeError());
  Expected<frontend::Spec> spec = analyze(source, options, states);
  if (!spec)
    return spec.takeError();
  if (!spec->missingExtents.empty())
    return makeError(ErrorCode::InvalidArgument,
                     "extents of feature axes are not given: " +
                         llvm::join(spec->missingExtents, ", "));
  if (gpu && !options.plan.empty())
    return makeError(ErrorCode::InvalidArgument,
                     "a plan by hand is for CPUs, found one for '" + gpu->name +
                         "'");
  if (options.fewRows < 0 || options.fewRows > tuning::kMostFewRows)
    return makeError(ErrorCode::InvalidArgument,
                     "few rows are " + llvm::Twine(options.fewRows) +
                         ", expected 0 to " +
                         llvm::Twine(tuning::kMostFewRows));
  if (options.mostKeys < 0)
    return makeError(ErrorCode::InvalidArgument,
                     "the most keys are " + llvm::Twine(options.mostKeys) +
                         ", expected 0 or more");
  bool hasQueries =
      llvm::any_of(spec->results.front().axes,
                   [](const auto &axis) { return axis.name == "queries"; });
  if (options.sequences.hasPositions && !hasQueries)
    return makeError(ErrorCode::InvalidArgument,
                     "sequences give positions of queries, but '" + spec->name +
                         "' has a query at every key; expected a spec that "
                         "reads queries");
  std::vector<frontend::TensorSignature> sequenceArguments =
      getSequenceArguments(spec->arguments, options.sequences);
  Compilation compilation{&source,
                          std::move(*spec),
                          std::move(*target),
                          options.sequences,
                          std::move(sequenceArguments),
                          {{options.fewRows, roundKeys(options.mostKeys)}, {}},
                          gpu,
                          "",
                          ""};
  // Defined by analyze(): the type that q would have.
  compilation.description =
      describeKernel(compilation, compilation.spec.results.front().elementType,
                     options.extents);
  if (llvm::Error error = setPlan(compilation, options.plan))
    return withCode(ErrorCode::InvalidArgument, std::move(error));
  return compilation;
}

llvm::Error setPlan(Compilation &compilation, StringRef plan) {
  Expected<tuning::PlanRequest> request = tuning::PlanRequest::parse(plan);
  if (!request)
    return request.takeError();
  compilation.plan.request = std::move(*request);
  compilation.cacheKey =
      (llvm::Twine("rapt ") + getVersion() + " build " + getBuildId() +
       "\nplan " + plan + "\n" + compilation.description)
          .str();
  return llvm::Error::success();
}

KernelManifest makeManifest(const Compilation &compilation) {
  const frontend::Spec &spec = compilation.spec;
  std::vector<TensorSignature> hidden;
  for (const frontend::TensorSignature &tensor : compilation.sequenceArguments)
    hidden.push_back(makeTensor(tensor));
  return {spec.name,
          printDefinition(*compilation.source, spec.name),
          spec.params,
          makeSignature(spec),
          compilation.sequences,
          std::move(hidden),
          compilation.target,
          compilation.gpu ? compilation.gpu->name : "",
          {}};
}

//===----------------------------------------------------------------------===//
// Lowering
//===----------------------------------------------------------------------===//

static Expected<LoweredModule> emit(const frontend::Spec &spec,
                                    const Spec::Source &source) {
  LoweredModule emitted{createContext(), {}};
  support::DiagnosticEngine diags(source.file);
  emitted.module = frontend::emitAttn(spec, *emitted.context, diags);
  if (!emitted.module)
    return makeError(ErrorCode::NotSupported,
                     StringRef(diags.str()).rtrim('\n'));
  return std::move(emitted);
}

constexpr StringRef kReachesAttr = "rapt.reaches";

/// What calls are checked for is known only as long as masks are regions.
static void noteReaches(mlir::ModuleOp module) {
  std::vector<int64_t> numbers;
  for (auto spec : module.getOps<mlir::func::FuncOp>())
    numbers = toNumbers(findTableReaches(spec));
  if (!numbers.empty())
    module->setAttr(
        kReachesAttr,
        mlir::Builder(module.getContext()).getDenseI64ArrayAttr(numbers));
}

/// Adds the arguments of a kernel for sequences.
static llvm::Error takeSequences(mlir::ModuleOp module,
                                 const Compilation &compilation) {
  if (!compilation.sequences.isAny())
    return llvm::Error::success();
  attn::TakeSequencesOptions options;
  options.positions = compilation.sequences.hasPositions;
  if (compilation.sequences.isPaged)
    for (const frontend::TensorSignature &argument : compilation.spec.arguments)
      if (canBePaged(argument))
        options.paged.push_back(argument.name);
  return runPass(module, attn::createTakeSequences(std::move(options)));
}

Expected<LoweredModule> lowerTo(Stage last, const Compilation &compilation) {
  Expected<LoweredModule> lowered = emit(compilation.spec, *compilation.source);
  if (!lowered)
    return lowered.takeError();
  if (last != Stage::Attn)
    if (llvm::Error error =
            expectLowerable(*lowered->module, compilation.source->file))
      return std::move(error);
  noteReaches(*lowered->module);
  if (llvm::Error error = takeSequences(*lowered->module, compilation))
    return std::move(error);
  if (compilation.gpu && last == Stage::Tile) {
    if (llvm::Error error = lowerToTiles(*lowered->module, *compilation.gpu))
      return std::move(error);
    return lowered;
  }
  if (llvm::Error error =
          lower(*lowered->module, last, compilation.target, compilation.plan))
    return std::move(error);
  return lowered;
}

Expected<LoweredModule> lowerKernelsTo(DeviceStage last,
                                       const Compilation &compilation) {
  Expected<LoweredModule> lowered = lowerTo(Stage::Tile, compilation);
  if (!lowered)
    return lowered.takeError();
  if (llvm::Error error = lowerKernels(*lowered->module, last))
    return std::move(error);
  return lowered;
}

Expected<LoweredModule> emitForReference(const Compilation &compilation) {
  frontend::Spec spec = compilation.spec;
  spec.hasExactReals = true;
  return emit(spec, *compilation.source);
}

/// What passes have put on the module; see lib/Analysis/Remarks.h.
static std::vector<Remark> readRemarks(mlir::Operation *module) {
  std::vector<Remark> remarks;
  auto array = module->getAttrOfType<mlir::ArrayAttr>(analysis::kRemarksAttr);
  if (!array)
    return remarks;
  for (auto entry : array.getAsRange<mlir::DictionaryAttr>()) {
    auto kind = entry.getAs<mlir::StringAttr>("kind");
    auto text = entry.getAs<mlir::StringAttr>("text");
    std::optional<RemarkKind> parsed =
        kind ? parseRemarkKind(kind) : std::nullopt;
    if (parsed && text)
      remarks.push_back({*parsed, text.str()});
  }
  return remarks;
}

GeneratedModule::GeneratedModule() = default;
GeneratedModule::GeneratedModule(GeneratedModule &&) = default;
GeneratedModule::~GeneratedModule() {
  // A module lives in its context.
  module.reset();
}

/// Bytes of the variables on the stack of one call, and a page for what the
/// register allocator spills. Functions of a kernel do not call themselves.
static int64_t estimateStack(const llvm::Module &module) {
  constexpr int64_t page = 4096, spills = 16 * page;
  int64_t bytes = spills;
  for (const llvm::Function &function : module)
    for (const llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *variable = llvm::dyn_cast<llvm::AllocaInst>(&instruction))
        if (auto size = variable->getAllocationSize(module.getDataLayout()))
          bytes += size->getKnownMinValue();
  return llvm::alignTo(bytes, page);
}

/// The host's code from a module at Stage::LLVM.
static Expected<GeneratedModule> generateHost(mlir::ModuleOp lowered,
                                              const Compilation &compilation) {
  GeneratedModule generated;
  mlir::Operation *module = lowered;
  auto launches = module->getAttrOfType<mlir::IntegerAttr>("rapt.launches");
  auto tables = module->getAttrOfType<mlir::IntegerAttr>("rapt.tables");
  auto form = module->getAttrOfType<mlir::StringAttr>("rapt.form");
  auto plan = module->getAttrOfType<mlir::StringAttr>("rapt.plan");
  auto contiguous =
      module->getAttrOfType<mlir::DenseBoolArrayAttr>("rapt.contiguous");
  size_t tensors = compilation.countTensors();
  auto listed = module->getAttrOfType<mlir::DenseBoolArrayAttr>("rapt.listed");
  if (!launches || !tables || !listed || !form || !plan || !contiguous ||
      contiguous.asArrayRef().size() != tensors)
    return makeError(
        ErrorCode::Internal,
        "the lowered module does not say its launches, its tables, its form, "
        "its plan and which tensors are contiguous");
  generated.facts.launches = launches.getInt();
  generated.facts.tables = tables.getInt();
  generated.facts.listed.assign(listed.asArrayRef().begin(),
                                listed.asArrayRef().end());
  generated.facts.form = form.str();
  generated.facts.plan = plan.str();
  if (auto tiles = module->getAttrOfType<mlir::StringAttr>("rapt.tiles"))
    generated.facts.tiles = tiles.str();
  generated.facts.remarks = readRemarks(module);
  if (auto reaches =
          module->getAttrOfType<mlir::DenseI64ArrayAttr>(kReachesAttr))
    generated.facts.reaches = reaches.asArrayRef().vec();
  generated.facts.contiguous.assign(contiguous.asArrayRef().begin(),
                                    contiguous.asArrayRef().end());

  generated.context = std::make_unique<llvm::LLVMContext>();
  Expected<std::unique_ptr<llvm::Module>> translated =
      translateToLLVM(lowered, *generated.context);
  if (!translated)
    return translated.takeError();
  generated.module = std::move(*translated);
  if (llvm::Error error =
          codegen::optimize(*generated.module, compilation.target))
    return std::move(error);
  generated.facts.stackBytes = estimateStack(*generated.module);
  return std::move(generated);
}

Expected<GeneratedModule> generate(const Compilation &compilation) {
  Expected<LoweredModule> lowered = lowerTo(Stage::LLVM, compilation);
  if (!lowered)
    return lowered.takeError();
  return generateHost(*lowered->module, compilation);
}

Expected<GeneratedGpuCode>
generateForGpu(const Compilation &compilation,
               llvm::function_ref<void(StringRef ptx)> whenPtxIsThere) {
  Expected<LoweredModule> tiles = lowerTo(Stage::Tile, compilation);
  if (!tiles)
    return tiles.takeError();
  mlir::OwningOpRef<mlir::ModuleOp> kernels(tiles->module->clone());
  if (llvm::Error error = lowerKernels(*kernels, DeviceStage::NVVM))
    return std::move(error);
  llvm::LLVMContext context;
  Expected<std::unique_ptr<llvm::Module>> translated =
      translateToLLVM(*kernels, context);
  if (!translated)
    return translated.takeError();
  Expected<std::string> ptx = codegen::emitPtx(**translated, *compilation.gpu);
  if (!ptx)
    return ptx.takeError();
  if (whenPtxIsThere)
    whenPtxIsThere(*ptx);

  if (llvm::Error error = lowerHostPart(*tiles->module, compilation.target))
    return std::move(error);
  Expected<GeneratedModule> host = generateHost(*tiles->module, compilation);
  if (!host)
    return host.takeError();
  auto launches = static_cast<size_t>(host->facts.launches);
  llvm::ArrayRef<int64_t> threads, shared, maps;
  for (auto [name, each] :
       {std::pair<StringRef, llvm::ArrayRef<int64_t> *>("threads", &threads),
        {"shared", &shared},
        {"maps", &maps}}) {
    auto numbers = (*kernels)->getAttrOfType<mlir::DenseI64ArrayAttr>(
        ("rapt." + name).str());
    if (numbers)
      *each = numbers.asArrayRef();
    if (each->size() != launches)
      return makeError(ErrorCode::Internal, "attribute 'rapt." + name +
                                                "' of the lowered kernels "
                                                "has " +
                                                llvm::Twine(each->size()) +
                                                " numbers, expected " +
                                                llvm::Twine(launches));
  }
  for (size_t n = 0; n < launches; ++n)
    host->facts.kernels.push_back(
        {compilation.spec.name + "_launch" + std::to_string(n), threads[n],
         shared[n], maps[n]});
  return GeneratedGpuCode{std::move(*host), std::move(*ptx)};
}

} // namespace rapt
