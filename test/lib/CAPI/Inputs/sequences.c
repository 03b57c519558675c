/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Three sequences of keys in pages, planned once, on an executor of our own.
 * Scores are all equal, so that a row is the mean of the values it sees. */

#include "rapt-c/Rapt.h"

#include <math.h>
#include <stdio.h>

enum { DIM = 8, SIZE = 4, PAGES = 5, TOKENS = 6 };

static char *message;
static int calls;

static void expect(rapt_status status, const char *what) {
  printf("%s %d: %.200s\n", what, status, message ? message : "no message");
  rapt_free(message);
  message = NULL;
}

static void run(void *context, int64_t count,
                void (*task)(void *state, int64_t first, int64_t last),
                void *state) {
  ++*(int *)context;
  while (count-- > 0)
    task(state, count, count + 1);
}

int main(void) {
  static float q[TOKENS][DIM], k[PAGES][SIZE][DIM], v[PAGES][SIZE][DIM];
  static float result[TOKENS][DIM], logs[TOKENS];
  /* The value of a key is its number; sequences 0 and 1 share their first page,
   * page 3. */
  int32_t starts[] = {0, 2, 5, 6}, lengths[] = {4, 7, 1};
  int32_t table[3][2] = {{3, -1}, {3, 0}, {4, -1}};
  for (int b = 0; b < 3; ++b)
    for (int j = 0; j < lengths[b]; ++j)
      for (int d = 0; d < DIM; ++d)
        v[table[b][j / SIZE]][j % SIZE][d] = (float)j;

  rapt_spec *spec = NULL;
  rapt_kernel *kernel = NULL;
  rapt_plan *plan = NULL;
  rapt_options *options = rapt_options_create();
  rapt_options_set_cache(options, 0, NULL);
  rapt_options_set_sequences(options, RAPT_SEQUENCES | RAPT_PAGES);
  expect(
      rapt_spec_parse("attention x { mask = i >= j }", NULL, &spec, &message),
      "parse");
  int64_t queries[] = {1, TOKENS, DIM}, pages[] = {PAGES, 1, SIZE, DIM};
  int64_t batch = 3, offsets = 4, places[] = {3, 2}, rows[] = {1, TOKENS};
  rapt_argument arguments[] = {{"q", {q, RAPT_F32, 3, queries, NULL}},
                               {"k", {k, RAPT_F32, 4, pages, NULL}},
                               {"v", {v, RAPT_F32, 4, pages, NULL}}};
  expect(rapt_spec_infer_extents(spec, options, arguments, 3, &message),
         "extents");
  expect(rapt_kernel_compile(spec, options, &kernel, &message), "compile");

  rapt_tensor startsTensor = {starts, RAPT_I32, 1, &offsets, NULL};
  rapt_tensor lengthsTensor = {lengths, RAPT_I32, 1, &batch, NULL};
  rapt_tensor tableTensor = {table, RAPT_I32, 2, places, NULL};
  rapt_sequences sequences = {&startsTensor,  NULL,         NULL,
                              &lengthsTensor, &tableTensor, NULL};
  rapt_tensor out = {result, RAPT_F32, 3, queries, NULL};
  rapt_tensor lse = {logs, RAPT_F32, 2, rows, NULL};
  rapt_executor executor = {run, &calls};
  rapt_call call = {arguments, 3, &out,      &lse, &sequences,
                    NULL,      0, &executor, NULL};
  int64_t sizes[4];
  int rank = 0;
  expect(rapt_kernel_call_sizes(kernel, &call, sizes, &rank, &message),
         "sizes");
  printf("rank %d: %d %d %d\n", rank, (int)sizes[0], (int)sizes[1],
         (int)sizes[2]);
  expect(rapt_kernel_plan(kernel, &call, &plan, &message), "plan");
  call.plan = plan;
  call.sequences = NULL;
  expect(rapt_kernel_call(kernel, &call, &message), "call");
  for (int n = 0; n < TOKENS; ++n)
    printf("row %d: %g of %g\n", n, result[n][DIM - 1], exp(logs[n]));
  printf("executor %s\n", calls > 0 ? "used" : "not used");

  call.plan = NULL;
  call.sequences = &sequences;
  table[1][1] = PAGES;
  expect(rapt_kernel_call(kernel, &call, &message), "page");
  tableTensor.rank = -1;
  expect(rapt_kernel_call(kernel, &call, &message), "rank");
  sequences.page_table = NULL;
  expect(rapt_kernel_call(kernel, &call, &message), "none");
  executor.run = NULL;
  expect(rapt_kernel_call(kernel, &call, &message), "executor");
  call.out = NULL;
  call.executor = NULL;
  expect(rapt_kernel_call(kernel, &call, &message), "out");
  rapt_plan_destroy(plan);
  rapt_plan_destroy(NULL);
  rapt_kernel_destroy(kernel);
  rapt_options_destroy(options);
  rapt_spec_destroy(spec);
  return 0;
}
