// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// An explanation as one page that loads nothing.

#ifndef RAPT_TOOLS_RAPT_EXPLAINPAGE_H
#define RAPT_TOOLS_RAPT_EXPLAINPAGE_H

#include "tools/rapt/Explanation.h"
#include "tools/rapt/MaskPicture.h"

namespace rapt::tool {

/// HTML: what printText says, the pictures of the loops on a canvas that zooms,
/// and the roofline. Pictures with much code get larger cells.
std::string makePage(const Explanation &explanation,
                     std::vector<MaskPicture> pictures);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_EXPLAINPAGE_H
