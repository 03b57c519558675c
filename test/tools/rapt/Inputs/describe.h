/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

#ifndef RAPT_TEST_TOOLS_RAPT_INPUTS_DESCRIBE_H
#define RAPT_TEST_TOOLS_RAPT_INPUTS_DESCRIBE_H

#include <stdint.h>

/* Sizes and strides of a contiguous tensor [1, 1, rows, dim]. */
static void describe(int64_t *sizes, int64_t *strides, int64_t rows,
                     int64_t dim) {
  sizes[0] = sizes[1] = 1;
  sizes[2] = rows;
  sizes[3] = dim;
  strides[0] = strides[1] = rows * dim;
  strides[2] = dim;
  strides[3] = 1;
}

#endif
