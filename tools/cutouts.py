"""The three objects of the sample clip, cut out of pictures that come with scikit-image.

Each has an outline drawn by hand; GrabCut then finds the exact edge in a narrow band around it.
Points are x, y in pixels of the source picture.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from hodor.evaluation import Cutout

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Points = Sequence[tuple[float, float]]

_ASTRONAUT = (
    (154, 100), (153, 78), (155, 62), (164, 48), (178, 39), (190, 33), (196, 25), (212, 17),
    (232, 14), (250, 18), (268, 27), (286, 38), (296, 55), (301, 78), (300, 98), (292, 117),
    (278, 131), (272, 136), (266, 139), (262, 155), (257, 172), (270, 180), (286, 195),
    (298, 214), (304, 233), (316, 238), (330, 249), (342, 268), (348, 285), (355, 310),
    (361, 330), (364, 345), (380, 344), (402, 343), (425, 347), (450, 359), (472, 378),
    (486, 402), (493, 428), (497, 450), (500, 480), (500, 505),
    (480, 511), (420, 511), (100, 511), (50, 511), (36, 503), (28, 485), (22, 455), (20, 420),
    (19, 400), (23, 380), (26, 352), (30, 330), (37, 308), (45, 282), (58, 255), (76, 236),
    (95, 221), (108, 209), (116, 203), (113, 192), (116, 185), (123, 180), (130, 165),
    (145, 154), (165, 148), (183, 148), (181, 131), (174, 128), (170, 118), (160, 112),
)  # fmt: skip
_SAUCER = (
    (78, 215), (80, 188), (87, 164), (98, 140), (110, 121), (128, 103), (150, 86), (165, 78),
    (182, 73), (260, 60), (340, 68), (415, 107), (440, 126), (461, 153), (476, 195), (479, 225),
    (475, 258), (459, 302), (440, 330), (416, 351), (380, 373), (340, 385), (290, 390),
    (250, 387), (215, 381), (185, 371), (155, 354), (130, 334), (112, 314), (100, 296),
    (90, 274), (82, 249),
)  # fmt: skip
_CUP = (
    (173, 105), (181, 73), (203, 44), (238, 24), (283, 18), (330, 25), (372, 47), (400, 82),
    (408, 118), (401, 150), (340, 205), (240, 205), (185, 160),
)  # fmt: skip
_SPOON = (
    (394, 75), (399, 69), (408, 67), (417, 68), (424, 74), (423, 83), (418, 104), (413, 120),
    (405, 125), (403, 95),
)  # fmt: skip
_SHUTTLE = (
    (409, 1), (413, -3), (419, -3), (426, 4), (432, 16), (436, 28), (437, 42), (437, 47),
    (441, 41), (444, 42), (449, 52), (453, 62), (454, 80), (455, 120), (455, 170), (455, 212),
    (455, 232), (447, 235), (454, 240), (456, 253), (459, 259), (458, 264), (452, 267),
    (454, 273), (446, 274), (443, 268), (436, 265), (433, 260), (436, 254), (436, 236),
    (424, 238), (412, 237), (410, 248), (408, 262), (405, 268), (395, 267), (388, 262),
    (387, 257), (391, 250), (389, 243), (384, 251), (376, 263), (370, 272), (367, 270),
    (369, 258), (376, 242), (381, 230), (370, 233), (356, 225), (354, 217), (358, 205),
    (368, 193), (378, 183), (377, 170), (378, 130), (379, 115), (381, 103), (380, 95), (380, 70),
    (384, 52), (387, 43), (390, 48), (393, 60), (396, 64), (396, 45), (398, 28), (402, 14),
)  # fmt: skip


def astronaut() -> Cutout:
    """The astronaut with the helmet under her arm; cut off at the bottom, as in the picture."""
    picture = data.astronaut()  # type: ignore[no-untyped-call]
    return Cutout(picture, _refined(picture, _inside(_curve(_ASTRONAUT), picture), band=5))


def coffee() -> Cutout:
    """The cup of coffee with its saucer and spoon."""
    picture = data.coffee()  # type: ignore[no-untyped-call]
    drawn = np.zeros(picture.shape[:2], dtype=np.bool_)
    for outline in (_SAUCER, _CUP, _SPOON):
        drawn |= _inside(_curve(outline), picture)
    return Cutout(picture, _smooth(drawn))  # its shadow and the red wood would mislead GrabCut


def shuttle() -> Cutout:
    """The model of a space shuttle; the tip of its tank, which the picture cuts off, rounded."""
    above = 6
    portrait = data.astronaut()  # type: ignore[no-untyped-call]
    higher = cv2.copyMakeBorder(portrait, above, 0, 0, 0, cv2.BORDER_REPLICATE)
    picture: Picture = np.asarray(higher, dtype=np.uint8)
    drawn = _inside(np.add(_SHUTTLE, (0, above)).astype(np.float32), picture)
    return Cutout(picture, _smooth(drawn))


def _curve(points: Points) -> NDArray[np.float32]:
    """A closed smooth line (N, 2) through the points (Catmull-Rom)."""
    p = np.array(points, dtype=np.float64)
    before, after, second = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    pieces = [
        0.5 * (2 * p + (after - before) * t + (2 * before - 5 * p + 4 * after - second) * t**2
               + (3 * p - before - 3 * after + second) * t**3)
        for t in np.linspace(0, 1, 8, endpoint=False)
    ]  # fmt: skip
    return np.stack(pieces, axis=1).reshape(-1, 2).astype(np.float32)


def _inside(outline: NDArray[np.float32], picture: Picture) -> Mask:
    mask = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1, shift=4)
    return mask > 0


def _refined(picture: Picture, drawn: Mask, band: int) -> Mask:
    """The edge moved to where GrabCut sees it, at most ``band`` pixels from the drawn one."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    sure = cv2.erode(drawn.astype(np.uint8), disc, borderValue=1) > 0
    possible = cv2.dilate(drawn.astype(np.uint8), disc) > 0
    guess = np.where(drawn, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[sure], guess[~possible] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    unused = (0, 0, 1, 1)  # a rectangle, where there is no mask to start from
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, guess, unused, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)
    return _smooth((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD))


def _smooth(mask: Mask) -> Mask:
    """Without specks and notches of a pixel or two."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)
    count, parts, stats, _ = cv2.connectedComponentsWithStats((soft > 0.5).astype(np.uint8))
    largest = 1 + int(np.argmax(stats[1:count, cv2.CC_STAT_AREA]))
    return np.asarray(parts == largest)
