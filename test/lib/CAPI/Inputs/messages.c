/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/* Calls that fail. */

#include "rapt-c/Rapt.h"

#include <stdio.h>
#include <string.h>

static char *message;

static void show(const char *what, rapt_status status) {
  printf("%s %d: %.200s\n", what, status, message ? message : "no message");
  rapt_free(message);
  message = NULL;
}

int main(void) {
  rapt_spec *spec = NULL;
  rapt_kernel *kernel = NULL;
  show("load", rapt_spec_load("/nonexistent.attn", &spec, &message));
  show("parse",
       rapt_spec_parse("attention x { mask = }", "x.attn", &spec, &message));
  if (spec || rapt_spec_parse("attention x { mask = i >= j }", "x.attn", &spec,
                              &message))
    return 1;

  rapt_options *options = rapt_options_create();
  rapt_options_set_cache(options, 0, NULL);
  show("dtype", rapt_options_set_dtype(options, RAPT_I32, &message));
  show("compile", rapt_kernel_compile(spec, options, &kernel, &message));
  char *json = NULL;
  rapt_status described = rapt_spec_describe(spec, options, &json, &message);
  message = json;
  show("describe", described);
  rapt_options_set_extent(options, "dim", 8);
  rapt_options_set_extent(options, "vdim", 8);
  rapt_options_set_target(options, "z80");
  show("target", rapt_kernel_compile(spec, options, &kernel, &message));
  rapt_options_set_target(options, NULL);
  if (kernel || rapt_kernel_compile(spec, options, &kernel, &message) ||
      rapt_kernel_warnings(kernel))
    return 1;

  float data[8] = {0};
  int64_t one[4] = {1, 1, 1, 8};
  rapt_argument argument = {NULL, {data, RAPT_F32, 4, one, NULL}};
  rapt_tensor out = {data, RAPT_F32, 4, one, NULL};
  show("no name",
       rapt_kernel_run(kernel, &argument, 1, &out, NULL, 1, &message));
  argument.name = "q";
  argument.tensor.rank = -1;
  show("rank", rapt_kernel_run(kernel, &argument, 1, &out, NULL, 1, &message));
  argument.tensor.rank = 4;
  argument.tensor.sizes = NULL;
  show("sizes", rapt_kernel_run(kernel, &argument, 1, &out, NULL, 1, &message));
  argument.tensor.sizes = one;
  show("missing",
       rapt_kernel_run(kernel, &argument, 1, &out, NULL, 1, &message));
  show("no out",
       rapt_kernel_run(kernel, &argument, 1, NULL, NULL, 1, &message));
  rapt_kernel_destroy(kernel);
  rapt_spec_destroy(spec);

  spec = NULL;
  kernel = NULL;
  if (rapt_spec_parse("attention s { state S = S + outer(k, v) "
                      "out = dot(q, S) }",
                      "s.attn", &spec, &message))
    return 1;
  show("state", rapt_kernel_compile(spec, options, &kernel, &message));
  printf("no message %d\n", rapt_kernel_compile(spec, options, &kernel, NULL));
  rapt_spec_destroy(spec);
  rapt_options_destroy(options);
  rapt_spec_destroy(NULL);
  rapt_options_destroy(NULL);
  rapt_kernel_destroy(NULL);
  return kernel != NULL;
}
