"""Types that many rooms share, where a closer one cannot be said."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Json: TypeAlias = Any
"""A value of JSON or YAML: a text, number, list or object. Its reader checks which."""

JsonObject: TypeAlias = dict[str, Json]
"""An object of JSON or YAML, as it is read"""

PlainValues: TypeAlias = dict[str, object]
"""An object of JSON that is made to be written: texts, numbers, lists and objects, no more"""

AnyArray: TypeAlias = NDArray[Any]
"""An array of NumPy's with elements of whatever type"""

IdMap: TypeAlias = NDArray[np.integer[Any]]
"""(H, W): an object id for each pixel, 0 for background, in integers of any width"""

Untyped: TypeAlias = Any
"""An object of a library that states no types of its own, or keeps them to itself"""
