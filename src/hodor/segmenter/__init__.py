"""A first mask from clicks or a box: a small promptable network, bundled, on onnxruntime alone.

    first_masks(frame, {1: Prompts(box=(10, 20, 300, 400))}).label_map

``bundled/card.md`` says where the network comes from. Needs the extra ``[onnx]``.
"""

from hodor.segmenter.label_maps import FirstMasks, first_masks
from hodor.segmenter.prompts import Prompts, check_box, check_point
from hodor.segmenter.segmenter import Embedding, Proposals, Segmenter
from hodor.segmenter.words import prompts_of_words

__all__ = [
    "Embedding",
    "FirstMasks",
    "Prompts",
    "Proposals",
    "Segmenter",
    "check_box",
    "check_point",
    "first_masks",
    "prompts_of_words",
]
