// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/Codegen.h"
#include "lib/Compiler/CHeader.h"
#include "lib/Compiler/CodedError.h"
#include "lib/Compiler/Compilation.h"
#include "lib/Frontend/Printer.h"
#include "tools/rapt/Commands.h"
#include "tools/rapt/OutputFile.h"
#include "tools/rapt/SpecOptions.h"
#include "llvm/ADT/SmallString.h"
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

enum class Emit { Ast, Attn, Tile, LLVM, Assembly, Object, SharedObject };

Expected<Emit> getEmit(const CommandLine &line) {
  StringRef text = line.get("--emit").value_or("obj");
  auto emit = llvm::StringSwitch<std::optional<Emit>>(text)
                  .Case("ast", Emit::Ast)
                  .Case("attn", Emit::Attn)
                  .Case("tile", Emit::Tile)
                  .Case("llvm", Emit::LLVM)
                  .Case("asm", Emit::Assembly)
                  .Case("obj", Emit::Object)
                  .Case("so", Emit::SharedObject)
                  .Default(std::nullopt);
  if (!emit)
    return usageError("option '--emit' expects obj, so, asm, llvm, tile, attn "
                      "or ast, found '" +
                      text + "'");
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

Error writeModule(const CommandLine &line, Stage stage,
                  const Compilation &compilation) {
  auto lowered = lowerTo(stage, compilation);
  if (!lowered)
    return lowered.takeError();
  std::string text;
  llvm::raw_string_ostream os(text);
  lowered->module->print(os);
  os << '\n';
  return writeText(line, text);
}

/// The object, the manifest and the C header.
Error writeObject(const CommandLine &line, bool isShared,
                  const Compilation &compilation, GeneratedModule &generated) {
  llvm::SmallString<128> path(line.get("-o").value_or(
      compilation.spec.name + std::string(isShared ? ".so" : ".o")));
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

Error compile(const CommandLine &line) {
  auto emit = getEmit(line);
  if (!emit)
    return emit.takeError();
  auto requested = loadSpec(line);
  if (!requested)
    return requested.takeError();
  if (*emit == Emit::Ast) {
    std::string text;
    llvm::raw_string_ostream os(text);
    frontend::dump(requested->spec.getSource().tree, os);
    return writeText(line, text);
  }
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
    return writeModule(line, Stage::Attn, *compilation);
  if (*emit == Emit::Tile)
    return writeModule(line, Stage::Tile, *compilation);
  auto generated = generate(*compilation);
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
         "asm, llvm, tile, attn, ast: text"},
        {"-o", "FILE",
         "Where to; else NAME.o or NAME.so here, text to the output"}};
    for (const OptionRow &row : getSpecOptionRows())
      rows.push_back(row);
    rows.push_back({"--help", "", "Print this text"});
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
