// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/MaskSvg.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>

using llvm::StringRef;

namespace rapt::tool {

std::string escapeMarkup(StringRef text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    case '\'':
      result += "&#39;";
      break;
    default:
      // Control characters are not part of XML.
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  return result;
}

//===----------------------------------------------------------------------===//
// The mask
//===----------------------------------------------------------------------===//

namespace {
constexpr StringRef emptyColour = "#eef1f5", fullColour = "#2f6db5",
                    partialColour = "#f3b562", keptColour = "#a8480b";

/// Rectangles of one colour, in pairs.
class RectanglePath {
public:
  void add(int64_t x, int64_t y, int64_t width, int64_t height) {
    if (width > 0 && height > 0)
      llvm::raw_string_ostream(path) << 'M' << x << ' ' << y << 'h' << width
                                     << 'v' << height << 'h' << -width << 'z';
  }
  void print(StringRef colour, llvm::raw_ostream &os) const {
    if (!path.empty())
      os << "<path fill=\"" << colour << "\" d=\"" << path << "\"/>\n";
  }

private:
  std::string path;
};
} // namespace

static void drawCells(const MaskPicture &picture, llvm::raw_ostream &os) {
  RectanglePath full, partial;
  for (int64_t row = 0; row < picture.rows; ++row) {
    int64_t y = row * picture.queriesPerCell;
    int64_t height = std::min(picture.queriesPerCell, picture.queries - y);
    for (int64_t n = picture.offsets[row]; n < picture.offsets[row + 1]; ++n) {
      const KeyRun &run = picture.runs[n];
      int64_t x = run.firstTile * picture.keysPerCell;
      int64_t end = std::min((run.firstTile + run.tiles) * picture.keysPerCell,
                             picture.keys);
      (run.isFull ? full : partial).add(x, y, end - x, height);
    }
  }
  full.print(fullColour, os);
  partial.print(partialColour, os);
}

/// The pairs kept in cells that are not full, which shows them already.
static void drawPairs(const MaskPicture &picture, llvm::raw_ostream &os) {
  RectanglePath kept;
  for (int64_t row = 0; row < picture.queries && !picture.pairs.empty();
       ++row) {
    int64_t block = row / picture.queriesPerCell;
    for (int64_t n = picture.offsets[block]; n < picture.offsets[block + 1];
         ++n) {
      const KeyRun &run = picture.runs[n];
      if (run.isFull)
        continue;
      int64_t key = run.firstTile * picture.keysPerCell;
      int64_t last = std::min((run.firstTile + run.tiles) * picture.keysPerCell,
                              picture.keys);
      auto isKept = [&](int64_t key) {
        return key < last && picture.pairs[row * picture.keys + key];
      };
      while (key < last) {
        int64_t first = key;
        while (isKept(key))
          ++key;
        kept.add(first, row, key - first, 1);
        ++key;
      }
    }
  }
  kept.print(keptColour, os);
}

std::string drawMask(const MaskPicture &picture, StringRef title) {
  constexpr double width = 640, left = 70, top = 70, right = 20, bottom = 50;
  double keys = std::max<double>(1, double(picture.keys));
  double queries = std::max<double>(1, double(picture.queries));
  double height = std::clamp(width * queries / keys, 40.0, 1280.0);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n",
      int(left + width + right), int(std::ceil(top + height + bottom)));
  os << "<title>" << escapeMarkup(title) << "</title>\n"
     << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
     << llvm::formatv("<text x=\"{0:f0}\" y=\"22\" font-size=\"15\">", left)
     << escapeMarkup(title) << "</text>\n";
  os << llvm::formatv("<rect x=\"{0}\" y=\"{1}\" width=\"{2}\" "
                      "height=\"{3:f2}\" fill=\"{4}\"/>\n",
                      left, top, width, height, emptyColour);
  os << llvm::formatv("<g transform=\"translate({0} {1}) scale({2} {3})\">\n",
                      left, top, llvm::format("%.9g", width / keys),
                      llvm::format("%.9g", height / queries));
  drawCells(picture, os);
  drawPairs(picture, os);
  os << "</g>\n";
  // Axes: where the sequences begin and end.
  auto label = [&](double x, double y, StringRef anchor, const auto &what) {
    os << llvm::formatv("<text x=\"{0:f1}\" y=\"{1:f1}\" text-anchor=\"{2}\">",
                        x, y, anchor)
       << what << "</text>\n";
  };
  double end = left + width;
  label(left, top - 8, "start", 0);
  label(left + width / 2, top - 8, "middle", "keys");
  label(end, top - 8, "end", picture.keys);
  label(left - 8, top + 12, "end", 0);
  label(left - 8, top + height / 2 + 4, "end", "queries");
  label(left - 8, top + height, "end", picture.queries);
  double x = left, y = top + height + 24;
  auto legend = [&](StringRef colour, const std::string &what) {
    os << llvm::formatv("<rect x=\"{0:f1}\" y=\"{1:f1}\" width=\"12\" "
                        "height=\"12\" fill=\"{2}\"/>\n",
                        x, y - 10, colour);
    label(x + 17, y, "start", what);
    x += 34 + 6.6 * double(what.size());
  };
  legend(fullColour, "full");
  legend(partialColour, "partial");
  if (!picture.pairs.empty())
    legend(keptColour, "pair kept in a partial tile");
  legend(emptyColour, "empty, not visited");
  label(end, y + 18, "end",
        llvm::formatv("{0} of {1} queries by {2} keys{3}",
                      picture.factor == 1 ? "tiles" : "cells",
                      picture.queriesPerCell, picture.keysPerCell,
                      picture.isListed ? ", as the kernel lists them" : "")
            .str());
  os << "</svg>\n";
  return text;
}

//===----------------------------------------------------------------------===//
// The roofline
//===----------------------------------------------------------------------===//

std::string drawRoofline(const Floor &floor) {
  double peak = floor.flopsPerSecond, bandwidth = floor.bytesPerSecond;
  if (peak <= 0 || bandwidth <= 0 || floor.flops <= 0 || floor.bytes <= 0)
    return "";
  double intensity = floor.flops / floor.bytes, ridge = peak / bandwidth;
  double reached = std::min(peak, bandwidth * intensity);
  // Whole decades around everything that is drawn.
  double low = std::floor(std::log10(std::min(intensity, ridge) / 2));
  double high = std::ceil(std::log10(std::max(intensity, ridge) * 2));
  double most = std::ceil(std::log10(peak * 1.2));
  double least = std::floor(std::log10(bandwidth) + low);
  constexpr double left = 90, top = 20, width = 460, height = 260;
  auto x = [&](double value) {
    return left + width * (std::log10(value) - low) / (high - low);
  };
  auto y = [&](double value) {
    return top + height * (most - std::log10(value)) / (most - least);
  };
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("<svg id=\"roofline\" viewBox=\"0 0 {0} {1}\" "
                      "width=\"{0}\" height=\"{1}\" font-size=\"12\">\n",
                      int(left + width + 30), int(top + height + 50));
  for (double decade = low; decade <= high; ++decade) {
    double at = x(std::pow(10, decade));
    os << llvm::formatv("<line class=\"grid\" x1=\"{0:f1}\" x2=\"{0:f1}\" "
                        "y1=\"{1:f1}\" y2=\"{2:f1}\"/><text x=\"{0:f1}\" "
                        "y=\"{3:f1}\" text-anchor=\"middle\">{4}</text>\n",
                        at, top, top + height, top + height + 16,
                        llvm::format("%g", std::pow(10, decade)));
  }
  for (double decade = least; decade <= most; ++decade) {
    double at = y(std::pow(10, decade));
    os << llvm::formatv(
        "<line class=\"grid\" x1=\"{0:f1}\" x2=\"{1:f1}\" y1=\"{2:f1}\" "
        "y2=\"{2:f1}\"/><text x=\"{3:f1}\" y=\"{4:f1}\" "
        "text-anchor=\"end\">{5}</text>\n",
        left, left + width, at, left - 6, at + 4,
        formatQuantity(std::pow(10, decade), "FLOP/s"));
  }
  os << llvm::formatv("<polyline class=\"roof\" points=\"{0:f1},{1:f1} "
                      "{2:f1},{3:f1} {4:f1},{3:f1}\"/>\n",
                      x(std::pow(10, low)), y(bandwidth * std::pow(10, low)),
                      x(ridge), y(peak), x(std::pow(10, high)));
  os << llvm::formatv(
      "<line class=\"work\" x1=\"{0:f1}\" x2=\"{0:f1}\" y1=\"{1:f1}\" "
      "y2=\"{2:f1}\"/><circle class=\"work\" cx=\"{0:f1}\" cy=\"{1:f1}\" "
      "r=\"5\"/>\n",
      x(intensity), y(reached), top + height);
  os << llvm::formatv("<text x=\"{0:f1}\" y=\"{1:f1}\" "
                      "text-anchor=\"middle\">operations for each byte: {2} "
                      "here</text>\n</svg>\n",
                      left + width / 2, top + height + 38,
                      llvm::format("%.3g", intensity));
  return text;
}

} // namespace rapt::tool
