// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Which tiles of a mask are visited, and which pairs it keeps, both found
/// without compiled code.

#ifndef RAPT_TEST_UNIT_MASKVISITS_H
#define RAPT_TEST_UNIT_MASKVISITS_H

#include "SpecCase.h"
#include "dialects/Tile/IR/Tile.h"

namespace rapt::testing {

/// What the loop over runs does with a tile; as it is stored.
enum Visit { kSkipped = 0, kPartial = 1, kFull = 2 };

/// Queries and keys of a tile whose class is asked for; `edge` and `isInOrder`
/// as in a plan.
struct MaskTiles {
  int64_t queries = 16, keys = 16, edge = 0;
  bool isInOrder = true;

  int64_t getStep() const { return edge > 0 ? edge : keys; }
};

/// Makes the pairs of a case visible in its result: queries and keys become 0,
/// so that all scores are equal, and the values unit vectors. The features of
/// the values are the keys.
void showPairs(SpecCase &spec);

/// Puts a plan with these tiles on every operation of `module` and turns it
/// into a tile program, as the pipeline does.
llvm::Error makeTileProgram(mlir::ModuleOp module, MaskTiles tiles);

/// How the tiles of a case are visited, by evaluating its tile program:
/// [batch, heads, queries, keys] with a Visit at [.., first query of the block,
/// number of the run].
llvm::Expected<SpecTensor> getVisits(SpecCase &spec, MaskTiles tiles);

/// Whether each pair is kept, [batch, heads, queries, keys], by the Reference;
/// for a case after showPairs().
SpecTensor getKept(SpecCase &spec);

struct VisitCounts {
  int64_t tiles = 0;
  int64_t skipped = 0;
  int64_t full = 0;
  int64_t needless = 0; ///< visited though no pair is kept
  int64_t missed = 0;   ///< partial though all pairs are kept

  VisitCounts &operator+=(const VisitCounts &other);
};

/// Compares visits with the pairs kept. `error` says what is unsound.
VisitCounts compareVisits(SpecCase &spec, const SpecTensor &visits,
                          const SpecTensor &kept, MaskTiles tiles,
                          std::string &error);

} // namespace rapt::testing

#endif // RAPT_TEST_UNIT_MASKVISITS_H
