// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CudaHeaderText.h"

namespace rapt {

// The driver is opened when it runs, so that a program that includes this is
// built without CUDA, and may include cuda.h or not. What it does is what
// lib/Runtime/CudaModule.cpp and lib/Compiler/CudaPlan.cpp do.
const llvm::StringLiteral cudaHeaderText =
    R"(/** Tensors of one call, in the memory of a GPU. Addresses are those of the first
 * elements, strides are in elements and not negative. The same axis has the same
 * size in all tensors and heads is a multiple of the other axes of heads; nothing
 * is checked. Results share no memory with other tensors.$LSE */
typedef struct $N_args {
$MEMBERS} $N_args;

/*
 * A program links the object beside this header and, with an older C library,
 * libdl. It makes a CUDA context current, and then
 *
 *   $N_kernels kernels;   the code in this context, once
 *   $N_plan_of_call plan; once for all calls with the same sizes
 *   if ($N_load(&kernels) || $N_prepare(&plan, &kernels, &args)) ...
 *   $N_start(&plan, &args, stream);  any number of times
 *   $N_release(&plan);
 *   $N_unload(&kernels);
 *
 * Functions that return int give 0, a CUresult, or one of the numbers below;
 * $N_explain() has a text for each.
 */
enum {
  $N_no_driver = -1, /* there is no libcuda.so.1 of CUDA 12.0 or later */
  $N_no_memory = -2, /* of the host */
  $N_too_large = -3  /* more blocks than one launch may have */
};

enum { $N_launches = $LAUNCHES };

/* What the object has: the code of the GPU, and how a call is planned. */
extern const unsigned char $N_cubin[];
int64_t $N_workspace(const $N_args *args);
int64_t $N_plan(const $N_args *args, void *workspace, int64_t bytes);
int64_t $N_launch(const $N_args *args, const void *workspace,
                  int64_t device_workspace, int64_t launch, int64_t *words);

/* One kernel of a call. */
typedef struct $N_kernel {
  const char *name;
  unsigned threads, shared_bytes;
  int maps; /* for the copy engine, the last words of a launch */
} $N_kernel;

static inline const $N_kernel *$N_get_kernel(int launch) {
  static const $N_kernel kernels[] = {
$KERNELS  };
  return &kernels[launch];
}

typedef struct $N_kernels {
  void *driver, *module, *functions[$N_launches];
  int (*get_error_name)(int, const char **);
  int (*module_load)(void **, const void *);
  int (*module_unload)(void *);
  int (*module_get_function)(void **, void *, const char *);
  int (*function_set_attribute)(void *, int, int);
  int (*memory_allocate)(uint64_t *, size_t);
  int (*memory_free)(uint64_t);
  int (*copy_to_device)(uint64_t, const void *, size_t);
  int (*encode_map)(void *, int, uint32_t, void *, const uint64_t *,
                    const uint64_t *, const uint32_t *, const uint32_t *, int,
                    int, int, int);
  int (*launch_kernel)(void *, unsigned, unsigned, unsigned, unsigned, unsigned,
                       unsigned, unsigned, void *, void **, void **);
} $N_kernels;

/* A planned call: its memory of the host, and the copy on the GPU. */
typedef struct $N_plan_of_call {
  const $N_kernels *kernels;
  void *memory, *workspace;
  uint64_t device;
} $N_plan_of_call;

static inline const char *$N_explain(const $N_kernels *kernels, int status) {
  const char *name = NULL;
  switch (status) {
  case 0:
    return "success";
  case $N_no_driver:
    return "there is no libcuda.so.1 of CUDA 12.0 or later";
  case $N_no_memory:
    return "not enough memory of the host";
  case $N_too_large:
    return "more blocks than one launch may have";
  }
  if (kernels->get_error_name(status, &name) != 0 || !name)
    return "unknown CUDA error";
  return name;
}

/* Functions are no objects in C: their addresses are copied. */
static inline int $N_find(void *driver, const char *name, void *function) {
  void *found = dlsym(driver, name);
  memcpy(function, &found, sizeof(found));
  return found ? 0 : $N_no_driver;
}

/** Unloads the code. No call may be under way. */
static inline void $N_unload($N_kernels *kernels) {
  if (kernels->module)
    kernels->module_unload(kernels->module);
  kernels->module = NULL;
}

/** Loads the code into the current context. */
static inline int $N_load($N_kernels *kernels) {
  const int dynamic_shared_bytes = 8;
  int status = 0, launch;
  memset(kernels, 0, sizeof(*kernels));
  kernels->driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (!kernels->driver)
    return $N_no_driver;
  if ($N_find(kernels->driver, "cuGetErrorName", &kernels->get_error_name) ||
      $N_find(kernels->driver, "cuModuleLoadData", &kernels->module_load) ||
      $N_find(kernels->driver, "cuModuleUnload", &kernels->module_unload) ||
      $N_find(kernels->driver, "cuModuleGetFunction",
              &kernels->module_get_function) ||
      $N_find(kernels->driver, "cuFuncSetAttribute",
              &kernels->function_set_attribute) ||
      $N_find(kernels->driver, "cuMemAlloc_v2", &kernels->memory_allocate) ||
      $N_find(kernels->driver, "cuMemFree_v2", &kernels->memory_free) ||
      $N_find(kernels->driver, "cuMemcpyHtoD_v2", &kernels->copy_to_device) ||
      $N_find(kernels->driver, "cuTensorMapEncodeTiled",
              &kernels->encode_map) ||
      $N_find(kernels->driver, "cuLaunchKernel", &kernels->launch_kernel))
    return $N_no_driver;
  status = kernels->module_load(&kernels->module, $N_cubin);
  for (launch = 0; status == 0 && launch < $N_launches; ++launch) {
    const $N_kernel *kernel = $N_get_kernel(launch);
    void **function = &kernels->functions[launch];
    status = kernels->module_get_function(function, kernels->module,
                                          kernel->name);
    if (status == 0)
      status = kernels->function_set_attribute(
          *function, dynamic_shared_bytes, (int)kernel->shared_bytes);
  }
  if (status != 0)
    $N_unload(kernels);
  return status;
}

/** Gives back what $N_prepare() took. */
static inline void $N_release($N_plan_of_call *plan) {
  if (plan->device)
    plan->kernels->memory_free(plan->device);
  free(plan->memory);
  memset(plan, 0, sizeof(*plan));
}

/** Plans calls with the sizes of `args`. Only sizes, strides and tensors of
 * integers are looked at, and the latter have addresses of the host's memory
 * here: a plan holds as long as these stay as they are. Takes memory, copies to
 * the GPU and waits for that. */
static inline int $N_prepare($N_plan_of_call *plan, const $N_kernels *kernels,
                             const $N_args *args) {
  int64_t needed = $N_workspace(args), bytes;
  int status;
  memset(plan, 0, sizeof(*plan));
  plan->kernels = kernels;
  do {
    free(plan->memory);
    bytes = needed;
    plan->memory = malloc((size_t)bytes + 63);
    if (!plan->memory)
      return $N_no_memory;
    plan->workspace =
        (void *)(((uintptr_t)plan->memory + 63) & ~(uintptr_t)63);
    needed = $N_plan(args, plan->workspace, bytes);
  } while (needed > bytes);
  status = kernels->memory_allocate(&plan->device, (size_t)bytes);
  if (status == 0)
    status = kernels->copy_to_device(plan->device, plan->workspace,
                                     (size_t)needed);
  if (status != 0)
    $N_release(plan);
  return status;
}

/* A map is encoded where its description stands, at a multiple of 64 bytes as
 * the driver wants it; where that refuses, the threads copy. */
static inline void $N_encode(const $N_kernels *kernels, int64_t *record) {
  uint64_t memory[16 + 8], *map, extents[5], strides[4];
  uint32_t box[5] = {1, 1, 1, 1, 1}, steps[5] = {1, 1, 1, 1, 1};
  int d;
  if (record[16] == 0)
    return;
  map = (uint64_t *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
  for (d = 0; d < 5; ++d)
    extents[d] = (uint64_t)record[1 + d];
  for (d = 0; d < 4; ++d)
    strides[d] = (uint64_t)record[6 + d];
  box[0] = (uint32_t)record[10];
  box[1] = (uint32_t)record[11];
  if (kernels->encode_map(map, (int)record[12], (uint32_t)record[16],
                          (void *)(uintptr_t)record[0], extents, strides, box,
                          steps, 0, (int)record[13], 3, 0) == 0)
    memcpy(record, map, 128);
  else
    record[16] = 0;
}

/** Starts a call with the planned sizes on a stream of the context, a CUstream
 * or NULL for the default one. Takes no memory, copies nothing and waits for
 * nothing, so that a graph can capture it. Calls with one plan take turns. */
static inline int $N_start(const $N_plan_of_call *plan, const $N_args *args,
                           void *stream) {
  enum { most_words = 4096, map_words = 24 };
  const int64_t most_blocks = 2147483647;
  int64_t words[most_words], blocks;
  void *parameters[1];
  int launch, status, map, count, axis;
  for (launch = 0; launch < $N_launches; ++launch) {
    const $N_kernel *kernel = $N_get_kernel(launch);
    count = (int)($N_launch(args, plan->workspace, (int64_t)plan->device,
                            launch, words) / 8);
    blocks = 1;
    for (axis = 0; axis < 3; ++axis) {
      if (words[axis] != 0 && blocks > most_blocks / words[axis])
        return $N_too_large;
      blocks *= words[axis];
    }
    if (blocks == 0)
      continue;
    for (map = kernel->maps; map > 0; --map)
      $N_encode(plan->kernels, words + count - map_words * map);
    parameters[0] = words;
    status = plan->kernels->launch_kernel(
        plan->kernels->functions[launch], (unsigned)blocks, 1, 1,
        kernel->threads, 1, 1, kernel->shared_bytes, stream, parameters, NULL);
    if (status != 0)
      return status;
  }
  return 0;
}
)";

} // namespace rapt
