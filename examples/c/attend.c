/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Attention from C: compiles a spec given as text, runs it on tensors whose
 * heads lie between the tokens ([batch, tokens, heads, dim], not copied), and
 * compares one row with a loop. */

#include "rapt-c/Rapt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 1, HEADS = 4, KV_HEADS = 2, LENGTH = 300, DIM = 48 };

static const char *text = "attention window {\n"
                          "  param size = 64\n"
                          "  mask = i >= j & i - j < size\n"
                          "}\n";

/* Prints the message of a failed call and leaves. */
static void expect(rapt_status status, char *message, const char *what) {
  if (status == RAPT_OK)
    return;
  fprintf(stderr, "%s: %s\n", what, message ? message : "no message");
  rapt_free(message);
  exit(1);
}

static float *make(size_t count, unsigned seed) {
  float *data = malloc(count * sizeof *data);
  if (!data)
    exit(1);
  for (size_t n = 0; n < count; ++n) {
    seed = seed * 1664525u + 1013904223u;
    data[n] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
  }
  return data;
}

/* Row i of query head h, straight from the definition. */
static float difference(const float *q, const float *k, const float *v,
                        const float *out, int h, int i, int size) {
  int g = h * KV_HEADS / HEADS;
  double weights[LENGTH], sum = 0, most = -INFINITY, worst = 0;
  int first = i - size + 1 > 0 ? i - size + 1 : 0;
  for (int j = first; j <= i; ++j) {
    double score = 0;
    for (int d = 0; d < DIM; ++d)
      score += (double)q[(i * HEADS + h) * DIM + d] *
               k[(j * KV_HEADS + g) * DIM + d];
    weights[j] = score / sqrt(DIM);
    most = fmax(most, weights[j]);
  }
  for (int j = first; j <= i; ++j)
    sum += weights[j] = exp(weights[j] - most);
  for (int d = 0; d < DIM; ++d) {
    double expected = 0;
    for (int j = first; j <= i; ++j)
      expected += weights[j] / sum * v[(j * KV_HEADS + g) * DIM + d];
    worst = fmax(worst, fabs(expected - out[(i * HEADS + h) * DIM + d]));
  }
  return (float)worst;
}

int main(void) {
  char *message = NULL;

  rapt_spec *spec = NULL;
  expect(rapt_spec_parse(text, "window.attn", &spec, &message), message,
         "parse");

  float *q = make((size_t)LENGTH * HEADS * DIM, 1);
  float *k = make((size_t)LENGTH * KV_HEADS * DIM, 2);
  float *v = make((size_t)LENGTH * KV_HEADS * DIM, 3);
  float *out = make((size_t)LENGTH * HEADS * DIM, 4);

  /* The order of the axes is [batch, heads, tokens, dim]; how they lie in
   * memory is up to the strides. */
  int64_t sizes[4] = {BATCH, HEADS, LENGTH, DIM};
  int64_t strides[4] = {LENGTH * HEADS * DIM, DIM, HEADS * DIM, 1};
  int64_t kv_sizes[4] = {BATCH, KV_HEADS, LENGTH, DIM};
  int64_t kv_strides[4] = {LENGTH * KV_HEADS * DIM, DIM, KV_HEADS * DIM, 1};
  rapt_argument arguments[] = {
      {"q", {q, RAPT_F32, 4, sizes, strides}},
      {"k", {k, RAPT_F32, 4, kv_sizes, kv_strides}},
      {"v", {v, RAPT_F32, 4, kv_sizes, kv_strides}},
  };
  rapt_tensor result = {out, RAPT_F32, 4, sizes, strides};

  rapt_options *options = rapt_options_create();
  rapt_options_set_param(options, "size", "40");
  expect(rapt_spec_infer_extents(spec, options, arguments, 3, &message),
         message, "extents");

  rapt_kernel *kernel = NULL;
  expect(rapt_kernel_compile(spec, options, &kernel, &message), message,
         "compile");
  expect(rapt_kernel_run(kernel, arguments, 3, &result, NULL, 2, &message),
         message, "run");

  float worst = 0;
  for (int h = 0; h < HEADS; ++h)
    for (int i = 0; i < LENGTH; i += 13)
      worst = fmaxf(worst, difference(q, k, v, out, h, i, 40));
  printf("largest difference from the loop: %.1e\n", worst);

  rapt_kernel_destroy(kernel);
  rapt_options_destroy(options);
  rapt_spec_destroy(spec);
  free(q), free(k), free(v), free(out);
  return worst < 1e-5f ? 0 : 1;
}
