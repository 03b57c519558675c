// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "rapt-c/Rapt.h"
#include "lib/Compiler/BuildId.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/SignatureJson.h"
#include "rapt/Kernel.h"
#include <cstdlib>
#include <cstring>

struct rapt_spec {
  rapt::Spec spec;
};
struct rapt_options {
  rapt::CompileOptions options;
};
struct rapt_kernel {
  rapt::Kernel kernel;
};
struct rapt_plan {
  rapt::Plan plan;
};

namespace {

char *copyText(const std::string &text) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (copy)
    std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

rapt_status fail(rapt::ErrorCode code, const std::string &text,
                 char **message) {
  if (message)
    *message = copyText(text);
  switch (code) {
  case rapt::ErrorCode::InvalidSpec:
    return RAPT_INVALID_SPEC;
  case rapt::ErrorCode::InvalidArgument:
    return RAPT_INVALID_ARGUMENT;
  case rapt::ErrorCode::NotSupported:
    return RAPT_NOT_SUPPORTED;
  case rapt::ErrorCode::InputOutput:
    return RAPT_INPUT_OUTPUT;
  case rapt::ErrorCode::Device:
    return RAPT_DEVICE;
  case rapt::ErrorCode::Internal:
    return RAPT_INTERNAL;
  }
  return RAPT_INTERNAL;
}

rapt_status fail(const rapt::Error &error, char **message) {
  return fail(error.code, error.message, message);
}

/// Runs the body of an entry. Nothing of ours throws, but the standard library
/// does when memory runs out, and that must not cross into C.
template <typename Body> rapt_status guarded(char **message, const Body &body) {
  if (message)
    *message = nullptr;
  try {
    return body();
  } catch (const std::exception &exception) {
    return fail(rapt::ErrorCode::Internal, exception.what(), message);
  }
}

/// A setter has no status: one that runs out of memory changes nothing.
template <typename Body> void guardedSet(const Body &body) {
  try {
    body();
  } catch (const std::exception &) {
  }
}

/// Whether `tensor` can be read at all; its contents are checked later.
const char *findFlaw(const rapt_tensor &tensor) {
  constexpr int32_t maxRank = 64;
  if (tensor.rank < 0 || tensor.rank > maxRank)
    return "has a rank outside 0 .. 64";
  if (tensor.rank > 0 && !tensor.sizes)
    return "has no sizes";
  return nullptr;
}

rapt::TensorView makeView(const rapt_tensor &tensor) {
  rapt::TensorView view;
  view.data = tensor.data;
  view.dtype = static_cast<rapt::DType>(tensor.dtype);
  if (tensor.rank > 0) {
    view.sizes.assign(tensor.sizes, tensor.sizes + tensor.rank);
    if (tensor.strides)
      view.strides.assign(tensor.strides, tensor.strides + tensor.rank);
  }
  return view;
}

rapt::Result<std::vector<rapt::NamedTensor>>
makeTensors(const rapt_argument *arguments, size_t count) {
  std::vector<rapt::NamedTensor> tensors;
  for (size_t n = 0; n < count; ++n) {
    const rapt_argument &argument = arguments[n];
    if (!argument.name)
      return rapt::Error{rapt::ErrorCode::InvalidArgument,
                         "argument " + std::to_string(n) + " has no name"};
    if (const char *flaw = findFlaw(argument.tensor))
      return rapt::Error{rapt::ErrorCode::InvalidArgument,
                         "'" + std::string(argument.name) + "' " + flaw};
    tensors.push_back({argument.name, makeView(argument.tensor)});
  }
  return tensors;
}

/// Views of the tensors that are given; fails on one that cannot be read.
rapt::Result<rapt::Sequences> makeSequences(const rapt_sequences &given) {
  rapt::Sequences sequences;
  struct Row {
    const rapt_tensor *tensor;
    std::optional<rapt::TensorView> *view;
    const char *name;
  };
  for (const Row &row :
       {Row{given.query_starts, &sequences.queryStarts, "query_starts"},
        Row{given.key_starts, &sequences.keyStarts, "key_starts"},
        Row{given.query_lengths, &sequences.queryLengths, "query_lengths"},
        Row{given.key_lengths, &sequences.keyLengths, "key_lengths"},
        Row{given.page_table, &sequences.pageTable, "page_table"},
        Row{given.query_positions, &sequences.queryPositions,
            "query_positions"}}) {
    if (!row.tensor)
      continue;
    if (const char *flaw = findFlaw(*row.tensor))
      return rapt::Error{rapt::ErrorCode::InvalidArgument,
                         "'" + std::string(row.name) + "' " + flaw};
    *row.view = makeView(*row.tensor);
  }
  return sequences;
}

/// The caller's function as an executor.
class CallbackExecutor : public rapt::Executor {
public:
  explicit CallbackExecutor(const rapt_executor &executor)
      : executor(executor) {}
  void run(int64_t count,
           const std::function<void(int64_t, int64_t)> &task) override {
    executor.run(
        executor.context, count,
        [](void *state, int64_t first, int64_t last) {
          (*static_cast<const std::function<void(int64_t, int64_t)> *>(state))(
              first, last);
        },
        const_cast<std::function<void(int64_t, int64_t)> *>(&task));
  }

private:
  const rapt_executor &executor;
};

/// A call as C++ sees it. It refers to itself and stays where it is.
struct Call {
  std::vector<rapt::NamedTensor> arguments;
  std::optional<rapt::Sequences> sequences;
  std::optional<CallbackExecutor> executor;
  rapt::RunOptions options;

  rapt::Result<void> fill(const rapt_call &call) {
    auto tensors = makeTensors(call.arguments, call.count);
    if (!tensors)
      return tensors.error();
    arguments = *std::move(tensors);
    if (call.sequences) {
      auto given = makeSequences(*call.sequences);
      if (!given)
        return given.error();
      sequences = *std::move(given);
      options.sequences = &*sequences;
    }
    if (call.executor) {
      if (!call.executor->run)
        return rapt::Error{rapt::ErrorCode::InvalidArgument,
                           "the executor has no function"};
      executor.emplace(*call.executor);
      options.executor = &*executor;
    }
    options.threads = call.threads;
    options.stream = call.stream;
    return {};
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Specs
//===----------------------------------------------------------------------===//

const char *rapt_version(void) { return rapt::getVersion(); }

void rapt_free(char *text) { std::free(text); }

static rapt_status giveSpec(rapt::Result<rapt::Spec> parsed, rapt_spec **spec,
                            char **message) {
  if (!parsed)
    return fail(parsed.error(), message);
  *spec = new rapt_spec{*std::move(parsed)};
  return RAPT_OK;
}

rapt_status rapt_spec_load(const char *path, rapt_spec **spec, char **message) {
  return guarded(message, [&] {
    return giveSpec(rapt::Spec::loadFile(path), spec, message);
  });
}

rapt_status rapt_spec_parse(const char *text, const char *name,
                            rapt_spec **spec, char **message) {
  return guarded(message, [&] {
    return giveSpec(rapt::Spec::parse(text, name ? name : "<text>"), spec,
                    message);
  });
}

void rapt_spec_destroy(rapt_spec *spec) { delete spec; }

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

rapt_options *rapt_options_create(void) {
  return new (std::nothrow) rapt_options();
}

void rapt_options_destroy(rapt_options *options) { delete options; }

void rapt_options_set_definition(rapt_options *options, const char *name) {
  guardedSet([&] { options->options.definition = name ? name : ""; });
}

void rapt_options_set_param(rapt_options *options, const char *name,
                            const char *value) {
  guardedSet([&] { options->options.params[name] = value; });
}

rapt_status rapt_options_set_dtype(rapt_options *options, int32_t dtype,
                                   char **message) {
  return guarded(message, [&] {
    auto type = static_cast<rapt::DType>(dtype);
    if (type != rapt::DType::F32 && type != rapt::DType::F16 &&
        type != rapt::DType::BF16)
      return fail(rapt::ErrorCode::InvalidArgument,
                  "type of q is " + rapt::describe(type) +
                      ", expected f32, bf16 or f16",
                  message);
    options->options.dtype = type;
    return RAPT_OK;
  });
}

void rapt_options_set_extent(rapt_options *options, const char *axis,
                             int64_t extent) {
  guardedSet([&] { options->options.extents[axis] = extent; });
}

void rapt_options_set_sequences(rapt_options *options, int form) {
  options->options.sequences = {form != 0, (form & RAPT_PAGES) != 0,
                                (form & RAPT_POSITIONS) != 0};
}

void rapt_options_set_target(rapt_options *options, const char *target) {
  guardedSet([&] { options->options.target = target ? target : "host"; });
}

void rapt_options_set_cache(rapt_options *options, int enabled,
                            const char *directory) {
  guardedSet([&] {
    options->options.cacheDirectory = directory ? directory : "";
    options->options.useCache = enabled != 0;
  });
}

rapt_status rapt_spec_describe(const rapt_spec *spec,
                               const rapt_options *options, char **json,
                               char **message) {
  return guarded(message, [&] {
    auto signature = spec->spec.getSignature(options->options);
    if (!signature)
      return fail(signature.error(), message);
    *json =
        copyText(rapt::print(rapt::toJson(*signature), /*isIndented=*/false));
    return RAPT_OK;
  });
}

rapt_status rapt_spec_infer_extents(const rapt_spec *spec,
                                    rapt_options *options,
                                    const rapt_argument *arguments,
                                    size_t count, char **message) {
  return guarded(message, [&] {
    auto tensors = makeTensors(arguments, count);
    if (!tensors)
      return fail(tensors.error(), message);
    auto done = spec->spec.inferExtents(options->options, *tensors);
    return done ? RAPT_OK : fail(done.error(), message);
  });
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

rapt_status rapt_kernel_compile(const rapt_spec *spec,
                                const rapt_options *options,
                                rapt_kernel **kernel, char **message) {
  return guarded(message, [&] {
    auto compiled = rapt::Kernel::compile(spec->spec, options->options);
    if (!compiled)
      return fail(compiled.error(), message);
    *kernel = new rapt_kernel{*std::move(compiled)};
    return RAPT_OK;
  });
}

void rapt_kernel_destroy(rapt_kernel *kernel) { delete kernel; }

rapt_status rapt_kernel_describe(const rapt_kernel *kernel, char **json,
                                 char **message) {
  return guarded(message, [&] {
    *json = copyText(kernel->kernel.getManifest());
    return RAPT_OK;
  });
}

char *rapt_kernel_warnings(const rapt_kernel *kernel) {
  char *text = nullptr;
  guardedSet([&] {
    std::string lines;
    for (const std::string &warning : kernel->kernel.getWarnings())
      lines += (lines.empty() ? "" : "\n") + warning;
    if (!lines.empty())
      text = copyText(lines);
  });
  return text;
}

rapt_status rapt_kernel_result_sizes(const rapt_kernel *kernel,
                                     const rapt_argument *arguments,
                                     size_t count, int64_t sizes[4],
                                     char **message) {
  return guarded(message, [&] {
    auto tensors = makeTensors(arguments, count);
    if (!tensors)
      return fail(tensors.error(), message);
    auto result = kernel->kernel.getResultSizes(*tensors);
    if (!result)
      return fail(result.error(), message);
    std::copy(result->begin(), result->end(), sizes);
    return RAPT_OK;
  });
}

rapt_status rapt_kernel_run(const rapt_kernel *kernel,
                            const rapt_argument *arguments, size_t count,
                            const rapt_tensor *out, const rapt_tensor *lse,
                            unsigned threads, char **message) {
  return guarded(message, [&] {
    auto tensors = makeTensors(arguments, count);
    if (!tensors)
      return fail(tensors.error(), message);
    if (!out)
      return fail(rapt::ErrorCode::InvalidArgument, "'out' is missing",
                  message);
    for (auto [tensor, name] : {std::pair(out, "'out' "), {lse, "'lse' "}})
      if (const char *flaw = tensor ? findFlaw(*tensor) : nullptr)
        return fail(rapt::ErrorCode::InvalidArgument, std::string(name) + flaw,
                    message);
    rapt::TensorView outView = makeView(*out), lseView;
    if (lse)
      lseView = makeView(*lse);
    auto done = kernel->kernel.run(*tensors, outView, lse ? &lseView : nullptr,
                                   {threads, nullptr});
    return done ? RAPT_OK : fail(done.error(), message);
  });
}

rapt_status rapt_kernel_call(const rapt_kernel *kernel, const rapt_call *given,
                             char **message) {
  return guarded(message, [&] {
    Call call;
    if (auto filled = call.fill(*given); !filled)
      return fail(filled.error(), message);
    if (!given->out)
      return fail(rapt::ErrorCode::InvalidArgument, "'out' is missing",
                  message);
    for (auto [tensor, name] :
         {std::pair(given->out, "'out' "), {given->lse, "'lse' "}})
      if (const char *flaw = tensor ? findFlaw(*tensor) : nullptr)
        return fail(rapt::ErrorCode::InvalidArgument, std::string(name) + flaw,
                    message);
    rapt::TensorView out = makeView(*given->out), lse;
    if (given->lse)
      lse = makeView(*given->lse);
    rapt::TensorView *lseOrNone = given->lse ? &lse : nullptr;
    auto done =
        given->plan
            ? kernel->kernel.run(given->plan->plan, call.arguments, out,
                                 lseOrNone, call.options)
            : kernel->kernel.run(call.arguments, out, lseOrNone, call.options);
    return done ? RAPT_OK : fail(done.error(), message);
  });
}

rapt_status rapt_kernel_call_sizes(const rapt_kernel *kernel,
                                   const rapt_call *given, int64_t sizes[4],
                                   int *rank, char **message) {
  return guarded(message, [&] {
    Call call;
    if (auto filled = call.fill(*given); !filled)
      return fail(filled.error(), message);
    auto result =
        kernel->kernel.getResultSizes(call.arguments, call.options.sequences);
    if (!result)
      return fail(result.error(), message);
    std::copy(result->begin(), result->end(), sizes);
    *rank = static_cast<int>(result->size());
    return RAPT_OK;
  });
}

rapt_status rapt_kernel_plan(const rapt_kernel *kernel, const rapt_call *given,
                             rapt_plan **plan, char **message) {
  return guarded(message, [&] {
    Call call;
    if (auto filled = call.fill(*given); !filled)
      return fail(filled.error(), message);
    auto planned = kernel->kernel.plan(call.arguments, call.options);
    if (!planned)
      return fail(planned.error(), message);
    *plan = new rapt_plan{*std::move(planned)};
    return RAPT_OK;
  });
}

void rapt_plan_destroy(rapt_plan *plan) { delete plan; }
