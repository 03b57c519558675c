// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The options that say what is compiled, the same for `run`, `check` and
/// `compile`.

#ifndef RAPT_TOOLS_RAPT_SPECOPTIONS_H
#define RAPT_TOOLS_RAPT_SPECOPTIONS_H

#include "lib/Compiler/AxisExtents.h"
#include "lib/Compiler/SpecSource.h"
#include "tools/rapt/Options.h"

namespace rapt::tool {

/// Rows for -p, --shape, --dtype, --definition and --target.
std::vector<OptionRow> getSpecOptionRows();

/// A spec and what the user wants of it; `options` have no extents yet.
struct RequestedSpec {
  Spec spec;
  CompileOptions options;
  std::map<std::string, int64_t> shape;
  StateRequest states;
};

llvm::Expected<RequestedSpec> loadSpec(const CommandLine &line);

/// The axes that the language itself names: `batch` to `vdim`. A shape may
/// always give them.
llvm::ArrayRef<llvm::StringRef> getLanguageAxes();

/// What an axis without an extent gets.
struct DefaultExtents {
  int64_t heads = 8, length = 2048, width = 64;
};

/// Checks the definition before all extents are known. Whether two axes fit may
/// be a matter of their extents: where it is wrong without, `dim` and `vdim`
/// are added to `options`, from --shape, from `extents` or by default. Fails as
/// the analysis without them does.
llvm::Expected<frontend::Spec> analyzeFirst(const RequestedSpec &requested,
                                            const AxisExtents &extents,
                                            const DefaultExtents &defaults,
                                            CompileOptions &options);

/// Adds the extents of --shape to those that tensors have given, and a default
/// for every axis that still has none: by default a small problem of today's
/// usual sizes.
/// Fills `options.extents` and returns the definition, complete. Fails on a
/// name that is no axis.
llvm::Expected<frontend::Spec>
chooseExtents(RequestedSpec &requested, AxisExtents &extents,
              const DefaultExtents &defaults = {});

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_SPECOPTIONS_H
