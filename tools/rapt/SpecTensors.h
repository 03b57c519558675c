// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The tensors of a call, the same for `run` and `check`: read from files or
/// made at random, and results written to files.

#ifndef RAPT_TOOLS_RAPT_SPECTENSORS_H
#define RAPT_TOOLS_RAPT_SPECTENSORS_H

#include "tools/rapt/HostTensor.h"
#include "tools/rapt/SpecOptions.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace rapt::tool {

/// Rows for --in, --out, --seed and --layout.
std::vector<OptionRow> getTensorOptionRows();

/// What those options say.
struct TensorOptions {
  std::map<std::string, std::string> inputs, outputs; ///< Name to file.
  Layout layout = Layout::HeadsFirst;
  uint64_t seed = 0;
};

/// `mayNameStates`: --out may give other names than out and lse.
llvm::Expected<TensorOptions> parseTensorOptions(const CommandLine &line,
                                                 bool mayNameStates = false);

/// The tensors that --in names, in the order of the signature; their extents
/// go to `extents`. Fails on a name that the definition does not read.
llvm::Expected<std::vector<HostTensor>>
readInputs(const TensorOptions &options, const RequestedSpec &requested,
           AxisExtents &extents);

/// Appends the other arguments, at random; only those that `isWanted` is true
/// for, if it is given.
llvm::Error
addRandom(const TensorOptions &options, const frontend::Spec &spec,
          const AxisExtents &extents, std::vector<HostTensor> &tensors,
          llvm::function_ref<bool(const frontend::TensorSignature &)> isWanted =
              nullptr);

/// Tensors of zeros for the results of the signature, in its order. `type`
/// replaces the element types of the signature. Fails if --out names one that
/// is not there.
llvm::Expected<std::vector<HostTensor>>
makeResults(const TensorOptions &options, const frontend::Spec &spec,
            const AxisExtents &extents,
            std::optional<support::ElementType> type = std::nullopt);

/// Fails early where writeResults() will not be able to write.
llvm::Error checkOutputs(const TensorOptions &options);
llvm::Error writeResults(const TensorOptions &options,
                         const std::vector<HostTensor> &results);

/// The axes of all tensors: those of the language in its order, then others.
std::vector<std::pair<std::string, int64_t>>
getShape(const frontend::Spec &spec, const AxisExtents &extents);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_SPECTENSORS_H
