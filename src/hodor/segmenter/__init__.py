"""A first mask from clicks or a box: a small promptable network, bundled, on onnxruntime alone.

Guide: ``hodor mask`` and the studio. Card: ``bundled/card.md``. Needs the extra ``[onnx]``.
"""

from hodor.segmenter.prompts import Prompts, check_box, check_point
from hodor.segmenter.segmenter import Embedding, Proposals, Segmenter

__all__ = ["Embedding", "Prompts", "Proposals", "Segmenter", "check_box", "check_point"]
