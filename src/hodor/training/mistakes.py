"""Last masks with mistakes, as a tracker's are: what follows has to mend them.

In a clip of a few frames predictions stay good, and who learns from them alone learns to trust the
last masks. In a video of a hundred frames one leak that is carried along stays for good.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

COARSE = (5, 8)  # cells of the noise whose hills are wrong places: as large as heads and wheels
HILL = 0.5  # of its standard deviations; a third of the frame lies higher
REACH = (0.1, 0.5)  # how far from an object it may leak, in roots of its area
MISSING = 0.4  # share of mistakes by which an object loses a part, rather than gains one
SWAPPED = 0.5  # share of these in which another object gains it, where there is one


def with_mistakes(masks: Tensor, share: float) -> Tensor:
    """Masks, in a share of clips with a part that one object lost or gained.

    Args:
        masks: (B, O, y, x) of 0 and 1, at most one of them 1 at a place.
        share: of clips.

    Returns:
        (B, O, y, x), new where a clip has a mistake.
    """
    # Asked of all clips at once: a GPU is waited for once, not for each clip.
    areas = masks.flatten(2).sum(2).tolist()
    wrong = [
        _mistaken(one, own) if float(torch.rand(())) < share else one
        for one, own in zip(masks, areas, strict=True)
    ]
    return torch.stack(wrong)


def _mistaken(masks: Tensor, areas: list[float]) -> Tensor:
    """The masks (O, y, x) of one clip, of so many pixels each, with one mistake."""
    seen = [number for number, area in enumerate(areas) if area]
    if not seen:
        return masks
    number = seen[int(torch.randint(len(seen), ()))]
    own = masks[number]
    noise = torch.randn(1, 1, *COARSE, device=masks.device)
    hills = F.interpolate(noise, size=own.shape, mode="bicubic", align_corners=False)[0, 0] > HILL
    masks = masks.clone()
    if float(torch.rand(())) < MISSING:
        lost = hills & (own > 0)
        masks[number].masked_fill_(lost, 0)
        others = [one for one in seen if one != number]
        if others and float(torch.rand(())) < SWAPPED:
            masks[others[int(torch.randint(len(others), ()))]].masked_fill_(lost, 1)
        return masks
    least, most = REACH
    reach = (least + (most - least) * float(torch.rand(()))) * areas[number] ** 0.5
    gained = hills & _within(own, reach)
    masks.masked_fill_(gained, 0)
    masks[number].masked_fill_(gained, 1)
    return masks


def _within(mask: Tensor, reach: float) -> Tensor:
    """Where a mask (y, x) is at most so many pixels away, about: (y, x) bool."""
    # A square is near enough, and small steps of it are cheap.
    shrunk = F.max_pool2d(mask[None, None], 4, 4, ceil_mode=True)
    cells = max(1, round(reach / 4))
    wide = F.max_pool2d(shrunk, 2 * cells + 1, 1, cells)
    return F.interpolate(wide, scale_factor=4)[0, 0, : mask.shape[0], : mask.shape[1]] > 0
