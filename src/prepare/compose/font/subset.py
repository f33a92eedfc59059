#!/usr/bin/env python3
"""Makes the letter's fonts from Noto fonts: python3 subset.py NotoSans-Regular.ttf NotoEmoji-Regular.ttf

Needs fonttools (4.68 made the committed files). The same sources give the same bytes.
"""

import io
import sys
from fontTools import subset
from fontTools.agl import toUnicode
from fontTools.cffLib import cffStandardStrings
from fontTools.cffLib.width import optimizeWidths
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.qu2cuPen import Qu2CuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

# What letters say by themselves, the letters of Swedish names, and the signs of addresses of all kinds.
BASE = [c for c in map(chr, range(0x20, 0x7F)) if c not in "#$*;<>[\\]^`{|}~"] + list("åäöÅÄÖéÉüÜ§–’”•…")
# Every character of WinAnsiEncoding, which is Latin-1 and the usual punctuation. The no-break space is drawn as a space.
WINANSI = [c for c in bytes(range(0x20, 0x100)).decode("cp1252", "ignore") if c not in "\u007f\u00a0\u00ad"]
# Latin Extended-A and the comma letters of Romanian, with what stands beside them in names and addresses: WinAnsiEncoding
# less its rare signs.
EXTENDED = [c for c in [*map(chr, range(0x100, 0x180)), *"ȘșȚț"] if c not in WINANSI]
FULL = [c for c in WINANSI if c not in "^`{|}~<>¡¢£¤¥¦¨©ª¬®¯±²³´µ¶·¸¹º¼½¾¿×÷ƒˆ˜†‡‰™‚‹›"] + EXTENDED
# What the slow path draws: all of Noto Sans that is Latin, Greek, Cyrillic, marks, punctuation and symbols.
WIDE = [
    *range(0x20, 0x530),
    *range(0x1AB0, 0x1B00),
    *range(0x1C80, 0x1C90),
    *range(0x1D00, 0x2070),
    *range(0x2070, 0x2400),
    *range(0x25A0, 0x2600),
    *range(0x2C60, 0x2C80),
    *range(0x2DE0, 0x2E60),
    *range(0xA640, 0xA6A0),
    *range(0xA700, 0xA800),
    *range(0xAB30, 0xAB70),
    *range(0xFB00, 0xFB07),
    *range(0xFE20, 0xFE30),
    0xFFFD,
]
KEEP = {"head", "hhea", "hmtx", "maxp", "cmap", "glyf", "loca"}


def make(source, characters, target, notdef):
    font = TTFont(source, recalcTimestamp=False)
    have = font.getBestCmap()
    wanted = [c if isinstance(c, int) else ord(c) for c in characters]
    options = subset.Options()
    options.hinting = False
    options.layout_features = []
    options.notdef_outline = notdef
    options.glyph_names = False
    options.recalc_timestamp = False
    options.drop_tables += [tag for tag in font.keys() if tag not in KEEP and tag != "GlyphOrder"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for c in wanted if c in have])
    subsetter.subset(font)
    # One Unicode cmap: (3,1), or (3,10) beside it where characters lie above the basic plane.
    tables = font["cmap"].tables
    beyond = any(max(t.cmap, default=0) > 0xFFFF for t in tables)
    font["cmap"].tables = [t for t in tables if (t.platformID, t.platEncID) in ({(3, 1), (3, 10)} if beyond else {(3, 1)})]
    out = io.BytesIO()
    font.save(out, reorderTables=None)
    with open(target, "wb") as file:
        file.write(out.getvalue())
    print(target, len(font.getGlyphOrder()), "glyphs,", len(out.getvalue()), "bytes; not in the source:",
          "".join(chr(c) for c in wanted if c not in have and c < 0x2000 and len(wanted) < 400))


# How far a cubic curve may lie from the quadratic ones that it stands for, in thousandths of the size.
TOLERANCE = 1.5
# Coordinates are multiples of this, for fewer bytes: at 600 dpi it moves nothing in text of 10 points by a quarter of a dot.
GRID = 5


def contours(glyphs, name):
    """Closed contours as lists of segments: where each begins, and the one point of a line or the three of a curve."""
    whole, cubic = DecomposingRecordingPen(glyphs), RecordingPen()
    glyphs[name].draw(whole)
    # PostScript outlines run the other way around.
    whole.replay(Qu2CuPen(cubic, TOLERANCE, all_cubic=True, reverse_direction=True))
    found = []
    for operator, points in cubic.value:
        points = [(round(x / GRID) * GRID, round(y / GRID) * GRID) for x, y in points]
        if operator == "moveTo":
            start = at = points[0]
            found.append([])
        elif operator == "closePath":
            if at != start:
                found[-1].append((at, [start]))
        elif any(point != at for point in points):
            found[-1].append((at, points))
            at = points[-1]
    return found


def outline(contours, width):
    """A charstring. A contour that ends in a line is closed without it."""
    pen = T2CharStringPen(width, None)
    for contour in contours:
        pen.moveTo(contour[0][0])
        for _, points in contour[:-1] if len(contour[-1][1]) == 1 else contour:
            (pen.lineTo if len(points) == 1 else pen.curveTo)(*points)
        pen.closePath()
    charstring = pen.getCharString()
    charstring.compile()
    return charstring


def shortest(contours, width):
    """The charstring with each contour begun where that makes it shortest by itself.

    The leftmost of such places, so that the same shape is the same bytes in every glyph, which deflates well;
    subroutines did not pay.
    """
    turned = []
    for contour in contours:
        turns = [contour[place:] + contour[:place] for place in range(len(contour))]
        turned.append(min(turns, key=lambda turn: (len(outline([turn], None).bytecode), turn[0][0])))
    return outline(turned, width)


# The names of the Adobe standard Latin characters, which WinAnsiEncoding goes by.
STANDARD = {toUnicode(name): name for name in [*cffStandardStrings[1:229], "Euro"]}


def glyph_name(c):
    """The name that WinAnsiEncoding has for a character, else one that is short when deflated."""
    return f"uni{ord(c):04X}" if c in EXTENDED else STANDARD[c]


def make_cff(source, characters, target):
    """A bare CFF font, its glyphs named as in the Adobe Glyph List. What WinAnsiEncoding lacks has codes from 0x80 on."""
    font = TTFont(source)
    assert font["head"].unitsPerEm == 1000
    have, glyphs = font.getBestCmap(), font.getGlyphSet()
    names = {glyph_name(c): have[ord(c)] for c in characters}
    # An encoding is of the first glyphs. Standard names in their order are a few ranges.
    extended = [glyph_name(c) for c in EXTENDED if c in characters]
    standard = {name: place for place, name in enumerate(cffStandardStrings)}
    order = extended + sorted(names.keys() - set(extended), key=lambda name: (standard.get(name, len(standard)), name))
    widths = {name: font["hmtx"][glyph][0] for name, glyph in names.items()}
    usual, nominal = optimizeWidths(list(widths.values()))
    charstrings = {".notdef": outline([], None)}
    for name in order:
        width = None if widths[name] == usual else widths[name] - nominal
        charstrings[name] = shortest(contours(glyphs, names[name]), width)
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", *order])
    private = {"defaultWidthX": usual, "nominalWidthX": nominal}
    builder.setupCFF("NotoSans-Regular", {}, charstrings, private)
    cff = builder.font["CFF "]
    top = cff.cff.topDictIndex[0]
    for key in ("FullName", "FamilyName", "Weight", "version", "Notice"):
        top.rawDict.pop(key, None)
    if extended:
        top.Encoding = [".notdef"] * 128 + extended + [".notdef"] * (128 - len(extended))
    out = cff.compile(builder.font)
    with open(target, "wb") as file:
        file.write(out)
    print(target, len(order) + 1, "glyphs,", len(out), "bytes")


if __name__ == "__main__":
    sans, emoji = sys.argv[1:3]
    make_cff(sans, BASE, "base.cff")
    make_cff(sans, WINANSI, "winansi.cff")
    make_cff(sans, FULL, "full.cff")
    make(sans, WIDE, "wide.ttf", True)
    make(emoji, TTFont(emoji).getBestCmap().keys(), "emoji.ttf", False)
