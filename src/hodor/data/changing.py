"""Objects whose parts change their look in the course of a clip, as of what turns round.

A still that is warped shows the same surface in all frames. In videos a face comes in place of
hair, a car's side in place of its front: what was never seen before, and belongs to the object
since it moves with it and lies within its outline.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from hodor.data.warp import uniform

COARSE = (5, 8)  # cells of the noise whose hills are the parts
HUE = math.pi  # either way
CONTRAST = (0.4, 1.4)
BRIGHTNESS = 0.35  # of the full range
SOFT = 0.15  # of the noise's standard deviation: how far a part's edge fades
LEAST, MOST = 0.15, 0.6  # of the frame: hills in the last frame, of which an object has its share


def change_parts(images: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Change the colours of parts of one object, more of it from frame to frame.

    Args:
        images: (T, 3, h, w) in 0..255.
        labels: (T, h, w); 0 is background.
        g: all randomness.

    Returns:
        (T, 3, h, w).
    """
    ids = torch.unique(labels[0])
    ids = ids[ids > 0]
    if len(ids) == 0 or len(images) < 2:
        return images
    own = labels == ids[int(torch.randint(len(ids), (1,), generator=g))]
    t, h, w = labels.shape
    noise = torch.randn(1, 1, *COARSE, generator=g)
    # A frame and a half, so that the hills go along with the object and never end.
    wide = F.interpolate(noise, size=(2 * h, 2 * w), mode="bicubic", align_corners=False)[0, 0]
    share = float(uniform(g, LEAST, MOST, 1))
    middle = _middle(own[0])
    parts = torch.zeros(t, 1, h, w)
    for frame in range(1, t):
        y, x = (int(m) for m in _middle(own[frame]) - middle)
        top, left = min(max(h // 2 - y, 0), h), min(max(w // 2 - x, 0), w)
        hills = wide[top : top + h, left : left + w]
        least = torch.quantile(hills.flatten()[::7], 1 - share * frame / (t - 1))
        parts[frame, 0] = torch.sigmoid((hills - least) / SOFT) * own[frame]
    return images + (_recoloured(images, g) - images) * parts


def _middle(mask: Tensor) -> Tensor:
    """Row and column of the middle of a mask (h, w); of the frame, if it is empty."""
    places = mask.nonzero().float()
    return places.mean(0) if len(places) else torch.tensor(mask.shape) / 2


def _recoloured(images: Tensor, g: torch.Generator) -> Tensor:
    """All of the images in other colours: hue turned, channels brighter or darker each."""
    angle = float(uniform(g, -HUE, HUE, 1))
    cos, sin = math.cos(angle), math.sin(angle)
    third, root = (1 - cos) / 3, sin / math.sqrt(3)
    # A turn about the grey axis.
    a, b, c = cos + third, third - root, third + root
    turn = torch.tensor([[a, b, c], [c, a, b], [b, c, a]]) * float(uniform(g, *CONTRAST, 1))
    offset = uniform(g, -1, 1, 3, 1, 1) * BRIGHTNESS * 255
    middle = images.mean((1, 2, 3), keepdim=True)
    turned = torch.einsum("dc,tchw->tdhw", turn, images - middle)
    return (turned + middle + offset).clamp(0, 255)
