// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/Codegen.h"
#include "lib/Codegen/GpuCode.h"
#include "lib/Compiler/CHeader.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Compiler/CompileForGpu.h"
#include "lib/Compiler/TunedPlans.h"
#include "lib/Frontend/Printer.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/OutputFile.h"
#include "tools/rapt/SpecOptions.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {

using llvm::Error;
namespace {

enum class Emit {
  Ast,
  Attn,
  Tile,
  Nv,
  LLVM,
  Assembly,
  Object,
  SharedObject,
  Ptx,
  Cubin
};

/// Whether a step is on the road to a GPU, to a CPU, or on both.
bool isOnRoad(Emit emit, bool isForGpu) {
  switch (emit) {
  case Emit::Ast:
  case Emit::Attn:
  case Emit::Tile:
    return true;
  case Emit::Nv:
  case Emit::Ptx:
  case Emit::Cubin:
    return isForGpu;
  case Emit::LLVM:
  case Emit::Assembly:
  case Emit::Object:
  case Emit::SharedObject:
    return !isForGpu;
  }
  llvm_unreachable("every step is on a road");
}

Expected<Emit> getEmit(const CommandLine &line) {
  StringRef target = line.get("--target").value_or("host");
  bool isForGpu = target == kCudaTarget || target::findGpu(target) != nullptr;
  StringRef text = line.get("--emit").value_or(isForGpu ? "cubin" : "obj");
  auto emit = llvm::StringSwitch<std::optional<Emit>>(text)
                  .Case("ast", Emit::Ast)
                  .Case("attn", Emit::Attn)
                  .Case("tile", Emit::Tile)
                  .Case("nv", Emit::Nv)
                  .Case("llvm", Emit::LLVM)
                  .Case("asm", Emit::Assembly)
                  .Case("obj", Emit::Object)
                  .Case("so", Emit::SharedObject)
                  .Case("ptx", Emit::Ptx)
                  .Case("cubin", Emit::Cubin)
                  .Default(std::nullopt);
  if (!emit || !isOnRoad(*emit, isForGpu))
    return usageError(
        "option '--emit' expects " +
        (isForGpu
             ? "cubin, ptx, nv, tile, attn or ast for target '" + target + "'"
             : llvm::Twine("obj, so, asm, llvm, tile, attn or ast")) +
        ", found '" + text + "'");
  return *emit;
}

/// To the file that -o names, else to the standard output.
Error writeText(const CommandLine &line, StringRef text) {
  auto path = line.get("-o");
  if (!path || *path == "-") {
    llvm::outs() << text;
    return Error::success();
  }
  OutputFiles files;
  if (Error error = files.addText(*path, text))
    return error;
  return files.keep();
}

Error writeModule(const CommandLine &line, Expected<LoweredModule> lowered) {
  if (!lowered)
    return lowered.takeError();
  std::string text;
  llvm::raw_string_ostream os(text);
  lowered->module->print(os);
  os << '\n';
  return writeText(line, text);
}

Error notBeside(StringRef path) {
  return usageError("option '-o' expects the name of a file, beside which its "
                    "manifest goes, found the pipe or device '" +
                    path + "'");
}

/// The object, the manifest and the C header.
Error writeObject(const CommandLine &line, bool isShared,
                  const Compilation &compilation, GeneratedModule &generated) {
  llvm::SmallString<128> path(line.get("-o").value_or(
      compilation.spec.name + std::string(isShared ? ".so" : ".o")));
  if (isChannel(path))
    return notBeside(path);
  StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".json" || extension == ".h")
    return usageError("option '-o' expects the name of the object, found '" +
                      path.str() + "', which would be its manifest or header");
  auto object = codegen::emitObject(*generated.module, compilation.target);
  if (!object)
    return object.takeError();
  KernelManifest manifest = makeManifest(compilation);
  manifest.facts = generated.facts;

  OutputFiles files;
  Error error =
      isShared
          ? files.add(path,
                      [&](StringRef temporary) {
                        return codegen::linkSharedObject(**object, temporary);
                      })
          : files.addText(path, (*object)->getBuffer());
  if (error)
    return error;
  llvm::SmallString<128> beside(path);
  llvm::sys::path::replace_extension(beside, ".json");
  if (Error error = files.addText(beside, manifest.print() + "\n"))
    return error;
  llvm::sys::path::replace_extension(beside, ".h");
  if (Error error = files.addText(beside, makeCHeader(manifest)))
    return error;
  return files.keep();
}

/// PTX as text, or the binary with the object that plans and launches calls,
/// the manifest and the C header beside.
Error writeGpuCode(const CommandLine &line, bool isBinary,
                   const Compilation &compilation) {
  auto generated = generateForGpu(compilation);
  if (!generated)
    return generated.takeError();
  for (const Remark &remark : generated->host.facts.remarks)
    if (remark.kind == RemarkKind::Missed)
      llvm::errs() << "rapt: note: " << remark.text << '\n';
  if (!isBinary)
    return writeText(line, generated->ptx);
  auto binary = codegen::assemble(generated->ptx, *compilation.gpu);
  if (!binary)
    return binary.takeError();
  for (const std::string &warning : codegen::getWarnings(*binary))
    warn(warning);
  // A program of C needs no file beside its own.
  codegen::embedCode(*generated->host.module, compilation.spec.name + "_cubin",
                     binary->cubin);
  auto object =
      codegen::emitObject(*generated->host.module, compilation.target);
  if (!object)
    return object.takeError();
  KernelManifest manifest = makeManifest(compilation);
  manifest.facts = generated->host.facts;

  llvm::SmallString<128> path(
      line.get("-o").value_or(compilation.spec.name + ".cubin"));
  if (isChannel(path))
    return notBeside(path);
  StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".json" || extension == ".o" || extension == ".h")
    return usageError("option '-o' expects the name of the cubin, found '" +
                      path.str() +
                      "', which would be its manifest, object or header");
  OutputFiles files;
  if (Error error = files.addText(path, binary->cubin))
    return error;
  llvm::SmallString<128> beside(path);
  llvm::sys::path::replace_extension(beside, ".o");
  if (Error error = files.addText(beside, (*object)->getBuffer()))
    return error;
  llvm::sys::path::replace_extension(beside, ".json");
  if (Error error = files.addText(beside, manifest.print() + "\n"))
    return error;
  llvm::sys::path::replace_extension(beside, ".h");
  if (Error error = files.addText(beside, makeCHeader(manifest)))
    return error;
  return files.keep();
}

Expected<SequenceForm> getSequenceForm(const CommandLine &line) {
  SequenceForm form;
  auto text = line.get("--sequences");
  if (!text)
    return form;
  StringRef target = line.get("--target").value_or("host");
  if (target::findGpu(target))
    return usageError("option '--sequences' is for CPUs, found target '" +
                      target + "'");
  form.isGiven = true;
  bool isFirst = true;
  for (StringRef word : llvm::split(*text, ',')) {
    if (isFirst && word == "paged")
      form.isPaged = true;
    else if (!isFirst && !form.hasPositions && word == "positions")
      form.hasPositions = true;
    else if (!isFirst || word != "packed")
      return usageError("option '--sequences' expects packed or paged, and "
                        "',positions' behind it, found '" +
                        *text + "'");
    isFirst = false;
  }
  return form;
}

Error compile(const CommandLine &line) {
  auto emit = getEmit(line);
  if (!emit)
    return emit.takeError();
  auto sequences = getSequenceForm(line);
  if (!sequences)
    return sequences.takeError();
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  if (*emit == Emit::Ast) {
    std::string text;
    llvm::raw_string_ostream os(text);
    frontend::dump(requested->spec.getSource().tree, os);
    return writeText(line, text);
  }
  requested->options.sequences = *sequences;
  AxisExtents extents;
  auto spec = chooseExtents(*requested, extents);
  if (!spec)
    return spec.takeError();
  std::string defaults;
  for (const auto &[axis, extent] : requested->options.extents)
    if (!requested->shape.count(axis))
      defaults +=
          (defaults.empty() ? "" : ",") + axis + "=" + std::to_string(extent);
  if (!defaults.empty())
    llvm::errs() << "rapt: note: compiled for --shape " << defaults << '\n';

  auto compilation = prepare(requested->spec.getSource(), requested->options);
  if (!compilation)
    return compilation.takeError();
  if (*emit == Emit::Attn)
    return writeModule(line, lowerTo(Stage::Attn, *compilation));
  std::vector<std::string> warnings;
  bool isTuned = false;
  if (!compilation->gpu && requested->options.plan.empty() &&
      !line.has("--no-cache")) {
    runtime::KernelCache cache(line.get("--cache-dir").value_or("").str());
    isTuned = useTunedPlan(cache, *compilation, warnings);
    if (isTuned)
      llvm::errs() << "rapt: note: with the plan that 'rapt tune' has kept\n";
  }
  if (*emit == Emit::Tile) {
    auto tiles = withUsablePlan(
        *compilation, isTuned, warnings,
        [](const Compilation &own) { return lowerTo(Stage::Tile, own); });
    for (const std::string &warning : warnings)
      warn(warning);
    return writeModule(line, std::move(tiles));
  }
  if (*emit == Emit::Nv)
    return writeModule(line, lowerKernelsTo(DeviceStage::Nv, *compilation));
  if (compilation->gpu)
    return writeGpuCode(line, *emit == Emit::Cubin, *compilation);
  auto generated = withUsablePlan(*compilation, isTuned, warnings, generate);
  for (const std::string &warning : warnings)
    warn(warning);
  if (!generated)
    return generated.takeError();
  switch (*emit) {
  case Emit::LLVM: {
    std::string text;
    llvm::raw_string_ostream os(text);
    generated->module->print(os, nullptr);
    return writeText(line, text);
  }
  case Emit::Assembly: {
    auto text = codegen::emitAssembly(*generated->module, compilation->target);
    return text ? writeText(line, *text) : text.takeError();
  }
  case Emit::Object:
  case Emit::SharedObject:
    return writeObject(line, *emit == Emit::SharedObject, *compilation,
                       *generated);
  case Emit::Ast:
  case Emit::Attn:
  case Emit::Tile:
  case Emit::Nv:
  case Emit::Ptx:
  case Emit::Cubin:
    break;
  }
  llvm_unreachable("written above");
}

} // namespace

const Command &getCompileCommand() {
  static const std::vector<OptionRow> options = [] {
    std::vector<OptionRow> rows = {
        {"--emit", "KIND",
         "obj (default), so: also NAME.json and NAME.h beside;\n"
         "asm, llvm, tile, attn, ast: text; for a GPU\n"
         "cubin (default): also NAME.json, NAME.o, NAME.h; ptx, nv"},
        {"-o", "FILE",
         "Where to; else NAME.o, NAME.so or NAME.cubin here, text to\n"
         "the output"}};
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.insert(
        rows.end(),
        {{"--sequences", "FORM",
          "For batches of sequences, described in each call: packed\n"
          "(also padded) or paged; packed,positions or\n"
          "paged,positions: calls give positions of queries"},
         {"--no-cache", "", "Choose the plan even if a tuned one is kept"},
         {"--cache-dir", "DIR",
          "Where 'rapt tune' keeps plans; $RAPT_CACHE_DIR, else\n"
          "$XDG_CACHE_HOME/rapt, else ~/.cache/rapt"},
         {"--help", "", "Print this text"}});
    return rows;
  }();
  static const Command command{
      {"compile", "FILE [options]",
       "Compile a spec ahead of time, or show a step of the way", options,
       /*takesFile=*/true},
      compile};
  return command;
}

} // namespace rapt::tool
