// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Random masks, scores and weights against the Reference.

#include "KernelCase.h"
#include "RandomExpressions.h"

using namespace rapt::testing;
using rapt::support::ElementType;

namespace {

SpecSetting makeSetting(uint64_t seed) {
  RandomExpressions random(seed);
  SpecSetting setting;
  setting.seed = seed;
  setting.text = "attention x {" + std::string(random.getInputs());
  if (random.below(4))
    setting.text += "  mask = " + random.makeBoolean(random.below(5)) + "\n";
  if (random.below(4))
    setting.text += "  score = 4 * tanh((dot(q, k) / 8 + " +
                    random.makeReal(random.below(5)) + ") / 4)\n";
  switch (random.below(6)) {
  case 0:
    setting.text += "  weight = softmax(score, sink = slope[h])\n";
    break;
  case 1:
    // Away from 0: near a zero of the factor one rounding inside it is the
    // whole error of a row, the kernel's as the plain implementation's, and
    // which of the two is larger is chance.
    setting.text += std::string("  weight = softmax(score) * (") +
                    (random.below(2) ? "1.5" : "-1.5") + " + tanh(" +
                    random.makeReal(random.below(3)) + "))\n";
    break;
  case 2:
    setting.text += "  weight = normalize(exp(tanh(score)))\n";
    break;
  case 3:
    setting.text += "  weight = sigmoid(score)\n";
    break;
  default:
    break;
  }
  setting.text += "}";
  const ElementType types[] = {ElementType::F32, ElementType::BF16,
                               ElementType::F16};
  setting.type = types[random.below(3)];
  setting.extents = {{"dim", 1 + random.below(70)},
                     {"vdim", 1 + random.below(70)}};
  return setting;
}

// RAPT_SEED starts at another case, RAPT_CASES says how many.
TEST(RandomSpecsTest, SameAsReference) {
  uint64_t first = getSetting("RAPT_SEED", 1);
  uint64_t cases = getSetting("RAPT_CASES", isNightly() ? 5000 : 60);
  llvm::outs() << "seeds " << first << " to " << first + cases - 1 << "\n";
  llvm::outs().flush();
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    auto kernel = KernelCase::create(makeSetting(seed));
    ASSERT_TRUE(kernel) << "seed " << seed;
    RandomExpressions random(seed + 1000000);
    for (int call = 0; call < 2; ++call) {
      int64_t kvHeads = 1 + random.below(3);
      int64_t heads = kvHeads * (1 + random.below(2));
      int64_t batch = 1 + random.below(2);
      int64_t queries = 1 + random.below(150), keys = 1 + random.below(300);
      resize(*kernel, {batch, heads, kvHeads, queries, keys}, seed);
      kernel->check(1 + random.below(3));
      if (HasFatalFailure())
        return;
    }
  }
}

} // namespace
