"""Words in letters of three lines, to be read from some metres away.

Open it to change their shape.
"""

from __future__ import annotations

HEIGHT = 3  # lines; each character of them shows two dots, one above the other
# Five rows of three dots for each letter, row by row from the top, as octal digits.
SHAPES = {
    "A": 0o25755, "B": 0o65656, "C": 0o34443, "D": 0o65556, "E": 0o74647, "F": 0o74644, "G": 0o34553, "H": 0o55755,
    "I": 0o72227, "J": 0o11152, "K": 0o55655, "L": 0o44447, "M": 0o57755, "N": 0o65555, "O": 0o25552, "P": 0o65644,
    "Q": 0o25563, "R": 0o65655, "S": 0o34216, "T": 0o72222, "U": 0o55557, "V": 0o55552, "W": 0o55775, "X": 0o55255,
    "Y": 0o55222, "Z": 0o71247, "0": 0o75557, "1": 0o26227, "2": 0o61247, "3": 0o61216, "4": 0o55711, "5": 0o74616,
    "6": 0o34757, "7": 0o71244, "8": 0o75757, "9": 0o75716, "-": 0o00700, "_": 0o00007, ".": 0o00002, " ": 0o00000,
    "/": 0o11244, "+": 0o02720,
}  # fmt: skip
DOTS = " ▀▄█"  # none, the upper one, the lower one, both


def large(word: str, width: int) -> list[str]:
    """The lines of a word; none where it has other letters, or is too wide.

    >>> print("\\n".join(line.rstrip() for line in large("hi", 20)))
    █ █ ▀█▀
    █▀█  █
    ▀ ▀ ▀▀▀
    """
    known = [SHAPES.get(letter) for letter in word.upper()]
    if not word or None in known or 4 * len(word) - 1 > width:
        return []
    rows = [[(shape or 0) >> (3 * (4 - row)) & 7 for shape in known] for row in range(5)] + [[0] * len(word)]
    return [
        " ".join(_cells(above, below) for above, below in zip(rows[2 * line], rows[2 * line + 1], strict=True))
        for line in range(HEIGHT)
    ]


def _cells(above: int, below: int) -> str:
    return "".join(DOTS[(above >> dot & 1) + 2 * (below >> dot & 1)] for dot in (2, 1, 0))
