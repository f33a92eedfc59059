#!/usr/bin/env python3
"""Makes the letter's fonts from Noto fonts: python3 subset.py NotoSans-Regular.ttf NotoEmoji-Regular.ttf

Needs fonttools (4.68 made the committed files). The same sources give the same bytes.
"""

import io
import sys
from fontTools import subset
from fontTools.ttLib import TTFont

# Every character that letters say by themselves, and the letters of Swedish names.
BASE = [chr(c) for c in range(0x20, 0x7F)] + list("\u00a0åäöÅÄÖéÉüÜ§–’”•…")
# Every character of WinAnsiEncoding, which is Latin-1 and the usual punctuation.
WINANSI = [c for c in bytes(range(0x20, 0x100)).decode("cp1252", "ignore") if c not in "\u007f\u00ad"]
# Latin Extended-A beside it, and the comma letters of Romanian.
FULL = WINANSI + [chr(c) for c in range(0x100, 0x180)] + list("ȘșȚț")
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


if __name__ == "__main__":
    sans, emoji = sys.argv[1:3]
    make(sans, BASE, "base.ttf", True)
    make(sans, WINANSI, "winansi.ttf", True)
    make(sans, FULL, "full.ttf", True)
    make(sans, WIDE, "wide.ttf", True)
    make(emoji, TTFont(emoji).getBestCmap().keys(), "emoji.ttf", False)
