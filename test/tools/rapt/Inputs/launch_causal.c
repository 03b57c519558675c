/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Causal attention of the header that `rapt compile --target=sm_90a` has made,
 * with the context and the memory of the caller. */

#include "causal.h"
#include <stdio.h>

enum { heads = 2, tokens = 300, dim = 64 };

static void *findFunction(const char *name) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  return driver ? dlsym(driver, name) : NULL;
}

static int fail(const causal_kernels *kernels, const char *what, int status) {
  printf("%s: %s\n", what, causal_explain(kernels, status));
  return 1;
}

/* A tensor without gaps [1, heads, tokens, columns]. */
static void describe(int64_t *sizes, int64_t *strides) {
  sizes[0] = 1;
  sizes[1] = heads;
  sizes[2] = tokens;
  sizes[3] = dim;
  strides[3] = 1;
  strides[2] = dim;
  strides[1] = tokens * dim;
  strides[0] = heads * tokens * dim;
}

int main(void) {
  int (*init)(unsigned), (*retain)(void **, int), (*push)(void *);
  void *functions[3], *context = NULL;
  uint64_t memory[4];
  causal_kernels kernels;
  causal_plan_of_call plan;
  causal_args args;
  int n, status;

  functions[0] = findFunction("cuInit");
  functions[1] = findFunction("cuDevicePrimaryCtxRetain");
  functions[2] = findFunction("cuCtxPushCurrent_v2");
  if (functions[0]) {
    memcpy(&init, &functions[0], sizeof(init));
    memcpy(&retain, &functions[1], sizeof(retain));
    memcpy(&push, &functions[2], sizeof(push));
    if (init(0) || retain(&context, 0) || push(context))
      return printf("no context\n");
  }
  if ((status = causal_load(&kernels)))
    return fail(&kernels, "load", status);
  for (n = 0; n < 4; ++n)
    if ((status =
             kernels.memory_allocate(&memory[n], heads * tokens * dim * 2)))
      return fail(&kernels, "memory", status);
  memset(&args, 0, sizeof(args)); /* no lse */
  args.q = (void *)(uintptr_t)memory[0];
  args.k = (void *)(uintptr_t)memory[1];
  args.v = (void *)(uintptr_t)memory[2];
  args.out = (void *)(uintptr_t)memory[3];
  describe(args.q_sizes, args.q_strides);
  describe(args.k_sizes, args.k_strides);
  describe(args.v_sizes, args.v_strides);
  describe(args.out_sizes, args.out_strides);
  if ((status = causal_prepare(&plan, &kernels, &args)))
    return fail(&kernels, "prepare", status);
  for (n = 0; n < 2; ++n)
    if ((status = causal_start(&plan, &args, NULL)))
      return fail(&kernels, "start", status);
  causal_release(&plan);
  for (n = 0; n < 4; ++n)
    kernels.memory_free(memory[n]);
  causal_unload(&kernels);
  printf("done\n");
  return 0;
}
