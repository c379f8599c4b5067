"""The steps of an adaptive converter, and how a code moves them: IMA ADPCM's, and those for other numbers of bits.

Open it for where the numbers come from.
"""

from __future__ import annotations

# IMA, Recommended Practices for Enhancing Digital Audio Compatibility in Multimedia Systems, rev. 3.00 (1992): each
# step is about 1.1 times the one before.
STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107,
    118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963,
    1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894,
    6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794,
    32767,
)  # fmt: skip
# By how many places each magnitude moves the step. 4 bits: IMA's. 2, 3 and 5: those in use with its steps (adpcm-xq,
# FFmpeg). 1 bit: after a code unlike, and like, those before it; steps × 1.1^-4 = 0.68 and × 1.1^4 = 1.46 (Jayant's
# P·Q = 1: "Adaptive Delta Modulation with a One-Bit Memory", 1970).
MOVES = {
    1: (-4, 4),
    2: (-1, 2),
    3: (-1, -1, 1, 2),
    4: (-1, -1, -1, -1, 2, 4, 6, 8),
    5: (-1, -1, -1, -1, -1, -1, -1, -1, 1, 2, 4, 6, 8, 10, 13, 16),
}
