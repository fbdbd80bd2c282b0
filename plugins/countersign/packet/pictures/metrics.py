"""How wide a word is in Plex Sans, so that labels can be placed without a font at hand.

Advance widths in thousandths of the type size, copied from the fonts in `reports/fonts`; a test
compares them. A character that is not listed counts as one em.
"""

from typing import Final

_REGULAR: Final = {
    236: " \u00a0", 242: "'", 250: "ij", 272: ",.l", 273: "’", 284: "!", 292: ":;", 314: "|",
    317: "[]", 324: "f", 326: "·", 335: "()", 343: "{}", 351: "t", 367: "r", 383: "/\\",
    399: "-", 400: "I", 419: '"', 450: "*", 464: "z", 474: "”", 475: "“", 477: "?", 487: "s",
    492: "v", 499: "y", 501: "L", 503: "c", 507: "x", 510: "J", 527: "k", 528: "g", 534: "a",
    549: "e", 559: "F", 560: "o", 565: "_", 568: "hnu", 572: "T", 580: "Zbdpq", 581: "S",
    583: "E", 588: "–", 593: "Y", 598: "$", 600: "+0123456789<=>^`~×−≤", 606: "P", 609: "V",
    613: "X", 621: "C", 634: "K", 640: "R", 641: "A", 653: "B", 671: "D", 678: "U", 694: "&",
    695: "G", 707: "HN", 708: "OQ", 713: "#", 768: "w", 803: "…", 812: "M", 820: "→", 873: "m",
    891: "@W", 927: "%",
}  # fmt: skip
_SEMIBOLD: Final = {
    236: " \u00a0", 260: "'", 276: "ij", 292: "’", 294: "l", 298: ",.", 309: "!", 318: ":;",
    329: "[]", 337: "()", 350: "f·", 363: "{}", 374: "t", 376: "|", 393: "r", 402: "-",
    423: "I", 437: "/\\", 471: '"', 493: "?", 499: "s", 502: "z", 513: "c", 517: "“”", 521: "L",
    524: "vy", 544: "x", 545: "Jg", 556: "*", 558: "e", 559: "_a", 562: "k", 563: "o", 577: "F",
    580: "T", 588: "hnu–", 599: "Z", 600: "$+0123456789<=>E^`bdpq~×−≤", 611: "S", 632: "Y",
    638: "V", 641: "P", 642: "C", 655: "X", 656: "#", 663: "B", 664: "R", 672: "A", 678: "K",
    689: "D", 690: "U", 712: "GOQ", 713: "&", 719: "HN", 816: "M", 819: "w", 868: "…", 876: "→",
    888: "m", 899: "@", 949: "W", 960: "%",
}  # fmt: skip
WIDTHS: Final = {
    400: {character: width for width, group in _REGULAR.items() for character in group},
    600: {character: width for width, group in _SEMIBOLD.items() for character in group},
}


def width(text: str, size: float, weight: int = 400) -> float:
    """Points that the text takes at a type size; weights between 400 and 600 count as 600."""
    table = WIDTHS[400 if weight <= 400 else 600]
    return sum(table.get(character, 1000) for character in text) * size / 1000


def fit(text: str, room: float, size: float, weight: int = 400) -> str:
    """The text, cut with an ellipsis where it is wider than the room."""
    if width(text, size, weight) <= room:
        return text
    kept = text[: int(room / size * 5)]
    while kept and width(kept.rstrip() + "…", size, weight) > room:
        kept = kept[:-1]
    return kept.rstrip(" ,.;:·") + "…"


def lines(text: str, room: float, size: float, count: int) -> list[str]:
    """The text broken at blanks into at most `count` lines; the last is cut where it must be."""
    rows: list[str] = []
    rest = text.split()
    while rest and len(rows) < count - 1:
        taken = 1
        while taken < len(rest) and width(" ".join(rest[: taken + 1]), size) <= room:
            taken += 1
        rows.append(fit(" ".join(rest[:taken]), room, size))
        rest = rest[taken:]
    return [*rows, fit(" ".join(rest), room, size)] if rest else rows


def balanced(text: str, room: float, size: float, count: int) -> list[str]:
    """Like `lines`, in lines of about the same length."""
    best = lines(text, room, size, count)
    narrower = room * 0.95
    while len(best) > 1 and narrower > room / 2:
        tried = lines(text, narrower, size, count)
        if len(tried) > len(best) or any(row.endswith("…") for row in tried):
            break
        best, narrower = tried, narrower * 0.95
    return best
