// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Pictures of `rapt explain` as SVG that needs nothing else.

#ifndef RAPT_TOOLS_RAPT_MASKSVG_H
#define RAPT_TOOLS_RAPT_MASKSVG_H

#include "tools/rapt/Explanation.h"
#include "tools/rapt/MaskPicture.h"

namespace rapt::tool {

/// Text with what XML and HTML give a meaning to replaced.
std::string escapeMarkup(llvm::StringRef text);

/// A document of some hundred pixels: classes of cells, the pairs if the
/// picture has them, axes and a legend.
std::string drawMask(const MaskPicture &picture, llvm::StringRef title);

/// Operations a second over operations for each byte, both in powers of ten:
/// what the machine can do, and where the work of the spec lies. For inside a
/// page; empty if the machine is not known or there is no work.
std::string drawRoofline(const Floor &floor);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_MASKSVG_H
