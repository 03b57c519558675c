// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// rapt-attn: the front end alone. Prints the signature of a definition, or its
/// attn program.

#include "lib/Frontend/EmitAttn.h"
#include "lib/Frontend/Parser.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace rapt;
namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("<input>"),
                                      cl::init("-"));
static cl::opt<std::string> definition("definition",
                                       cl::desc("the definition to compile"));
static cl::list<std::string> params("p", cl::desc("name=value of a param"));
static cl::list<std::string> extents("extent",
                                     cl::desc("name=extent of a feature axis"));
static cl::opt<std::string> elementType("dtype", cl::init("f32"));
static cl::opt<bool> signatureOnly("signature",
                                   cl::desc("print the signature only"));
static cl::opt<bool> isEach("each",
                            cl::desc("compile every definition of the file"));
static cl::opt<bool> namesOnly("names",
                               cl::desc("print the names of what compiles"));
static cl::opt<bool> takesStates("states-in", cl::desc("states are arguments"));
static cl::opt<bool> givesStates("states-out", cl::desc("states are results"));
static cl::opt<bool> withPlaces("places",
                                cl::desc("print the places of operations"));

static void printSignature(const frontend::Spec &spec) {
  auto print = [](const frontend::TensorSignature &tensor) {
    llvm::outs() << tensor.name << ": "
                 << support::getElementTypeName(tensor.elementType) << '[';
    llvm::interleaveComma(tensor.axes, llvm::outs(),
                          [](const frontend::TensorAxis &axis) {
                            llvm::outs() << axis.name;
                            if (axis.isFeature)
                              llvm::outs() << '=';
                            if (axis.isFeature && axis.extent)
                              llvm::outs() << *axis.extent;
                            else if (axis.isFeature)
                              llvm::outs() << '?';
                          });
    llvm::outs() << "]\n";
  };
  llvm::outs() << "attention " << spec.name << '\n';
  for (const auto &[name, value] : spec.params)
    llvm::outs() << "param " << name << " = " << value << '\n';
  llvm::for_each(spec.arguments, print);
  llvm::outs() << "->\n";
  llvm::for_each(spec.results, print);
  if (!spec.missingExtents.empty())
    llvm::outs() << "missing " << llvm::join(spec.missingExtents, ", ") << '\n';
}

static bool compile(const frontend::File &file,
                    const frontend::Instance &instance,
                    const support::SourceFile &source) {
  support::DiagnosticEngine diags(source);
  llvm::scope_exit report([&] {
    llvm::outs().flush();
    diags.print(llvm::errs());
  });
  std::optional<frontend::Spec> spec = frontend::analyze(file, instance, diags);
  if (!spec)
    return false;
  if (signatureOnly) {
    printSignature(*spec);
    return true;
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      frontend::emitAttn(*spec, context, diags);
  if (!module)
    return false;
  if (namesOnly) {
    llvm::outs() << spec->name << '\n';
    return true;
  }
  mlir::OpPrintingFlags flags;
  if (withPlaces)
    flags.enableDebugInfo(true);
  module->print(llvm::outs(), flags);
  llvm::outs() << '\n';
  return true;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "attention language front end\n");
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(inputFile);
  if (std::error_code error = buffer.getError()) {
    llvm::errs() << inputFile << ": " << error.message() << '\n';
    return 1;
  }
  frontend::Instance instance;
  auto type = support::parseElementType(elementType);
  if (!type) {
    llvm::errs() << "unknown element type '" << elementType << "'\n";
    return 2;
  }
  instance.elementType = *type;
  instance.takesStates = takesStates;
  instance.givesStates = givesStates;
  if (!definition.empty())
    instance.definition = definition;
  for (llvm::StringRef text : params) {
    auto [name, value] = text.split('=');
    instance.params[name.str()] = value.str();
  }
  for (llvm::StringRef text : extents) {
    auto [name, value] = text.split('=');
    int64_t extent = 0;
    if (value.getAsInteger(10, extent)) {
      llvm::errs() << "expected name=extent, found '" << text << "'\n";
      return 2;
    }
    instance.extents[name.str()] = extent;
  }
  support::SourceFile source(inputFile, (*buffer)->getBuffer().str());
  support::DiagnosticEngine diags(source);
  std::optional<frontend::File> file = frontend::parse(diags);
  diags.print(llvm::errs());
  if (!file)
    return 1;
  if (!isEach)
    return compile(*file, instance, source) ? 0 : 1;
  bool isFine = true;
  for (const frontend::Definition &each : file->definitions) {
    instance.definition = each.name.text;
    isFine &= compile(*file, instance, source);
  }
  return isFine ? 0 : 1;
}
