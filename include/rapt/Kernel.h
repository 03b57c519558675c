// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Spec in, kernel out: the interface for programs that embed the compiler.
///
///   auto spec = rapt::Spec::loadFile("sliding_window.attn");
///   rapt::CompileOptions options;
///   options.params["window"] = "512";
///   options.extents = {{"dim", 64}, {"vdim", 64}};
///   auto kernel = rapt::Kernel::compile(*spec, options);
///   auto done = kernel->run({{"q", q}, {"k", k}, {"v", v}}, out);
///
/// Lengths, batch, heads and strides are values of a call; element types,
/// feature extents and params are fixed when a kernel is compiled.

#ifndef RAPT_KERNEL_H
#define RAPT_KERNEL_H

#include "rapt/Error.h"
#include "rapt/Executor.h"
#include "rapt/Plan.h"
#include "rapt/RunTable.h"
#include "rapt/Sequences.h"
#include "rapt/Tensor.h"
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rapt {

/// One dimension of a tensor that a spec takes or gives.
struct Axis {
  /// `batch`, `heads`, `kv_heads`, `groups`, `queries`, `keys` or the name of a
  /// feature axis. The same name is the same extent everywhere in a call.
  std::string name;
  /// Extent if it is fixed, -1 if every call has its own.
  int64_t extent = -1;
  bool isFeature = false;
};

struct TensorSignature {
  std::string name;
  DType dtype = DType::F32;
  /// Outermost first; empty for a scalar.
  std::vector<Axis> axes;
};

struct Signature {
  /// In the order of the kernel's arguments; only what the spec reads.
  std::vector<TensorSignature> arguments;
  /// `out` [batch, heads, queries, vdim] in the type of q and, where there is
  /// one number per pair of a loop over keys, `lse` [batch, heads, queries] in
  /// f32: the log of the sum of the exponentials of a softmax, its sink
  /// included, and 0 where the weight is no softmax.
  std::vector<TensorSignature> results;
  /// Feature axes whose extents CompileOptions::extents must still give.
  std::vector<std::string> missingExtents;
};

/// A tensor and the name that the spec knows it by.
struct NamedTensor {
  std::string name;
  TensorView tensor;
};

struct CompileOptions {
  /// Which definition of the file; may be empty if there is only one.
  std::string definition;
  /// Values of params, as they would stand in the spec.
  std::map<std::string, std::string> params;
  /// Type of q and of everything declared without one: F32, F16 or BF16.
  DType dtype = DType::F32;
  /// Extents of the feature axes: `dim`, `vdim` and others the spec names.
  std::map<std::string, int64_t> extents;
  /// What calls tell of the sequences of a batch.
  SequenceForm sequences;
  /// For calls of few queries, as in decoding: at most how many rows share the
  /// same keys, the queries of a sequence times the heads that share a head of
  /// keys; at most 64. Such a kernel reads keys once for all these rows, and
  /// splits them over work items. It is right for any call. 0: the kernel is
  /// for many rows, and run() compiles another one when a call has few.
  int64_t fewRows = 0;
  /// For calls of at most so many keys: where a mask cuts them, short sequences
  /// favour narrower tiles. The kernel is right for any call. 0: long ones,
  /// as is more than 4096.
  int64_t mostKeys = 0;
  /// Parts of the plan of loops over keys by hand, `queries=32,keys=64`; what
  /// is not named is chosen. getTiles() and `rapt explain` show all of it. A
  /// kernel with such a plan runs every call itself.
  std::string plan;
  /// `host`, or a name that `rapt targets` lists; `cuda`: the NVIDIA GPU of the
  /// context that is current on this thread, else the first one of the machine.
  std::string target = "host";
  /// Compiled kernels are kept on disk and found again before anything is
  /// lowered.
  bool useCache = true;
  /// Empty: $RAPT_CACHE_DIR, else $XDG_CACHE_HOME/rapt, else ~/.cache/rapt.
  std::string cacheDirectory;
};

enum class RemarkKind {
  Structure, ///< What was found in the spec that makes the kernel faster.
  Missed     ///< Why a faster form does not apply.
};

/// What the compiler tells about one of its choices, in half a sentence.
struct Remark {
  RemarkKind kind = RemarkKind::Structure;
  std::string text;
};

/// A parsed file. Cheap to copy; safe to use from several threads.
class Spec {
public:
  /// Parses text; `name` stands for the file in messages.
  static Result<Spec> parse(std::string text, std::string name = "<text>");
  /// Errors: InputOutput if the file cannot be read, InvalidSpec.
  static Result<Spec> loadFile(const std::string &path);

  /// The names of the definitions, in their order.
  std::vector<std::string> getDefinitions() const;

  /// Checks a definition and says which tensors it takes. Errors: InvalidSpec
  /// with every diagnostic.
  Result<Signature> getSignature(const CompileOptions &options) const;

  /// Adds to `options.extents` the extents of feature axes that the tensors
  /// have. Errors: InvalidArgument for a rank that does not fit or two extents
  /// of one axis. With `options.sequences` only the feature axes are looked at.
  Result<void> inferExtents(CompileOptions &options,
                            const std::vector<NamedTensor> &tensors) const;

  struct Source;
  const Source &getSource() const { return *source; }

private:
  std::shared_ptr<const Source> source;
};

struct RunOptions {
  /// Threads of the kernel's own pool, the caller's included; 0: one per core.
  unsigned threads = 0;
  /// Runs the work items instead of the own pool.
  Executor *executor = nullptr;
  /// The sequences of the batch, for a kernel that was compiled for them; none:
  /// every tensor has the axis `batch`, and all sequences are equally long.
  const Sequences *sequences = nullptr;
  /// For a kernel of a GPU, the CUstream (cudaStream_t) that it runs on; null:
  /// the default stream. Runs are in its context.
  void *stream = nullptr;
};

/// Compiled code for one definition. Cheap to copy; safe to run from several
/// threads at once on different outputs.
///
/// Tensors of a kernel for a GPU are in the memory of that GPU, integer ones
/// too. Its runs wait for nothing: they are on RunOptions::stream, like any
/// other work of the caller, in the stream's context; on a default stream in
/// the current context if that is on the GPU of the tensors, else in its
/// primary one. A context outlives the kernels and plans that ran in it.
/// Further errors: Device, and InvalidArgument for a tensor that is not in the
/// memory of a GPU. Threads and executors are not looked at.
class Kernel {
public:
  /// Errors: InvalidSpec, InvalidArgument for an extent, type or target that
  /// does not exist or does not run on this machine, NotSupported, Device.
  static Result<Kernel> compile(const Spec &spec,
                                const CompileOptions &options);

  /// Computes `out` and, if it is not null, `lse`, and waits. On a GPU it
  /// does not wait, unless it reads integer tensors: each call then waits for
  /// the stream and plans; one without them plans if there was none of its
  /// sizes on this stream lately. Nothing is written if a tensor does not fit.
  /// Errors, before anything runs: InvalidArgument for a tensor that is
  /// missing, unknown, of another type, rank, extent or stride than the kernel
  /// takes, or that overlaps a result.
  /// The calling thread takes part, and needs up to 4 MiB of stack.
  Result<void> run(const std::vector<NamedTensor> &arguments,
                   const TensorView &out, const TensorView *lse = nullptr,
                   const RunOptions &options = {}) const;

  /// Plans a call: what run() does before anything is computed. Of tensors of
  /// floats only types, sizes and strides are looked at. Errors as those of
  /// run().
  Result<Plan> plan(const std::vector<NamedTensor> &arguments,
                    const RunOptions &options = {}) const;

  /// The same as run() with arguments of the sizes and the sequences that were
  /// planned; `options.sequences` is not looked at. On a GPU nothing is
  /// allocated, copied or waited for: a CUDA graph may capture it, and holds as
  /// long as the plan. Addresses and strides are
  /// those of this call, but that pages lie in the same places. Errors as those
  /// of run(), and InvalidArgument for a size that was planned otherwise or a
  /// plan of another kernel.
  Result<void> run(const Plan &plan, const std::vector<NamedTensor> &arguments,
                   const TensorView &out, const TensorView *lse = nullptr,
                   const RunOptions &options = {}) const;

  /// The kernel that run() takes for such a call: this one or, if the call has
  /// few queries and this one was compiled for many, one that was compiled for
  /// so few of them, now or by an earlier call. Errors: as those of compile();
  /// InvalidArgument for tensors that do not fit.
  Result<Kernel> selectFor(const std::vector<NamedTensor> &arguments,
                           const Sequences *sequences = nullptr) const;

  /// The sizes of `out` for these arguments.
  Result<std::vector<int64_t>>
  getResultSizes(const std::vector<NamedTensor> &arguments,
                 const Sequences *sequences = nullptr) const;

  /// Which keys each block of queries visits, for every loop over pairs whose
  /// mask leaves out some. Tensors of floats need no data. Errors as those of
  /// run().
  Result<std::vector<RunTable>>
  planRuns(const std::vector<NamedTensor> &arguments) const;

  const Signature &getSignature() const;
  /// Prefix of the three entries in the object code.
  const std::string &getSymbol() const;
  const std::string &getTarget() const;
  /// The algorithm of each launch, as text.
  const std::string &getForm() const;
  /// Lanes and register blocks of each launch, as text.
  const std::string &getPlan() const;
  /// CompileOptions::fewRows of this form.
  int64_t getFewRows() const;
  /// The tiles of its loops over keys, as CompileOptions::plan may say them.
  const std::string &getTiles() const;
  /// What the compiler told about its choices, in the order of its work.
  const std::vector<Remark> &getRemarks() const;
  /// What `rapt compile` writes beside an object, as JSON.
  std::string getManifest() const;
  /// Whether the code came from the cache on disk, or, for a GPU, from another
  /// kernel of this process.
  bool isFromCache() const;
  /// What went wrong without harm, e.g. a corrupt entry of the cache. Calls of
  /// few queries may add to it: they compile code of their own.
  std::vector<std::string> getWarnings() const;

private:
  struct Implementation;
  std::shared_ptr<const Implementation> implementation;
};

} // namespace rapt

#endif // RAPT_KERNEL_H
