# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Pictures of `rapt explain` against its counts.

    check_picture.py svg FILE.svg FILE.json    areas of its colours, in pairs
    check_picture.py page FILE.html            loads nothing, and is well formed
    check_picture.py screen FILE.png           pixels of each colour

The mask is causal, without more tiles than pixels.
"""

import html.parser
import json
import re
import struct
import sys
import xml.etree.ElementTree
import zlib

COLOURS = {
    "#eef1f5": "empty",
    "#2f6db5": "full",
    "#f3b562": "partial",
    "#a8480b": "kept",
}
SVG = "{http://www.w3.org/2000/svg}"
RECTANGLE = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z")


def expect(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what} is {found}, expected {expected}")
    print(f"{what} is {found}")


def svg(path, counts):
    root = xml.etree.ElementTree.parse(path).getroot()
    expect("root", root.tag, SVG + "svg")
    with open(counts) as file:
        explanation = json.load(file)
    (loop,) = explanation["loops"]
    shape = explanation["shape"]
    heads = shape["batch"] * shape["heads"]
    areas = {"full": 0, "partial": 0, "kept": 0}
    for drawn in root.iter(SVG + "path"):
        text = drawn.get("d")
        area = 0
        for x, y, width, height, back in RECTANGLE.findall(text):
            expect("width", back, width)
            if int(x) + int(width) > shape["keys"]:
                raise SystemExit("a rectangle is beyond the keys")
            if int(y) + int(height) > shape["queries"]:
                raise SystemExit("a rectangle is beyond the queries")
            area += int(width) * int(height)
        expect("rest of the path", RECTANGLE.sub("", text), "")
        areas[COLOURS[drawn.get("fill")]] += area
    expect("visited", (areas["full"] + areas["partial"]) * heads, loop["visited_pairs"])
    if areas["kept"] or shape["queries"] <= 128:
        expect("kept", (areas["full"] + areas["kept"]) * heads, loop["kept_pairs"])


class Page(html.parser.HTMLParser):
    """Every tag is closed, and none loads anything."""

    VOID = {"meta", "br", "link", "img", "input"}
    LOADING = {"src", "href", "srcset", "action", "poster", "xlink:href"}

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in self.LOADING:
                raise SystemExit(f"{tag} loads {value}")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        expect("end of", tag, self.open.pop())


def page(path):
    with open(path) as file:
        text = file.read()
    for word in ("http:", "https:", "//cdn", "@import", "url(", "import(", "fetch("):
        if word in text:
            raise SystemExit(f"the page has {word}")
    places = re.findall(r"@[A-Z]+@", text)
    expect("places", places, [])
    parser = Page()
    parser.feed(text)
    expect("open tags", parser.open, [])
    data = re.search(r'type="application/json">(.*?)</script>', text, re.S).group(1)
    expect("pictures", len(json.loads(data)), 1)


def readPixels(path):
    """The rows of pixels of a .png of 8 bits a channel."""
    with open(path, "rb") as file:
        content = file.read()
    place, packed = 8, b""
    while place < len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            packed += body
        place += size + 12
    expect("depth", depth, 8)
    channels = {2: 3, 6: 4}[colour]
    raw = zlib.decompress(packed)
    stride = width * channels
    before = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind = raw[start]
        row = bytearray(raw[start + 1 : start + 1 + stride])
        for x in range(stride if kind else 0):
            a = row[x - channels] if x >= channels else 0
            b = before[x]
            c = before[x - channels] if x >= channels else 0
            if kind == 1:
                row[x] = (row[x] + a) & 255
            elif kind == 2:
                row[x] = (row[x] + b) & 255
            elif kind == 3:
                row[x] = (row[x] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
                row[x] = (row[x] + near[2]) & 255
        before = row
        yield [tuple(row[x : x + 3]) for x in range(0, stride, channels)]


def screen(path):
    names = {tuple(bytes.fromhex(text[1:])): name for text, name in COLOURS.items()}
    found = dict.fromkeys(COLOURS.values(), 0)
    for row in readPixels(path):
        for pixel in row:
            if pixel in names:
                found[names[pixel]] += 1
    print(found)
    # A causal mask: as much below the diagonal as above, with a thin border.
    if not 0.8 < found["full"] / found["empty"] < 1.2:
        raise SystemExit("the halves of the mask differ")
    if not 0 < found["partial"] < 0.2 * found["full"]:
        raise SystemExit("the diagonal is not thin")


{"svg": svg, "page": page, "screen": screen}[sys.argv[1]](*sys.argv[2:])
