// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What the host must know of a kernel on a GPU to launch it.

#ifndef RAPT_LIB_RUNTIME_DEVICEKERNEL_H
#define RAPT_LIB_RUNTIME_DEVICEKERNEL_H

#include <cstdint>
#include <string>

namespace rapt::runtime {

/// A kernel on a GPU, the code of one launch.
struct DeviceKernel {
  std::string name;
  int64_t threads = 0;     ///< of one block
  int64_t sharedBytes = 0; ///< of dynamic shared memory of one block
  /// Tensors that the copy engine may read, see lib/Support/LaunchWords.h: the
  /// last words of a launch.
  int64_t maps = 0;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_DEVICEKERNEL_H
