"""What is far away in the sample clip: a blue planet before the galaxies of Hubble's deep field."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Colours = NDArray[np.float32]

_PLANET_MIDDLE = 235.0, 640.0  # x, y in the backdrop, in pixels
_PLANET_RADIUS = 300.0
_EYE_MIDDLE = 706.0, 706.0  # the disc of the retina picture
_EYE_RADIUS = 640.0  # inside its rim and the notch in it
_SUN = np.array([0.42, -0.62, 0.66], dtype=np.float32)  # from the planet: right, up, to the viewer
_CLOUD_SEED = 3
_AIR = np.array([70, 150, 255], dtype=np.float32)


def backdrop() -> NDArray[np.uint8]:
    """The whole backdrop, (872, 1000, 3) uint8 RGB; the camera pans over part of it."""
    galaxies = data.hubble_deep_field().astype(np.float32)  # type: ignore[no-untyped-call]
    sky: Colours = np.asarray(cv2.GaussianBlur(galaxies, (0, 0), 0.6) * 1.15, np.float32)
    y, x = np.mgrid[: sky.shape[0], : sky.shape[1]].astype(np.float32)
    x, y = (x - _PLANET_MIDDLE[0]) / _PLANET_RADIUS, (y - _PLANET_MIDDLE[1]) / _PLANET_RADIUS
    away = np.sqrt(x**2 + y**2)
    alpha = np.clip((1 - away) * _PLANET_RADIUS, 0, 1)[..., None]
    sky += alpha * (_planet(x, y, away) - sky) + _glow(x, y, away) * (1 - alpha)
    rounded: NDArray[np.uint8] = np.clip(np.rint(sky), 0, 255).astype(np.uint8)
    return rounded


def _planet(x: Colours, y: Colours, away: Colours) -> Colours:
    """The retina's picture spread over a ball and lit from one side."""
    up = np.sqrt(np.clip(1 - away**2, 0, 1))
    # A ball seen from afar shows its rim squeezed; the angle from its middle gives the place.
    spread = np.arccos(np.clip(up, 0, 1)) / (np.pi / 2) / np.maximum(away, 1e-3)
    u = (_EYE_MIDDLE[0] + _EYE_RADIUS * x * spread).astype(np.float32)
    v = (_EYE_MIDDLE[1] + _EYE_RADIUS * y * spread).astype(np.float32)
    eye = cv2.GaussianBlur(data.retina(), (0, 0), 1.5)  # type: ignore[no-untyped-call]
    red, green, _ = np.moveaxis(
        cv2.remap(eye, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), -1, 0
    ).astype(np.float32)
    # Red land becomes blue sea; the vessels, dark in green, stand out as darker currents.
    colours = np.stack([0.75 * green - 20, 0.35 * red + 0.75 * green - 45, red], axis=-1)
    colours += _clouds(u, v)[..., None] * (np.float32(235) - colours)
    light = np.clip(x * _SUN[0] + y * _SUN[1] + up * _SUN[2], 0, 1)
    air = (1 - up)[..., None] ** 2.5 * _AIR
    return np.asarray(light[..., None] * (np.clip(colours, 0, 255) + 0.8 * air), dtype=np.float32)


def _clouds(u: Colours, v: Colours) -> Colours:
    """How much cloud covers each place of the planet, 0..1: noise of several sizes, drawn out."""
    rng = np.random.default_rng(_CLOUD_SEED)
    side = 2 * int(_EYE_MIDDLE[0])
    sky = np.zeros((side, side), dtype=np.float32)
    for cells in (6, 12, 24, 48, 96):
        noise = rng.standard_normal((cells * 2, cells)).astype(np.float32)
        larger = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        sky += np.asarray(larger, np.float32) / cells**0.8
    sky = np.clip((sky - np.quantile(sky, 0.45)) / (3 * sky.std()), 0, 1) * 0.85
    return np.asarray(cv2.remap(sky, u, v, cv2.INTER_LINEAR), dtype=np.float32)


def _glow(x: Colours, y: Colours, away: Colours) -> Colours:
    """Light in the air above the sunny rim."""
    sunny = np.clip((x * _SUN[0] + y * _SUN[1]) / np.maximum(away, 1e-3), 0, 1)
    height = np.clip(away - 1, 0, None)
    return np.asarray((0.75 * sunny * np.exp(-height / 0.025))[..., None] * _AIR, np.float32)
