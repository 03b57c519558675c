// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/ExplainPage.h"
#include "tools/rapt/MaskSvg.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

using llvm::StringRef;

namespace rapt::tool {

/// tools/rapt/ExplainPage.html, with places like @TITLE@.
static constexpr StringRef page =
#include "tools/rapt/ExplainPage.html.inc"
    ;

static std::string makeRows(const Explanation &explanation) {
  std::string rows;
  for (const ExplanationLine &line : describe(explanation))
    rows += "<tr><td>" + escapeMarkup(line.label) + "</td><td>" +
            escapeMarkup(line.text) + "</td></tr>\n";
  return rows;
}

std::string makePage(const Explanation &explanation,
                     std::vector<MaskPicture> pictures) {
  // A page of some hundred kilobytes at most.
  constexpr int64_t mostNumbers = 60000;
  std::string data = "[";
  for (MaskPicture &picture : pictures) {
    auto most = mostNumbers / static_cast<int64_t>(pictures.size());
    while (getCodeLength(picture) > most &&
           (picture.rows > 1 || picture.columns > 1))
      picture = coarsen(picture, 2);
    data += (data.size() > 1 ? ",\n" : "") + encode(picture);
  }
  data += "]";
  std::string roofline = drawRoofline(explanation.floor);
  if (!roofline.empty())
    roofline = "<h2>Roofline</h2>\n" + roofline;
  std::pair<StringRef, std::string> texts[] = {
      {"TITLE", escapeMarkup("rapt explain " + explanation.spec)},
      {"SPEC", escapeMarkup(explanation.spec)},
      {"FILE", escapeMarkup(explanation.file)},
      {"LINES", makeRows(explanation)},
      {"ROOFLINE", roofline},
      {"DATA", data}};
  std::string result;
  StringRef rest = page;
  // One pass, so that nothing in a text is taken for a place.
  for (size_t at; (at = rest.find('@')) != StringRef::npos;) {
    result += rest.take_front(at);
    rest = rest.drop_front(at);
    auto *text = llvm::find_if(texts, [&](const auto &entry) {
      return rest.starts_with(("@" + entry.first + "@").str());
    });
    bool isPlace = text != std::end(texts);
    result += isPlace ? text->second : "@";
    rest = rest.drop_front(isPlace ? text->first.size() + 2 : 1);
  }
  result += rest;
  return result;
}

} // namespace rapt::tool
