/* Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */

/** \file
 * The C interface of the compiler, exported by librapt.so. Objects are opaque
 * and belong to the caller, who destroys each with its own function; destroying
 * NULL does nothing. A spec or a kernel may be used by several threads at once,
 * options may not.
 *
 * Functions that can fail return a status and, if `message` is not NULL, set
 * `*message` to NULL or to a text to be freed with rapt_free(). Outputs are
 * written only on success. Strings are UTF-8 and end with a zero byte; the
 * library keeps no pointer that it is given after a call.
 *
 * Tensors of a kernel for a GPU are in the memory of that GPU, and its calls
 * wait for nothing; rapt/Kernel.h says more of them.
 */

#ifndef RAPT_C_RAPT_H
#define RAPT_C_RAPT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RAPT_EXPORT __attribute__((visibility("default")))

typedef struct rapt_spec rapt_spec;
typedef struct rapt_options rapt_options;
typedef struct rapt_kernel rapt_kernel;
typedef struct rapt_plan rapt_plan;

typedef enum rapt_status {
  RAPT_OK = 0,
  RAPT_INVALID_SPEC = 1,     /**< the text, a param or an extent is wrong */
  RAPT_INVALID_ARGUMENT = 2, /**< a tensor or an option does not fit */
  RAPT_NOT_SUPPORTED = 3,    /**< correct, but not compiled by this version */
  RAPT_INPUT_OUTPUT = 4,     /**< a file cannot be read or written */
  RAPT_INTERNAL = 5,         /**< a defect of the compiler */
  RAPT_DEVICE = 6            /**< no CUDA driver, no GPU, or it fails */
} rapt_status;

/** Element types as DLPack counts them: a kind and a number of bits. */
typedef enum rapt_dtype {
  RAPT_F16 = 0x0210,
  RAPT_F32 = 0x0220,
  RAPT_BF16 = 0x0410,
  RAPT_I8 = 0x0008,
  RAPT_I16 = 0x0010,
  RAPT_I32 = 0x0020,
  RAPT_I64 = 0x0040,
  RAPT_U8 = 0x0108,
  RAPT_BOOL = 0x0608 /**< one byte, 0 or 1 */
} rapt_dtype;

/** A tensor in the memory of this process or, for kernels of a GPU, of the GPU,
 * as a DLTensor describes it. */
typedef struct rapt_tensor {
  void *data;             /**< address of the first element */
  int32_t dtype;          /**< a rapt_dtype */
  int32_t rank;           /**< 0: a scalar */
  const int64_t *sizes;   /**< `rank` numbers of elements */
  const int64_t *strides; /**< in elements, 0 or more; NULL: C order, no gaps */
} rapt_tensor;

/** A tensor and the name that the spec knows it by. */
typedef struct rapt_argument {
  const char *name;
  rapt_tensor tensor;
} rapt_argument;

/** What calls of a kernel tell of the sequences of a batch; values are added
 * up. */
typedef enum rapt_sequence_form {
  RAPT_SEQUENCES = 1, /**< calls give a rapt_sequences */
  RAPT_PAGES = 2,     /**< with a `page_table` */
  RAPT_POSITIONS = 4  /**< with `query_positions` */
} rapt_sequence_form;

/** The sequences of a batch, as rapt/Sequences.h describes them; all tensors
 * are i32, and those that are not given NULL. */
typedef struct rapt_sequences {
  const rapt_tensor *query_starts;    /**< [batch + 1]: packed queries */
  const rapt_tensor *key_starts;      /**< [batch + 1]: packed keys */
  const rapt_tensor *query_lengths;   /**< [batch] */
  const rapt_tensor *key_lengths;     /**< [batch] */
  const rapt_tensor *page_table;      /**< [batch, pages of a sequence] */
  const rapt_tensor *query_positions; /**< [batch, queries] or packed */
} rapt_sequences;

/** A caller's threads. `run` calls `task(state, first, last)` for ranges that
 * together are [0, count), each item once, in any order and on any threads, and
 * returns when all are done. A task needs up to 4 MiB of stack. */
typedef struct rapt_executor {
  void (*run)(void *context, int64_t count,
              void (*task)(void *state, int64_t first, int64_t last),
              void *state);
  void *context;
} rapt_executor;

/** One call of a kernel. What is not wanted is NULL or 0. */
typedef struct rapt_call {
  const rapt_argument *arguments;
  size_t count;
  const rapt_tensor *out;          /**< not looked at by a plan */
  const rapt_tensor *lse;          /**< not looked at by a plan */
  const rapt_sequences *sequences; /**< not looked at with a plan */
  const rapt_plan *plan;           /**< one of the same kernel */
  unsigned threads;                /**< 0: one per core */
  const rapt_executor *executor;   /**< in the place of own threads */
  /** For a kernel of a GPU, the CUstream (cudaStream_t) that it runs on; NULL:
   * the default stream. */
  void *stream;
} rapt_call;

/** "0.1.0". */
RAPT_EXPORT const char *rapt_version(void);
/** Frees a text that the library returned. */
RAPT_EXPORT void rapt_free(char *text);

/** Parses a file. */
RAPT_EXPORT rapt_status rapt_spec_load(const char *path, rapt_spec **spec,
                                       char **message);
/** Parses text; `name` stands for a file in messages. */
RAPT_EXPORT rapt_status rapt_spec_parse(const char *text, const char *name,
                                        rapt_spec **spec, char **message);
RAPT_EXPORT void rapt_spec_destroy(rapt_spec *spec);

/** Options with their defaults: f32, target `host`, cache on. */
RAPT_EXPORT rapt_options *rapt_options_create(void);
RAPT_EXPORT void rapt_options_destroy(rapt_options *options);
/** Which definition of the file, if there is more than one. */
RAPT_EXPORT void rapt_options_set_definition(rapt_options *options,
                                             const char *name);
/** The value of a `param`, as it would stand in the spec. */
RAPT_EXPORT void rapt_options_set_param(rapt_options *options, const char *name,
                                        const char *value);
/** The type of q and of everything declared without one. */
RAPT_EXPORT rapt_status rapt_options_set_dtype(rapt_options *options,
                                               int32_t dtype, char **message);
/** The extent of a feature axis: `dim`, `vdim`, ... */
RAPT_EXPORT void rapt_options_set_extent(rapt_options *options,
                                         const char *axis, int64_t extent);
/** The sum of rapt_sequence_form values; 0 without sequences. */
RAPT_EXPORT void rapt_options_set_sequences(rapt_options *options, int form);
/** `host`, a name that `rapt targets` lists, or `cuda`: the NVIDIA GPU here. */
RAPT_EXPORT void rapt_options_set_target(rapt_options *options,
                                         const char *target);
/** Whether compiled kernels are kept on disk, and where; NULL: the default. */
RAPT_EXPORT void rapt_options_set_cache(rapt_options *options, int enabled,
                                        const char *directory);

/** Checks a definition and describes it as JSON: {"arguments": [{"name",
 * "dtype", "axes": [{"name", "extent", "feature"}]}], "results": [...],
 * "missing_extents": [...]}; an extent that every call has its own of is -1. */
RAPT_EXPORT rapt_status rapt_spec_describe(const rapt_spec *spec,
                                           const rapt_options *options,
                                           char **json, char **message);
/** Sets the extents of feature axes that the tensors have. With sequences only
 * these axes are looked at. */
RAPT_EXPORT rapt_status rapt_spec_infer_extents(const rapt_spec *spec,
                                                rapt_options *options,
                                                const rapt_argument *arguments,
                                                size_t count, char **message);

/** Compiles a definition, or finds it compiled in the cache. */
RAPT_EXPORT rapt_status rapt_kernel_compile(const rapt_spec *spec,
                                            const rapt_options *options,
                                            rapt_kernel **kernel,
                                            char **message);
RAPT_EXPORT void rapt_kernel_destroy(rapt_kernel *kernel);
/** The manifest: symbol, target, plan, arguments and results, as JSON. */
RAPT_EXPORT rapt_status rapt_kernel_describe(const rapt_kernel *kernel,
                                             char **json, char **message);
/** What went wrong without harm while compiling, one line each; NULL if
 * nothing did. */
RAPT_EXPORT char *rapt_kernel_warnings(const rapt_kernel *kernel);
/** The sizes [batch, heads, queries, vdim] of the output. */
RAPT_EXPORT rapt_status rapt_kernel_result_sizes(const rapt_kernel *kernel,
                                                 const rapt_argument *arguments,
                                                 size_t count, int64_t sizes[4],
                                                 char **message);
/** Computes `out` and, if it is not NULL, `lse` on `threads` threads (0: one
 * per core) and waits. Nothing is written unless every tensor fits. The calling
 * thread takes part and needs up to 4 MiB of stack. */
RAPT_EXPORT rapt_status rapt_kernel_run(const rapt_kernel *kernel,
                                        const rapt_argument *arguments,
                                        size_t count, const rapt_tensor *out,
                                        const rapt_tensor *lse,
                                        unsigned threads, char **message);
/** The same for a call with sequences, a plan or an executor. */
RAPT_EXPORT rapt_status rapt_kernel_call(const rapt_kernel *kernel,
                                         const rapt_call *call, char **message);
/** The `*rank` sizes of the output of a call. */
RAPT_EXPORT rapt_status rapt_kernel_call_sizes(const rapt_kernel *kernel,
                                               const rapt_call *call,
                                               int64_t sizes[4], int *rank,
                                               char **message);
/** Plans a call: what does not depend on the contents of tensors of floats. The
 * plan serves calls whose sizes, integer tensors and sequences are the same. It
 * may outlive the kernel; calls with one plan take turns. */
RAPT_EXPORT rapt_status rapt_kernel_plan(const rapt_kernel *kernel,
                                         const rapt_call *call,
                                         rapt_plan **plan, char **message);
RAPT_EXPORT void rapt_plan_destroy(rapt_plan *plan);

#ifdef __cplusplus
}
#endif

#endif /* RAPT_C_RAPT_H */
