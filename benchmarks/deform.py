"""Deformable convolution: ours against torchvision's, forward and with the backward pass.

python benchmarks/deform.py --precision fp32 --save
"""

from collections.abc import Callable

import torch
from common import parser, show
from torchvision.ops import deform_conv2d as torchvision_deform_conv2d

from hodor.model import deform_conv2d
from hodor.profiling import medians, seconds_meter
from hodor.tracking import choose_device, choose_precision

SHAPE = (256, 64, 116)  # channels, rows, columns: F8 of a frame of 512 x 928
OFFSETS = 2.0  # pixels, their standard deviation

Convolution = Callable[..., torch.Tensor]


def theirs(
    x: torch.Tensor, offsets: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """torchvision's, which knows no bfloat16: it computes in float32, as a user of it has to."""
    full = (t.float() for t in (x, offsets, weight, bias))
    return torchvision_deform_conv2d(*full, padding=1).to(x.dtype)


def passes(convolve: Convolution, inputs: list[torch.Tensor]) -> dict[str, Callable[[], object]]:
    """The two things that are timed."""

    def forward() -> None:
        with torch.inference_mode():
            convolve(*inputs)

    def both() -> None:
        leaves = [t.detach().requires_grad_() for t in inputs]
        convolve(*leaves).float().sum().backward()

    return {"forward": forward, "forward and backward": both}


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--precision", default="fp32", help="of the map; offsets stay float32")
    options.add_argument("--device", default="auto")
    given = options.parse_args()
    device = choose_device(given.device)
    dtype = choose_precision(given.precision, device)
    c, h, w = SHAPE
    torch.manual_seed(0)
    inputs = [
        torch.randn(1, c, h, w, device=device, dtype=dtype),
        OFFSETS * torch.randn(1, 18, h, w, device=device),
        torch.randn(c, c, 3, 3, device=device) / 48,
        torch.randn(c, device=device),
    ]
    # Each gets the layout that it is fastest with; in the network maps are channels-last.
    last = [t.to(memory_format=torch.channels_last) for t in inputs[:2]] + inputs[2:]
    ways = {"ours": passes(deform_conv2d, last), "torchvision": passes(theirs, inputs)}
    works = {f"{way} {name}": f for way, parts in ways.items() for name, f in parts.items()}
    seconds = medians(works, given.repeats, seconds_meter(device))
    rows = [
        {
            "pass": name,
            "ours_seconds": seconds[f"ours {name}"],
            "torchvision_seconds": seconds[f"torchvision {name}"],
            "times_as_fast": seconds[f"torchvision {name}"] / seconds[f"ours {name}"],
        }
        for name in ways["ours"]
    ]
    name = f"deform-{given.precision}-{device.type}"
    show(name, rows, device, save=given.save, precision=given.precision, shape=SHAPE)


if __name__ == "__main__":
    main()
