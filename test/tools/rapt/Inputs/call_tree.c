/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Trees of drafts that were compiled ahead of time: a bitmap that ends before
 * the last node is refused. */

#include "describe.h"
#include "tree_bitmap.h"

#include <stdio.h>
#include <string.h>

enum { COUNT = 2, NODES = 3, KEYS = 12, DIM = 8 };

int main(void) {
  static float q[COUNT * NODES * DIM], k[COUNT * KEYS * DIM],
      out[COUNT * NODES * DIM];
  static const uint8_t seen[COUNT * NODES * NODES] = {
      1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1};
  static const int32_t query_starts[] = {0, NODES, 2 * NODES};
  static const int32_t key_starts[] = {0, KEYS, 2 * KEYS};
  static int32_t base[COUNT] = {KEYS - NODES, KEYS - NODES};
  char message[200];
  tree_bitmap_args args;
  tree_bitmap_sequences sequences;
  memset(&args, 0, sizeof(args));
  memset(&sequences, 0, sizeof(sequences));
  /* Scores are all 0, and value j of a sequence is j. */
  for (int n = 0; n < COUNT * KEYS * DIM; ++n)
    k[n] = (float)(n / DIM % KEYS);
  args.q = q;
  args.k = k;
  args.v = k;
  args.out = out;
  args.base = base;
  args.seen = seen;
  describe(args.q_sizes, args.q_strides, COUNT * NODES, DIM);
  describe(args.k_sizes, args.k_strides, COUNT * KEYS, DIM);
  describe(args.v_sizes, args.v_strides, COUNT * KEYS, DIM);
  describe(args.out_sizes, args.out_strides, COUNT * NODES, DIM);
  args.base_sizes[0] = args.seen_sizes[0] = COUNT;
  args.base_strides[0] = 1;
  args.seen_sizes[1] = args.seen_sizes[2] = NODES;
  args.seen_strides[0] = NODES * NODES;
  args.seen_strides[1] = NODES;
  args.seen_strides[2] = 1;
  sequences.count = COUNT;
  sequences.query_starts = query_starts;
  sequences.key_starts = key_starts;
  if (tree_bitmap_call_sequences(&args, &sequences))
    return 1;
  /* The last node of the second sequence sees keys 0 .. 8, 10 and 11. */
  printf("last row: %.4f\n", out[(COUNT * NODES - 1) * DIM]);
  base[1] = KEYS - NODES - 1;
  if (tree_bitmap_check(&args, &sequences, message, sizeof(message)) != -2)
    return 2;
  printf("%s\n", message);
  return tree_bitmap_call_sequences(&args, &sequences) == -2 ? 0 : 3;
}
