// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Tuning/PlanCost.h"

using namespace mlir;

namespace rapt::tuning {

/// Bytes and features of what is read for one key.
struct KeyRow {
  int64_t bytes = 0, features = 0;
};

static KeyRow getKeyRow(attn::AttendOp op) {
  KeyRow row;
  auto visit = [&](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    int64_t features = type.getDimSize(3);
    row.features += features;
    row.bytes += features * type.getElementTypeBitWidth() / 8;
  };
  llvm::for_each(op.getKeys(), visit);
  visit(op.getValues());
  return row;
}

double estimateCycles(tile::PlanAttr plan, attn::AttendOp op,
                      const target::CpuTarget &target, int64_t keys) {
  // Two multiply-adds a cycle, and as many operations of other kinds.
  constexpr double ports = 2;
  // Of a product, by the square of the loads beside a multiply-add: blocks of 6
  // rows by 4 vectors and of 12 by 2 differ by 2.5 %, and one vector, with more
  // loads than multiply-adds, loses what it gains at the edge of a mask.
  constexpr double loadCost = 0.15;
  // Bytes a cycle of keys and values beyond the second level cache, what is
  // hidden behind products taken off.
  constexpr double farBytes = 57;
  // To begin and to end a block: for each element of its queries and results,
  // and once.
  constexpr double elementCost = 0.67, blockCost = 500;
  auto lanes = static_cast<double>(target.getLanes32());
  auto queries = static_cast<double>(plan.getQueries());
  double vectors = queries / lanes;
  auto rows = static_cast<double>(plan.getCpu().getRows());
  KeyRow row = getKeyRow(op);
  auto features = static_cast<double>(row.features);

  auto visited = static_cast<double>(keys);
  if (!op.getMask().empty())
    visited = (visited + queries + static_cast<double>(plan.getEdgeKeys())) / 2;
  double loads = (vectors + rows) / (vectors * rows);
  double terms = plan.getCpu().getPairs()
                     ? target.bf16Dots.speed // terms for a multiply-add
                     : 1;
  double product = features / terms * (1 + loadCost * loads * loads);
  double softmax = target.scalesByPowers ? 10 : 14;
  double cycles = visited * (product + softmax) / (ports * lanes);
  bool isFar = keys * row.bytes > target.l2Bytes / 2;
  if (isFar)
    cycles += visited * static_cast<double>(row.bytes) / (queries * farBytes);
  return cycles + elementCost * features + blockCost / queries;
}

} // namespace rapt::tuning
