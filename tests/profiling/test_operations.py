"""Counting what a step asks of the device."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from hodor.model import Hodor
from hodor.profiling import (
    BenchOptions,
    Counts,
    OperationMeter,
    Stepper,
    read_meter,
    upload_meter,
)
from hodor.weights import save_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("inference", [True, False])
def test_operations_count_and_views_do_not(inference: bool) -> None:
    x = torch.zeros(4, 6)
    with torch.inference_mode(inference), OperationMeter() as meter:
        x + 1
        assert meter() == 1
        x.view(2, 12).transpose(0, 1)[1:]
        assert meter() == 1
        torch.nn.functional.linear(x, torch.zeros(3, 6)).relu_()
        assert 3 <= meter() <= 4
    x + 1
    assert meter() <= 4


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: bool(x.any()),
        lambda x: float(x[0]),
        lambda x: x.numpy(),
        lambda x: x.nonzero(),
        lambda x: x[x > 1],
        lambda x: x.masked_select(x > 1),
    ],
)
def test_each_read_of_values_counts_once(read: Callable[[torch.Tensor], object]) -> None:
    x = torch.arange(3)
    with read_meter() as meter:
        x + 1
        assert meter() == 0
        read(x)
        assert meter() == 1
    read(x)
    assert meter() == 1


def test_numbers_and_arrays_that_become_tensors_are_uploads_with_their_size() -> None:
    with upload_meter() as (count, size):
        x = torch.zeros(3) + torch.arange(3)
        assert count() == size() == 0
        torch.from_numpy(np.zeros((2, 5), np.float32))
        assert (count(), size()) == (1, 40)
        torch.tensor([1.0, 2.0])
        x.new_tensor((3.0,))
        assert (count(), size()) == (3, 52)
    torch.tensor(1)
    assert count() == 3


def test_a_step_is_counted_by_stage(make_network: Callable[..., Hodor], tmp_path: object) -> None:
    network = make_network(refiner_channels=8)
    path = tmp_path / "m.safetensors"  # type: ignore[operator]
    save_model(path, network.config, network.state_dict(), {"tracking": {"size": 64}})

    def counts(objects: int) -> dict[str, Counts]:
        options = BenchOptions(str(path), 60, 90, objects=objects, device="cpu", window=2)
        return Stepper(options).operations()

    one, many = counts(1), counts(5)
    assert {"backbone", "decoder", "refiner", "encoder", "output", "rest"} <= one.keys()
    assert one["backbone"] == many["backbone"]
    assert one["backbone"][0] > 20
    assert one["backbone"][1] == 0
    assert one["refiner"][0] == many["refiner"][0] > 5
    # The label map, how sure it is of the objects, and on processors where outlines are.
    assert sum(counts.reads for counts in many.values()) == 3
    assert sum(counts.reads for counts in one.values()) == 3
    assert sum(counts.uploads for counts in one.values()) < 10
