// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A spec as text with random tensors that fit it: what the tests of every
/// stage behind the front end start from.

#ifndef RAPT_TEST_UNIT_SPECCASE_H
#define RAPT_TEST_UNIT_SPECCASE_H

#include "lib/Frontend/Sema.h"
#include "lib/Reference/AttnEvaluator.h"
#include "lib/Reference/TileEvaluator.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <functional>
#include <random>

namespace rapt::testing {

/// What a case is made from.
struct SpecSetting {
  std::string text;
  std::string definition = {}; ///< May be empty if there is only one.
  std::map<std::string, std::string> params = {};
  support::ElementType type = support::ElementType::F32;
  int64_t batch = 1, heads = 1, kvHeads = 1, queries = 1, keys = 1;
  int64_t groups = 0; ///< 0: as many as kvHeads
  /// Extents of feature axes; those that are missing become 5.
  std::map<std::string, int64_t> extents = {{"dim", 4}, {"vdim", 4}};
  uint64_t seed = 1;
  /// Shared by many cases, since making one is most of the work; else a case
  /// has its own.
  mlir::MLIRContext *context = nullptr;
};

/// A tensor that owns its elements.
struct SpecTensor {
  std::string name;
  support::ElementType type;
  std::vector<int64_t> sizes, strides;
  std::vector<char> data;

  SpecTensor(std::string name, support::ElementType type,
             std::vector<int64_t> sizes);
  int64_t count() const;
  reference::TensorView view() const;
  reference::ResultView result();
  /// The place of the element with this number in C order.
  int64_t offset(int64_t number) const;
  double get(int64_t number) const;
  void set(int64_t number, double value);
  /// Lays the elements out anew, with the dimensions in this order from outer
  /// to inner and `gap` elements behind every row. The values stay.
  void arrange(llvm::ArrayRef<unsigned> order, int64_t gap = 0);
};

class SpecCase {
public:
  /// The error has the diagnostics of the front end.
  static llvm::Expected<std::unique_ptr<SpecCase>> create(SpecSetting setting);

  const SpecSetting &getSetting() const { return setting; }
  const frontend::Spec &getSpec() const { return *spec; }
  mlir::MLIRContext &getContext() { return *context; }
  /// The spec in the attn dialect; every call emits a new one.
  mlir::OwningOpRef<mlir::ModuleOp> emit();

  /// Tensors of other lengths for the same kernel; feature axes stay.
  void resize(int64_t batch, int64_t heads, int64_t kvHeads, int64_t queries,
              int64_t keys, uint64_t seed);
  /// Fills floats from a normal distribution, integers with numbers that are
  /// sensible as positions or ids.
  void fill();
  SpecTensor *find(llvm::StringRef name);
  std::vector<reference::NamedTensor> named() const;
  std::vector<reference::TensorView> views() const;
  reference::AttnEvaluator evaluator(reference::Precision precision,
                                     reference::Placement placement = {});
  std::vector<reference::RowIndex> allRows() const;
  /// Name, shape, type and seed, for messages.
  std::string describe() const;

  std::vector<SpecTensor> tensors;

private:
  explicit SpecCase(SpecSetting setting) : setting(std::move(setting)) {}
  void makeTensors();

  SpecSetting setting;
  std::unique_ptr<support::SourceFile> source;
  std::optional<frontend::File> file;
  std::optional<frontend::Spec> spec;
  std::unique_ptr<mlir::MLIRContext> ownContext;
  mlir::MLIRContext *context = nullptr;
  mlir::OwningOpRef<mlir::ModuleOp> evaluated;
};

/// An example of `examples/` by its name without `.attn`, with params so small
/// that every part of its mask has borders inside the shapes of tests.
SpecSetting getExample(llvm::StringRef name);
/// The names of those that kernels are tested with: the lines without a comment
/// in test/tools/rapt/Inputs/compiled_examples.txt.
std::vector<std::string> getExampleNames();

/// A number from the environment, e.g. the seed of RAPT_SEED.
uint64_t getSetting(const char *variable, uint64_t otherwise);
/// Whether RAPT_NIGHTLY asks for hours of work.
bool isNightly();

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_SPECCASE_H
