/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Calls causal attention of a batch of sequences that was compiled ahead of
 * time, and compares it with a loop. The queries are packed; with PAGED the
 * keys lie in pages, with POSITIONS queries stand where the call says. Exits
 * with 0 if all agree and nothing is written by calls that are refused. */

#include "causal.h"
#include "describe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 4, QUERIES = 26, ROWS = 128, PAGE = 4, LONGEST = 40, DIM = 8 };
enum { PAGES = LONGEST / PAGE };

/* One sequence has no queries, one a single key for its query. */
static const int32_t query_starts[COUNT + 1] = {0, 20, 20, 21, 26};
#ifndef PAGED
static const int32_t key_starts[COUNT + 1] = {0, 40, 47, 48, 80};
#endif
static const int32_t key_lengths[COUNT] = {40, 7, 1, 32};
static int32_t positions[QUERIES], table[COUNT * PAGES];
static float q[QUERIES * DIM], k[ROWS * DIM], v[ROWS * DIM], out[QUERIES * DIM];
static float lse[QUERIES];

/* The row of a key. */
static int key_row(int n, int j) {
#ifdef PAGED
  return table[n * PAGES + j / PAGE] * PAGE + j % PAGE;
#else
  return key_starts[n] + j;
#endif
}

static double compare(void) {
  double worst = 0;
  for (int n = 0; n < COUNT; ++n)
    for (int row = query_starts[n]; row < query_starts[n + 1]; ++row) {
      int last = key_lengths[n] - (query_starts[n + 1] - row);
      double sum = 0, values[DIM] = {0};
#ifdef POSITIONS
      last = positions[row];
#endif
      for (int j = 0; j <= last && j < key_lengths[n]; ++j) {
        const float *key = k + key_row(n, j) * DIM;
        double score = 0, weight;
        for (int d = 0; d < DIM; ++d)
          score += (double)q[row * DIM + d] * key[d];
        weight = exp(score / sqrt(DIM));
        sum += weight;
        for (int d = 0; d < DIM; ++d)
          values[d] += weight * v[key_row(n, j) * DIM + d];
      }
      worst = fmax(worst, fabs(lse[row] - log(sum)));
      for (int d = 0; d < DIM; ++d)
        worst = fmax(worst, fabs(out[row * DIM + d] - values[d] / sum));
    }
  return worst;
}

/* Whether a call is refused with this message and writes nothing. */
static int is_refused(const causal_args *args,
                      const causal_sequences *sequences, const char *expected) {
  char message[200];
  memset(out, 0, sizeof(out));
  if (causal_call_sequences(args, sequences) != -2 ||
      causal_check(args, sequences, message, sizeof(message)) != -2)
    return 0;
  printf("refused: %s\n", message);
  if (strcmp(message, expected))
    return 0;
  for (int n = 0; n < QUERIES * DIM; ++n)
    if (out[n] != 0)
      return 0;
  return 1;
}

/* Two threads that take items one by one, the last ones first. */
typedef struct job {
  void (*task)(void *state, int64_t first, int64_t last);
  void *state;
  int64_t left;
  pthread_mutex_t mutex;
} job;

static void *work(void *argument) {
  job *mine = (job *)argument;
  for (;;) {
    int64_t item;
    pthread_mutex_lock(&mine->mutex);
    item = --mine->left;
    pthread_mutex_unlock(&mine->mutex);
    if (item < 0)
      return NULL;
    mine->task(mine->state, item, item + 1);
  }
}

static void run(void *context, int64_t count,
                void (*task)(void *state, int64_t first, int64_t last),
                void *state) {
  job shared;
  pthread_t other;
  ++*(int *)context;
  shared.task = task;
  shared.state = state;
  shared.left = count;
  pthread_mutex_init(&shared.mutex, NULL);
  if (pthread_create(&other, NULL, work, &shared) == 0) {
    work(&shared);
    pthread_join(other, NULL);
  } else {
    work(&shared);
  }
  pthread_mutex_destroy(&shared.mutex);
}

int main(void) {
  static float alone[QUERIES * DIM];
  int calls = 0;
  causal_executor executor;
  causal_args args;
  causal_sequences sequences;
  int32_t lengths[COUNT];
  double worst;
  memset(&args, 0, sizeof(args));
  memset(&sequences, 0, sizeof(sequences));
  for (int n = 0; n < QUERIES * DIM; ++n)
    q[n] = sinf((float)n);
  for (int n = 0; n < ROWS * DIM; ++n) {
    k[n] = cosf(3.0f * (float)n);
    v[n] = cosf(5.0f * (float)n);
  }
  for (int n = 0; n < QUERIES; ++n)
    positions[n] = (n * 7) % 31;
  for (int n = 0; n < COUNT * PAGES; ++n)
    table[n] = (n * 11 + 5) % (ROWS / PAGE);
  args.q = q;
  args.k = k;
  args.v = v;
  args.out = out;
  args.lse = lse;
  describe(args.q_sizes, args.q_strides, QUERIES, DIM);
  describe(args.k_sizes, args.k_strides, ROWS, DIM);
  describe(args.v_sizes, args.v_strides, ROWS, DIM);
  describe(args.out_sizes, args.out_strides, QUERIES, DIM);
  args.lse_sizes[0] = args.lse_sizes[1] = 1;
  args.lse_sizes[2] = QUERIES;
  args.lse_strides[0] = args.lse_strides[1] = QUERIES;
  args.lse_strides[2] = 1;
  sequences.count = COUNT;
  sequences.query_starts = query_starts;
#ifdef PAGED
  args.k_sizes[0] = args.v_sizes[0] = ROWS / PAGE;
  args.k_sizes[2] = args.v_sizes[2] = PAGE;
  args.k_strides[0] = args.v_strides[0] = PAGE * DIM;
  sequences.key_lengths = key_lengths;
  sequences.page_table = table;
  sequences.pages_of_sequence = PAGES;
#else
  sequences.key_starts = key_starts;
#endif
#ifdef POSITIONS
  sequences.query_positions = positions;
#endif
  if (causal_call_sequences(&args, &sequences))
    return 1;
  worst = compare();
  printf("largest difference from the loop: %.1e\n", worst);
  if (!(worst < 1e-5))
    return 2;

  /* The same bits on threads of our own. */
  memcpy(alone, out, sizeof(out));
  memset(out, 0, sizeof(out));
  executor.run = run;
  executor.context = &calls;
  if (causal_call_sequences_on(&args, &sequences, &executor) || calls < 2 ||
      memcmp(alone, out, sizeof(out)))
    return 5;

  memcpy(lengths, key_lengths, sizeof(lengths));
  lengths[COUNT - 1] = LONGEST + 1;
  sequences.key_lengths = lengths;
#ifdef PAGED
  if (!is_refused(&args, &sequences,
                  "'page_table' has 10 pages for each sequence, but "
                  "'key_lengths'[3] is 41, which needs 11 pages of 4 keys"))
    return 3;
#else
  if (!is_refused(&args, &sequences,
                  "'key_lengths'[3] is 41, expected 0 .. 32"))
    return 3;
#endif
#ifdef PAGED
  sequences.key_lengths = key_lengths;
  table[COUNT * PAGES - 3] = ROWS / PAGE; /* the last page of the last one */
  if (!is_refused(&args, &sequences,
                  "'page_table'[3, 7] is 32, expected 0 .. 31, a page of 'k'"))
    return 4;
#else
  {
    static const int32_t descending[COUNT + 1] = {0, 40, 30, 48, 80};
    sequences.key_lengths = NULL;
    sequences.key_starts = descending;
    if (!is_refused(&args, &sequences,
                    "'key_starts'[2] is 30, expected at least 40, element 1"))
      return 4;
  }
#endif
  return 0;
}
