/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* The shapes of serving from one spec: a step of decoding, a chunk of a prompt,
 * packed sequences, the same in pages, and a tree of drafts. Every result is
 * compared with a loop. */

#include "rapt-c/Rapt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 4, KV_HEADS = 2, DIM = 16, PAGE = 8 };
enum { KEYS = 40, CHUNK = 3, SHORT = 7, TOKENS = CHUNK + 1 };

static float q[TOKENS][HEADS][DIM], out[TOKENS][HEADS][DIM];
static float k[KEYS + SHORT][KV_HEADS][DIM], v[KEYS + SHORT][KV_HEADS][DIM];
static float kPages[6][PAGE][KV_HEADS][DIM], vPages[6][PAGE][KV_HEADS][DIM];

/* Prints the message of a failed call and leaves. */
static void expect(rapt_status status, char *message) {
  if (status == RAPT_OK)
    return;
  fprintf(stderr, "serving: %s\n", message ? message : "no message");
  rapt_free(message);
  exit(1);
}

/* `nodes` is how many the largest tree has, 0 without one. */
static rapt_kernel *compile(const char *path, int form, int nodes) {
  rapt_spec *spec = NULL;
  rapt_kernel *kernel = NULL;
  rapt_options *options = rapt_options_create();
  char *message = NULL;
  rapt_options_set_extent(options, "dim", DIM);
  rapt_options_set_extent(options, "vdim", DIM);
  if (nodes)
    rapt_options_set_extent(options, "nodes", nodes);
  rapt_options_set_sequences(options, form);
  expect(rapt_spec_load(path, &spec, &message), message);
  expect(rapt_kernel_compile(spec, options, &kernel, &message), message);
  rapt_options_destroy(options);
  rapt_spec_destroy(spec);
  return kernel;
}

/* Whether a query at position i sees key j: causal, or by the tree. */
static int sees(const uint8_t (*tree)[CHUNK], int i, int j) {
  int base = KEYS - CHUNK;
  return tree ? j < base || tree[i - base][j - base] : j <= i;
}

/* The largest difference between `queries` rows of out, whose last query stands
 * at the last of `keys` keys, and a loop. */
static double compare(int query, int queries, int key, int keys,
                      const uint8_t (*tree)[CHUNK]) {
  double worst = 0;
  for (int n = 0; n < queries; ++n)
    for (int h = 0; h < HEADS; ++h) {
      int g = h * KV_HEADS / HEADS;
      double sum = 0, row[DIM] = {0};
      for (int j = 0; j < keys; ++j) {
        double score = 0;
        if (!sees(tree, keys - queries + n, j))
          continue;
        for (int d = 0; d < DIM; ++d)
          score += (double)q[query + n][h][d] * k[key + j][g][d];
        score = exp(score / sqrt(DIM));
        sum += score;
        for (int d = 0; d < DIM; ++d)
          row[d] += score * v[key + j][g][d];
      }
      for (int d = 0; d < DIM; ++d)
        worst = fmax(worst, fabs(row[d] / sum - out[query + n][h][d]));
    }
  return worst;
}

static int report(const char *what, double worst) {
  printf("%-8s largest difference from the loop: %.1e\n", what, worst);
  return !(worst < 1e-5);
}

/* A call whose rows lie as [tokens, heads, dim], seen as [1, heads, rows, dim];
 * only the addresses of the first rows and how many there are differ. */
static void attend(rapt_kernel *kernel, int query, int queries, int key,
                   int keys) {
  char *message = NULL;
  int64_t qSizes[] = {1, HEADS, queries, DIM};
  int64_t kSizes[] = {1, KV_HEADS, keys, DIM};
  int64_t qStrides[] = {0, DIM, HEADS * DIM, 1};
  int64_t kStrides[] = {0, DIM, KV_HEADS * DIM, 1};
  rapt_argument arguments[] = {{"q", {q[query], RAPT_F32, 4, qSizes, qStrides}},
                               {"k", {k[key], RAPT_F32, 4, kSizes, kStrides}},
                               {"v", {v[key], RAPT_F32, 4, kSizes, kStrides}}};
  rapt_tensor result = {out[query], RAPT_F32, 4, qSizes, qStrides};
  expect(rapt_kernel_run(kernel, arguments, 3, &result, NULL, 0, &message),
         message);
}

/* Two sequences: CHUNK queries of KEYS keys, and one of SHORT. */
static int32_t queryStarts[] = {0, CHUNK, TOKENS};
static int32_t keyStarts[] = {0, KEYS, KEYS + SHORT};
static int32_t keyLengths[] = {KEYS, SHORT};
static int32_t pageTable[2][5] = {{5, 0, 3, 1, 4}, {2, -1, -1, -1, -1}};
static const int64_t two[] = {2}, three[] = {3}, tableSizes[] = {2, 5};

static void attendSequences(rapt_kernel *kernel, int isPaged) {
  char *message = NULL;
  int64_t qSizes[] = {HEADS, TOKENS, DIM}, qStrides[] = {DIM, HEADS * DIM, 1};
  int64_t kSizes[] = {KV_HEADS, KEYS + SHORT, DIM};
  int64_t kStrides[] = {DIM, KV_HEADS * DIM, 1};
  int64_t pSizes[] = {6, KV_HEADS, PAGE, DIM};
  int64_t pStrides[] = {PAGE * KV_HEADS * DIM, DIM, KV_HEADS * DIM, 1};
  rapt_tensor result = {out, RAPT_F32, 3, qSizes, qStrides};
  rapt_tensor starts = {queryStarts, RAPT_I32, 1, three, NULL};
  rapt_tensor ofKeys = {keyStarts, RAPT_I32, 1, three, NULL};
  rapt_tensor lengths = {keyLengths, RAPT_I32, 1, two, NULL};
  rapt_tensor table = {pageTable, RAPT_I32, 2, tableSizes, NULL};
  rapt_sequences sequences = {0};
  rapt_call call = {0};
  rapt_argument packed[] = {{"q", {q, RAPT_F32, 3, qSizes, qStrides}},
                            {"k", {k, RAPT_F32, 3, kSizes, kStrides}},
                            {"v", {v, RAPT_F32, 3, kSizes, kStrides}}};
  rapt_argument paged[] = {{"q", {q, RAPT_F32, 3, qSizes, qStrides}},
                           {"k", {kPages, RAPT_F32, 4, pSizes, pStrides}},
                           {"v", {vPages, RAPT_F32, 4, pSizes, pStrides}}};
  sequences.query_starts = &starts;
  if (isPaged) {
    sequences.key_lengths = &lengths;
    sequences.page_table = &table;
  } else {
    sequences.key_starts = &ofKeys;
  }
  call.arguments = isPaged ? paged : packed;
  call.count = 3;
  call.out = &result;
  call.sequences = &sequences;
  expect(rapt_kernel_call(kernel, &call, &message), message);
}

/* Drafts behind the first KEYS - CHUNK keys: nodes 1 and 2 below node 0. */
static const uint8_t tree[CHUNK][CHUNK] = {{1, 0, 0}, {1, 1, 0}, {1, 0, 1}};

static void attendTree(rapt_kernel *kernel) {
  char *message = NULL;
  static int32_t base[] = {KEYS - CHUNK};
  int64_t one[] = {1}, nodes[] = {1, CHUNK, CHUNK};
  int64_t qSizes[] = {1, HEADS, CHUNK, DIM},
          kSizes[] = {1, KV_HEADS, KEYS, DIM};
  int64_t qStrides[] = {0, DIM, HEADS * DIM, 1};
  int64_t kStrides[] = {0, DIM, KV_HEADS * DIM, 1};
  rapt_argument arguments[] = {
      {"q", {q, RAPT_F32, 4, qSizes, qStrides}},
      {"k", {k, RAPT_F32, 4, kSizes, kStrides}},
      {"v", {v, RAPT_F32, 4, kSizes, kStrides}},
      {"base", {base, RAPT_I32, 1, one, NULL}},
      {"seen", {(void *)tree, RAPT_BOOL, 3, nodes, NULL}}};
  rapt_tensor result = {out, RAPT_F32, 4, qSizes, qStrides};
  expect(rapt_kernel_run(kernel, arguments, 5, &result, NULL, 0, &message),
         message);
}

static double compareSequences(void) {
  return fmax(compare(0, CHUNK, 0, KEYS, NULL),
              compare(CHUNK, 1, KEYS, SHORT, NULL));
}

static void fill(float *data, size_t count, unsigned seed) {
  for (size_t n = 0; n < count; ++n) {
    seed = seed * 1664525u + 1013904223u;
    data[n] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
  }
}

int main(int count, char **words) {
  const char *causal = count > 1 ? words[1] : "examples/causal.attn";
  const char *drafts = count > 2 ? words[2] : "examples/tree_bitmap.attn";
  int failures = 0;
  fill(&q[0][0][0], sizeof(q) / sizeof(float), 1);
  fill(&k[0][0][0], sizeof(k) / sizeof(float), 2);
  fill(&v[0][0][0], sizeof(v) / sizeof(float), 3);
  for (int b = 0; b < 2; ++b)
    for (int j = 0; j < keyLengths[b]; ++j) {
      int page = pageTable[b][j / PAGE];
      memcpy(kPages[page][j % PAGE], k[keyStarts[b] + j], sizeof(k[0]));
      memcpy(vPages[page][j % PAGE], v[keyStarts[b] + j], sizeof(v[0]));
    }

  rapt_kernel *plain = compile(causal, 0, 0);
  attend(plain, CHUNK, 1, KEYS, SHORT);
  failures += report("decode", compare(CHUNK, 1, KEYS, SHORT, NULL));
  attend(plain, 0, CHUNK, 0, KEYS);
  failures += report("chunk", compare(0, CHUNK, 0, KEYS, NULL));
  rapt_kernel_destroy(plain);

  rapt_kernel *packed = compile(causal, RAPT_SEQUENCES, 0);
  attendSequences(packed, 0);
  failures += report("packed", compareSequences());
  rapt_kernel_destroy(packed);
  rapt_kernel *paged = compile(causal, RAPT_SEQUENCES | RAPT_PAGES, 0);
  attendSequences(paged, 1);
  failures += report("paged", compareSequences());
  rapt_kernel_destroy(paged);

  rapt_kernel *ofTree = compile(drafts, 0, CHUNK);
  attendTree(ofTree);
  failures += report("tree", compare(0, CHUNK, 0, KEYS, tree));
  rapt_kernel_destroy(ofTree);
  return failures > 0;
}
