// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelCase.h"
#include "lib/Compiler/ElementTypes.h"
#include "lib/Compiler/Pipeline.h"
#include "lib/Reference/Check.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace rapt::testing {

namespace {
/// Memory between two pages that must not be touched.
class GuardedMemory {
public:
  GuardedMemory(int64_t bytes, bool atFront) {
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t inside = (bytes + page - 1) / page * page;
    length = inside + 2 * page;
    base = static_cast<char *>(
        mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base == MAP_FAILED)
      std::abort();
    if (inside && mprotect(base + page, inside, PROT_READ | PROT_WRITE))
      std::abort();
    place = atFront ? base + page : base + page + inside - bytes;
  }
  GuardedMemory(GuardedMemory &&other)
      : base(std::exchange(other.base, nullptr)), length(other.length),
        place(other.place) {}
  GuardedMemory &operator=(GuardedMemory &&) = delete;
  ~GuardedMemory() {
    if (base)
      munmap(base, length);
  }
  char *get() const { return place; }

private:
  char *base = nullptr;
  int64_t length = 0;
  char *place = nullptr;
};

/// All cases share the dialects.
mlir::MLIRContext *getSharedContext() {
  static std::unique_ptr<mlir::MLIRContext> context = createContext();
  return context.get();
}
} // namespace

std::unique_ptr<KernelCase> KernelCase::create(SpecSetting setting,
                                               const std::string &target,
                                               const std::string &plan) {
  setting.context = getSharedContext();
  auto specCase = SpecCase::create(std::move(setting));
  if (!specCase) {
    ADD_FAILURE() << llvm::toString(specCase.takeError());
    return nullptr;
  }
  const SpecSetting &made = (*specCase)->getSetting();
  auto spec = Spec::parse(made.text);
  if (!spec) {
    ADD_FAILURE() << spec.error().message;
    return nullptr;
  }
  CompileOptions options;
  options.definition = made.definition;
  options.params = made.params;
  options.dtype = getDType(made.type);
  options.extents = made.extents;
  options.target = target;
  options.plan = plan;
  options.useCache = false;
  auto kernel = Kernel::compile(*spec, options);
  if (!kernel) {
    ADD_FAILURE() << (*specCase)->describe() << "\n"
                  << made.text << "\n"
                  << kernel.error().message;
    return nullptr;
  }
  return std::unique_ptr<KernelCase>(
      new KernelCase(std::move(*specCase), *kernel));
}

KernelCase::Results KernelCase::makeResults() const {
  const SpecSetting &made = specCase->getSetting();
  std::vector<SpecTensor> results;
  for (const TensorSignature &signature : kernel.getSignature().results) {
    std::vector<int64_t> sizes{made.batch, made.heads, made.queries};
    if (signature.axes.size() == 4)
      sizes.push_back(signature.axes[3].extent);
    results.emplace_back(signature.name, *getElementType(signature.dtype),
                         sizes);
  }
  for (SpecTensor &result : results) // a NaN shows what is not written
    std::fill(result.data.begin(), result.data.end(), '\xff');
  return {results[0], results[1]};
}

void KernelCase::runInto(Results &results, unsigned threads, bool atFront) {
  std::vector<GuardedMemory> memory;
  auto place = [&](const SpecTensor &tensor) {
    memory.emplace_back(tensor.data.size(), atFront);
    std::memcpy(memory.back().get(), tensor.data.data(), tensor.data.size());
    return TensorView{memory.back().get(), getDType(tensor.type), tensor.sizes,
                      tensor.strides};
  };
  std::vector<NamedTensor> arguments;
  for (const SpecTensor &tensor : specCase->tensors)
    arguments.push_back({tensor.name, place(tensor)});
  TensorView out = place(results.out), lse = place(results.lse);
  auto done = kernel.run(arguments, out, &lse, {.threads = threads});
  ASSERT_TRUE(static_cast<bool>(done)) << done.error().message;
  for (auto [result, view] :
       {std::pair(&results.out, &out), std::pair(&results.lse, &lse)})
    std::memcpy(result->data.data(), view->data, result->data.size());
}

KernelCase::Results KernelCase::run(unsigned threads, bool atFront) {
  Results results = makeResults();
  runInto(results, threads, atFront);
  return results;
}

void KernelCase::compare(const Results &results) {
  using reference::Precision;
  reference::AttnEvaluator exact = specCase->evaluator(Precision::Exact);
  reference::AttnEvaluator plain = specCase->evaluator(Precision::Rounded);
  reference::TensorView lse = results.lse.view();
  auto report = reference::checkResult(exact, plain, results.out.view(), &lse,
                                       specCase->allRows());
  ASSERT_TRUE(static_cast<bool>(report)) << llvm::toString(report.takeError());
  ASSERT_TRUE(report->passed)
      << report->message << "\nerror " << report->maxError << " bound "
      << report->bound << ", of lse " << report->maxLseError << " bound "
      << report->lseBound << "\n"
      << specCase->describe() << "\n"
      << specCase->getSetting().text;
}

void KernelCase::check(unsigned threads) { compare(run(threads)); }

void resize(KernelCase &kernel, const Lengths &lengths, uint64_t seed) {
  kernel.spec().resize(lengths.batch, lengths.heads, lengths.kvHeads,
                       lengths.queries, lengths.keys, seed);
}

std::string getTypeName(support::ElementType type) {
  return support::getElementTypeName(type).str();
}

} // namespace rapt::testing
