/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Calls causal attention that was compiled ahead of time, and compares it with
 * a loop. Exits with 0 if they agree. */

#include "causal.h"
#include "describe.h"

#include <math.h>
#include <stdio.h>

enum { QUERIES = 70, KEYS = 90, DIM = 8 };

static float q[QUERIES * DIM], k[KEYS * DIM], v[KEYS * DIM];
static float out[QUERIES * DIM], lse[QUERIES];

int main(void) {
  causal_args args = {0};
  double worst = 0;
  for (int n = 0; n < QUERIES * DIM; ++n)
    q[n] = sinf((float)n);
  for (int n = 0; n < KEYS * DIM; ++n) {
    k[n] = cosf(3.0f * (float)n);
    v[n] = cosf(5.0f * (float)n);
  }
  args.q = q;
  args.k = k;
  args.v = v;
  args.out = out;
  args.lse = lse;
  describe(args.q_sizes, args.q_strides, QUERIES, DIM);
  describe(args.k_sizes, args.k_strides, KEYS, DIM);
  describe(args.v_sizes, args.v_strides, KEYS, DIM);
  describe(args.out_sizes, args.out_strides, QUERIES, DIM);
  args.lse_sizes[0] = args.lse_sizes[1] = 1;
  args.lse_sizes[2] = QUERIES;
  args.lse_strides[0] = args.lse_strides[1] = QUERIES;
  args.lse_strides[2] = 1;
  if (causal_call(&args))
    return 1;

  for (int i = 0; i < QUERIES; ++i) {
    double sum = 0, values[DIM] = {0};
    for (int j = 0; j <= i + KEYS - QUERIES; ++j) {
      double score = 0, weight;
      for (int d = 0; d < DIM; ++d)
        score += (double)q[i * DIM + d] * k[j * DIM + d];
      weight = exp(score / sqrt(DIM));
      sum += weight;
      for (int d = 0; d < DIM; ++d)
        values[d] += weight * v[j * DIM + d];
    }
    worst = fmax(worst, fabs(lse[i] - log(sum)));
    for (int d = 0; d < DIM; ++d)
      worst = fmax(worst, fabs(out[i * DIM + d] - values[d] / sum));
  }
  printf("largest difference from the loop: %.1e\n", worst);

  /* Without lse, into the same output. */
  args.lse = NULL;
  args.lse_sizes[0] = args.lse_sizes[1] = args.lse_sizes[2] = 0;
  return !(worst < 1e-5) || causal_call(&args);
}
