// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Frontend/SourceAnalysis.h"
#include "lib/Frontend/Parser.h"
#include "llvm/ADT/StringExtras.h"

namespace rapt::frontend {

/// More than a reader works through before checking again.
static constexpr unsigned maxErrors = 200;

static std::string formatTensor(const TensorSignature &tensor) {
  std::string text = tensor.name + ": " +
                     support::getElementTypeName(tensor.elementType).str();
  if (tensor.axes.empty())
    return text;
  std::vector<std::string> axes;
  for (const TensorAxis &axis : tensor.axes)
    axes.push_back(axis.name);
  return text + "[" + llvm::join(axes, ", ") + "]";
}

/// "(q: f32[...], ...) -> (out: f32[...], ...)"
static std::string formatSignature(const Spec &spec) {
  auto format = [](llvm::ArrayRef<TensorSignature> tensors) {
    std::vector<std::string> parts;
    for (const TensorSignature &tensor : tensors)
      parts.push_back(formatTensor(tensor));
    return "(" + llvm::join(parts, ", ") + ")";
  };
  return format(spec.arguments) + " -> " + format(spec.results);
}

SourceAnalysis::SourceAnalysis(const support::SourceFile &source)
    : index(source) {
  support::DiagnosticEngine syntax(source, maxErrors);
  file = parsePartially(syntax);
  diagnostics.assign(syntax.diagnostics().begin(), syntax.diagnostics().end());
  bool isComplete = diagnostics.empty();
  std::map<std::string, const Definition *> known;
  auto report = [&](const support::DiagnosticEngine &diags) {
    if (isComplete)
      llvm::append_range(diagnostics, diags.diagnostics());
  };
  for (size_t n = 0; n < file.definitions.size(); ++n) {
    const Definition &definition = file.definitions[n];
    uint32_t end = n + 1 < file.definitions.size()
                       ? file.definitions[n + 1].range.begin
                       : source.text().size();
    index.declare(definition, end);
    support::DiagnosticEngine diags(source, maxErrors);
    auto [first, isNew] = known.try_emplace(definition.name.text, &definition);
    if (!isNew)
      diags
          .error(definition.name.range,
                 "attention '" + definition.name.text + "' is defined twice")
          .note(first->second->name.range, "first defined here");
    report(diags);
    support::DiagnosticEngine meaning(source, maxErrors);
    std::optional<Spec> spec = analyzeDefinition(definition, meaning, index);
    if (spec)
      index.setDefinitionType(definition, formatSignature(*spec));
    report(meaning);
  }
}

} // namespace rapt::frontend
