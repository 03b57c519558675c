// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CHeader.h"
#include "lib/Compiler/BuildId.h"
#include "lib/Compiler/CSequences.h"
#include "lib/Compiler/CudaHeaderText.h"
#include "lib/Compiler/ElementTypes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef;

namespace rapt {
namespace {

/// "f32 [batch, heads, queries, dim = 64], last stride 1".
std::string describeTensor(const TensorSignature &tensor, bool isContiguous) {
  std::string text = describe(tensor.dtype);
  if (tensor.axes.empty())
    return text + " scalar";
  text += " [";
  llvm::ListSeparator comma;
  for (const Axis &axis : tensor.axes) {
    text += StringRef(comma);
    text += axis.name;
    if (axis.isFeature && axis.extent >= 0 &&
        axis.name != std::to_string(axis.extent))
      text += " = " + std::to_string(axis.extent);
  }
  return text + (isContiguous ? "], last stride 1" : "]");
}

/// A member's name: an input may be called like a word of C or C++.
std::string getMember(StringRef name) {
  static const StringRef words[] = {
      "alignas",  "alignof",   "and",       "and_eq",    "asm",
      "auto",     "bitand",    "bitor",     "bool",      "break",
      "case",     "catch",     "char",      "class",     "compl",
      "concept",  "const",     "consteval", "constexpr", "constinit",
      "continue", "decltype",  "default",   "delete",    "do",
      "double",   "else",      "enum",      "explicit",  "export",
      "extern",   "false",     "float",     "for",       "friend",
      "goto",     "if",        "inline",    "int",       "long",
      "mutable",  "namespace", "new",       "noexcept",  "not",
      "not_eq",   "nullptr",   "operator",  "or",        "or_eq",
      "private",  "protected", "public",    "register",  "requires",
      "restrict", "return",    "short",     "signed",    "sizeof",
      "static",   "struct",    "switch",    "template",  "this",
      "throw",    "true",      "try",       "typedef",   "typeid",
      "typename", "union",     "unsigned",  "using",     "virtual",
      "void",     "volatile",  "while",     "xor",       "xor_eq"};
  return (name + (llvm::is_contained(words, name) ? "_" : "")).str();
}

/// A name of its own for the members of each tensor: one may be called like
/// what is made of the name of another.
class MemberNames {
public:
  std::string take(const TensorSignature &tensor) {
    std::string name = getMember(tensor.name);
    while (!isFree(name, tensor))
      name += '_';
    for (StringRef ending : getEndings(tensor))
      used.insert((name + ending).str());
    all.push_back(name);
    return name;
  }
  /// Those of all tensors so far.
  llvm::ArrayRef<std::string> getAll() const { return all; }

private:
  static llvm::ArrayRef<StringRef> getEndings(const TensorSignature &tensor) {
    static const StringRef endings[] = {"", "_sizes", "_strides"};
    return llvm::ArrayRef(endings).take_front(tensor.axes.empty() ? 1 : 3);
  }
  bool isFree(StringRef name, const TensorSignature &tensor) const {
    return llvm::none_of(getEndings(tensor), [&](StringRef ending) {
      return used.contains((name + ending).str());
    });
  }
  llvm::StringSet<> used;
  std::vector<std::string> all;
};

void printMembers(const std::vector<TensorSignature> &tensors,
                  llvm::ArrayRef<bool> contiguous, bool areResults,
                  MemberNames &names, llvm::raw_ostream &os) {
  for (auto [tensor, isContiguous] : llvm::zip_equal(tensors, contiguous)) {
    std::string name = names.take(tensor);
    size_t rank = tensor.axes.size();
    os << "  /** " << describeTensor(tensor, isContiguous) << " */\n"
       << "  " << (areResults ? "void *" : "const void *") << name << ";\n";
    if (rank)
      os << "  int64_t " << name << "_sizes[" << rank << "];\n"
         << "  int64_t " << name << "_strides[" << rank << "];\n";
  }
}

constexpr StringRef headerText =
    R"(/** Tensors of one call. Addresses are those of the first elements, strides are
 * in elements and not negative. The same axis has the same size in all tensors
 * and heads is a multiple of the other axes of heads; nothing is checked.
 * Results share no memory with other tensors.$LSE */
typedef struct $N_args {
$MEMBERS} $N_args;

/** Bytes of workspace with which a call with these sizes can be planned. */
int64_t $N_workspace(const $N_args *args);
/** Fills a workspace of that many bytes, whose address is a multiple of 64: its
 * n-th int64_t is the number of items of launch n. Depends on sizes and on
 * tensors of integers only. Returns the bytes that were needed: if these are
 * more than there are, the mask left more runs of keys than there was memory
 * for; plan again in a workspace of that size. */
int64_t $N_plan(const $N_args *args, void *workspace, int64_t bytes);
/** Computes items first .. last - 1 of a launch. Threads may share the items of
 * one launch; all of them are done before the next launch begins. Takes about
 * $STACK bytes of stack. */
void $N_run(const $N_args *args, void *workspace, int64_t launch, int64_t first,
            int64_t last);

enum { $N_launches = $LAUNCHES };

/** A caller's threads. `run` calls task(state, first, last) for ranges that
 * together are [0, count), each item once, in any order and on any threads, and
 * returns when all are done. Results are the same whatever it does. */
typedef struct $N_executor {
  void (*run)(void *context, int64_t count,
              void (*task)(void *state, int64_t first, int64_t last),
              void *state);
  void *context;
} $N_executor;

/* One launch of a call. */
typedef struct $N_job {
  const $N_args *args;
  void *workspace;
  int64_t launch;
} $N_job;
static inline void $N_run_job(void *state, int64_t first, int64_t last) {
  const $N_job *job = (const $N_job *)state;
  $N_run(job->args, job->workspace, job->launch, first, last);
}

/** The whole computation on the threads of `executor`; NULL: on this thread.
 * Returns 0, or -1 if there is not enough memory for the workspace. */
static inline int $N_call_on(const $N_args *args,
                             const $N_executor *executor) {
  int64_t needed = $N_workspace(args);
  int64_t bytes, launch;
  void *memory = NULL, *workspace;
  do {
    free(memory);
    bytes = needed;
    memory = malloc((size_t)bytes + 63);
    if (!memory)
      return -1;
    workspace = (void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    needed = $N_plan(args, workspace, bytes);
  } while (needed > bytes);
  for (launch = 0; launch < $N_launches; ++launch) {
    int64_t items = ((const int64_t *)workspace)[launch];
    $N_job job;
    job.args = args;
    job.workspace = workspace;
    job.launch = launch;
    if (executor && items > 0)
      executor->run(executor->context, items, $N_run_job, &job);
    else
      $N_run_job(&job, 0, items);
  }
  free(memory);
  return 0;
}
static inline int $N_call(const $N_args *args) {
  return $N_call_on(args, NULL);
}
)";

/// Rows of what a launcher knows of each kernel.
std::string printKernels(llvm::ArrayRef<DeviceKernel> kernels) {
  std::string rows;
  for (const DeviceKernel &kernel : kernels)
    rows += "      {\"" + kernel.name + "\", " +
            std::to_string(kernel.threads) + ", " +
            std::to_string(kernel.sharedBytes) + ", " +
            std::to_string(kernel.maps) + "},\n";
  return rows;
}

void replaceAll(std::string &text, StringRef from, StringRef to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace

std::string makeCHeader(const KernelManifest &manifest) {
  llvm::SmallVector<bool> contiguous(manifest.facts.contiguous.begin(),
                                     manifest.facts.contiguous.end());
  size_t count = manifest.signature.arguments.size();
  size_t hidden = count + manifest.sequenceArguments.size();
  std::string members;
  llvm::raw_string_ostream memberStream(members);
  MemberNames names;
  printMembers(manifest.signature.arguments,
               llvm::ArrayRef(contiguous).take_front(count), false, names,
               memberStream);
  if (hidden > count) {
    memberStream << "  /* Of one sequence; " << manifest.symbol
                 << "_select sets them. */\n";
    printMembers(manifest.sequenceArguments,
                 llvm::ArrayRef(contiguous).slice(count, hidden - count), false,
                 names, memberStream);
  }
  printMembers(manifest.signature.results,
               llvm::ArrayRef(contiguous).drop_front(hidden), true, names,
               memberStream);

  bool isForGpu = !manifest.gpu.empty();
  std::string body = (isForGpu ? cudaHeaderText : headerText).str();
  if (hidden > count && !isForGpu)
    body += makeCSequences(manifest, names.getAll());
  bool hasLse =
      llvm::any_of(manifest.signature.results,
                   [](const auto &result) { return result.name == "lse"; });
  replaceAll(body, "$LSE",
             hasLse ? "\n * `lse` is the log-sum-exp of every row, 0 where the "
                      "weight is no softmax;\n * address 0 and sizes 0: not "
                      "wanted."
                    : "");
  replaceAll(body, "$MEMBERS", members);
  replaceAll(body, "$KERNELS", printKernels(manifest.facts.kernels));
  replaceAll(body, "$STACK", std::to_string(manifest.facts.stackBytes));
  replaceAll(body, "$LAUNCHES", std::to_string(manifest.facts.launches));
  replaceAll(body, "$N", manifest.symbol);

  std::string text;
  llvm::raw_string_ostream os(text);
  std::string guard =
      "RAPT_KERNEL_" + StringRef(manifest.symbol).upper() + "_H";
  os << "/* Made by rapt " << getVersion() << " for ";
  if (isForGpu)
    os << manifest.gpu << " and ";
  os << manifest.target.triple << ", " << manifest.target.cpu << ", from\n *\n";
  llvm::SmallVector<StringRef> lines;
  StringRef(manifest.source).rtrim('\n').split(lines, '\n');
  for (StringRef line : lines)
    os << " *   " << line << '\n';
  if (!manifest.params.empty()) {
    os << " *\n * with";
    llvm::ListSeparator comma(",");
    for (const auto &[name, value] : manifest.params)
      os << StringRef(comma) << ' ' << name << " = " << value;
    os << '\n';
  }
  os << " */\n\n#ifndef " << guard << "\n#define " << guard << "\n\n"
     << (isForGpu ? "#include <dlfcn.h>\n" : "") << "#include <stdint.h>\n"
     << (hidden > count && !isForGpu ? "#include <stdio.h>\n" : "")
     << "#include <stdlib.h>\n"
     << (isForGpu ? "#include <string.h>\n\n" : "\n")
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
     << body << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << guard
     << " */\n";
  return text;
}

} // namespace rapt
