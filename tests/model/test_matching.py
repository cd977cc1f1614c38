"""Matching: whose a place was where it was seen before, and what the refiner makes of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from hodor.errors import WeightsError
from hodor.model import (
    Hodor,
    HodorConfig,
    Prior,
    Pyramid,
    Remembered,
    inference_copy,
    matching,
    quick_matching,
    reading,
)
from hodor.model.matching import Matched, Matcher, likeliest, masks_told, places_of
from hodor.model.quick_matching import QuickMatcher
from hodor.model.tokens import Tokens

K = 10  # background channels of the network that tests make
SMALL = HodorConfig(backbone="mobilenetv2_035", channels=32, heads=4, refiner_channels=8)


NOWHERE = torch.zeros(1, 2, 2, 2)


def one_place_each(places: int) -> torch.Tensor:
    """Keys (1, C, J) of which none is like another."""
    return torch.eye(places)[None]


def sharp_matcher() -> Matcher:
    matcher = Matcher(4, 4, 4).eval()
    matcher.sharpness.data.fill_(5.0)  # e^5: each place listens to its double alone
    return matcher


def test_a_place_has_the_mask_of_the_place_that_looks_like_it() -> None:
    masks = torch.tensor([[[1.0, 0, 0.25, 0], [0, 1, 0, 0]]])  # (1, O, J)
    remembered = Remembered(one_place_each(4), masks, torch.ones_like(masks))
    turned = one_place_each(4)[..., [2, 0, 3, 1]].view(1, 4, 2, 2)
    found = sharp_matcher()(turned, NOWHERE, remembered)
    expected = masks[..., [2, 0, 3, 1]].view(1, 2, 2, 2)
    torch.testing.assert_close(found.masks, expected)
    torch.testing.assert_close(found.likeness, torch.ones(1, 1, 2, 2))
    assert found.known.tolist() == [[1, 1]]


def test_a_frame_in_which_an_object_was_not_told_does_not_count_for_it() -> None:
    keys = torch.cat([one_place_each(4), one_place_each(4)], 2)  # two frames of the same places
    masks = torch.tensor([[[1.0, 1, 0, 0, 0, 0, 0, 0]]])
    valid = torch.tensor([[[1.0, 1, 1, 1, 0, 0, 0, 0]]])
    looked_at = one_place_each(4).view(1, 4, 2, 2)
    found = sharp_matcher()(looked_at, NOWHERE, Remembered(keys, masks, valid))
    torch.testing.assert_close(found.masks.flatten(), torch.tensor([1.0, 1, 0, 0]))
    nothing = sharp_matcher()(looked_at, NOWHERE, Remembered(keys, masks, torch.zeros_like(valid)))
    assert nothing.known.tolist() == [[0]]
    assert not nothing.masks.any()


def test_a_frame_that_counts_less_has_less_to_say() -> None:
    keys = torch.cat([one_place_each(4), one_place_each(4)], 2)  # two frames of the same places
    masks = torch.tensor([[[1.0, 1, 0, 0, 1, 0, 1, 0]]])
    valid = torch.tensor([[[1.0] * 4 + [0.25] * 4]])
    looked_at = one_place_each(4).view(1, 4, 2, 2)
    found = sharp_matcher()(looked_at, NOWHERE, Remembered(keys, masks, valid))
    torch.testing.assert_close(found.masks.flatten(), torch.tensor([1.0, 0.8, 0.2, 0]))
    alone = sharp_matcher()(looked_at, NOWHERE, Remembered(keys, masks, valid.roll(2, 2) * 0.5))
    assert alone.known.tolist() == [[1]]  # it is known, however little that counts


def test_of_two_that_look_alike_the_nearer_one_counts_where_places_are_told() -> None:
    key = torch.tensor([1.0, 0, 0, 0])
    masks, both = torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1, 2)
    twins = Remembered(key.view(1, 4, 1).expand(1, 4, 2), masks, both)
    looked_at = key.view(1, 4, 1, 1).expand(1, 4, 1, 2)
    here = torch.tensor([[[[0.5, 0.5]], [[0.2, 0.9]]]])  # rows, columns
    anywhere = Matcher(4, 4, 4).eval()(looked_at, here, twins)
    torch.testing.assert_close(anywhere.masks.flatten(), torch.tensor([0.5, 0.5]))
    nearby = twins._replace(places=torch.tensor([[[0.5, 0.5], [0.2, 0.9]]]))
    found = Matcher(4, 4, 4).eval()(looked_at, here, nearby)
    torch.testing.assert_close(found.masks.flatten(), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(found.likeness, anywhere.likeness)


def test_places_of_a_whole_frame_are_told_in_its_shorter_sides() -> None:
    rows, columns = places_of((2, 4), torch.zeros(()))[0]
    assert rows.tolist() == [[0.25] * 4, [0.75] * 4]
    assert columns.tolist() == [[0.25, 0.75, 1.25, 1.75]] * 2


def test_many_places_are_compared_in_parts_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    g = torch.Generator().manual_seed(0)
    matcher = Matcher(4, 4, 8).eval()
    keys = torch.randn(2, 8, 5, 7, generator=g)
    rest = torch.rand(2, 3, 11, generator=g)
    remembered = Remembered(torch.randn(2, 8, 11, generator=g), rest, (rest > 0.2).float())
    places = torch.rand(2, 2, 5, 7, generator=g)
    remembered = remembered._replace(places=torch.rand(2, 2, 11, generator=g))
    whole = matcher(keys, places, remembered)
    monkeypatch.setattr(matching, "AT_ONCE_ON_CPU", 4)
    with torch.no_grad():
        for ours, theirs in zip(matcher(keys, places, remembered), whole, strict=True):
            torch.testing.assert_close(ours, theirs.detach())


@pytest.mark.parametrize("nearby", [False, True], ids=["anywhere", "nearby"])
@pytest.mark.parametrize("told_of", [1.0, 0.6, 0.0], ids=["all told", "some told", "none told"])
@pytest.mark.parametrize("sharpness", [16.0, 45.0])
def test_on_a_cpu_in_bfloat16_matching_is_quick_and_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, sharpness: float, told_of: float, *, nearby: bool
) -> None:
    g = torch.Generator().manual_seed(0)
    network = Hodor(replace(SMALL, match_channels=16)).eval()
    assert network.matcher is not None
    network.matcher.sharpness.data.fill_(sharpness).log_()
    ready = inference_copy(network, torch.bfloat16).matcher
    assert isinstance(ready, QuickMatcher)
    normal = torch.nn.functional.normalize
    theirs = normal(torch.randn(1, 16, 96, generator=g), dim=1)
    ours = normal(theirs.view(1, 16, 8, 12) + 0.2 * torch.randn(1, 16, 8, 12, generator=g), dim=1)
    # A place says something of both objects, of one, or of none; then nobody hears it.
    valid = (torch.rand(1, 2, 96, generator=g) < told_of) * torch.tensor([1.0, 0.5])[:, None]
    masks = torch.rand(1, 2, 96, generator=g).round()
    remembered = Remembered(theirs, masks, valid)
    if nearby:
        remembered = remembered._replace(places=EVERYWHERE.flatten(2))
    with torch.inference_mode():
        exact = network.matcher(ours, EVERYWHERE, remembered)
        asked = spied(monkeypatch, quick_matching, "read_quickly")
        monkeypatch.setattr(quick_matching, "AT_ONCE_ON_CPU", 3 * 12 * 96)  # three lines at a time
        with torch.autocast("cpu", torch.bfloat16):
            quick = ready(ours.bfloat16(), EVERYWHERE.bfloat16(), remembered)
            assert len(asked) == 1
            usual = network.matcher(ours, EVERYWHERE, remembered)
    assert quick.known.equal(exact.known)
    torch.testing.assert_close(quick.likeness, exact.likeness, atol=0.01, rtol=0)
    # Scores that far apart decide alone; where two are near, bfloat16 errs by as much as ever.
    off, off_as_ever = ((one.masks - exact.masks).abs().mean() for one in (quick, usual))
    assert off <= 1.5 * off_as_ever + 0.005
    assert off < 0.03


def test_matching_is_not_quick_where_it_would_be_out_of_range_or_exactness_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Hodor(replace(SMALL, match_channels=16)).eval()
    asked = spied(monkeypatch, quick_matching, "read_quickly")
    keys = torch.nn.functional.normalize(torch.randn(2, 16, 8, 12), dim=1)
    rest = torch.ones(2, 1, 96)
    for sharpness, dtype, videos in [
        (90.0, torch.bfloat16, 1),
        (16.0, torch.float32, 1),
        (16.0, torch.bfloat16, 2),
    ]:
        assert network.matcher is not None
        network.matcher.sharpness.data.fill_(sharpness).log_()
        ready = inference_copy(network, dtype).matcher
        assert ready is not None
        told = Remembered(keys[:videos].flatten(2), rest[:videos], rest[:videos])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, dtype != torch.float32):
            found = ready(keys[:videos], EVERYWHERE.expand(videos, -1, -1, -1), told)
        torch.testing.assert_close(
            found.masks.float(), torch.ones(videos, 1, 8, 12), atol=0.01, rtol=0
        )
    assert asked == []


def spied(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """Positional arguments of all calls of a function of a module, from now on."""
    calls: list[tuple[Any, ...]] = []
    original = getattr(module, name)

    def noted(*values: Any) -> Any:
        calls.append(values)
        return original(*values)

    monkeypatch.setattr(module, name, noted)
    return calls


EVERYWHERE = places_of((8, 12), torch.zeros(()))


def scene(network: Hodor) -> tuple[torch.Tensor, Pyramid, torch.Tensor, Prior, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    image = torch.randn(1, 3, 64, 96, generator=g)
    prior = Prior(
        torch.rand(1, 2, 16, 24, generator=g),
        torch.ones(1, 2),
        torch.ones(1, 2),
        torch.zeros(1, 1, 16, 24),
    )
    with torch.no_grad():
        pyramid = network.extract(image)
        keys = network.keys(image, pyramid)
    assert keys is not None
    return image, pyramid, torch.randn(1, K + 2, 16, 24, generator=g), prior, keys


def places(keys: torch.Tensor, *, flipped: bool = False) -> Remembered:
    masks = torch.zeros(1, 2, 8, 12)
    masks[:, 0, :, :6] = 1
    masks[:, 1, :, 6:] = 1
    if flipped:
        masks = masks.flip(1)
    flat = masks.flatten(2)
    return Remembered(keys.flatten(2), flat, torch.ones_like(flat))


def test_before_training_nothing_is_corrected() -> None:
    network = Hodor(replace(SMALL, match_channels=16)).eval()
    image, pyramid, logits, prior, keys = scene(network)
    with torch.no_grad():
        found = network.refine(image, pyramid, logits, prior, keys, EVERYWHERE, [places(keys)] * 2)
    torch.testing.assert_close(found.logits, logits)


@pytest.mark.parametrize("kind", [0, 1])
def test_what_is_remembered_of_given_and_of_last_masks_counts(
    make_network: Callable[..., Hodor], kind: int
) -> None:
    network = make_network(refiner_channels=8, match_channels=16)
    image, pyramid, logits, prior, keys = scene(network)
    kinds = [places(keys), places(keys)]
    with torch.no_grad():
        straight = network.refine(image, pyramid, logits, prior, keys, EVERYWHERE, kinds).logits
        kinds[kind] = places(keys, flipped=True)
        other = network.refine(image, pyramid, logits, prior, keys, EVERYWHERE, kinds).logits
    torch.testing.assert_close(straight[:, :K], logits[:, :K], rtol=0, atol=0)
    assert (straight - other).abs().max() > 1e-3


def test_what_was_matched_with_given_masks_is_said_and_that_nothing_is_known(
    make_network: Callable[..., Hodor],
) -> None:
    network = make_network(refiner_channels=8, match_channels=16)
    image, pyramid, logits, prior, keys = scene(network)
    given = places(keys)
    valid = given.valid.clone()
    valid[:, 1] = 0
    given, last = given._replace(valid=valid), places(keys, flipped=True)
    with torch.no_grad():
        said = network.refine(image, pyramid, logits, prior, keys, EVERYWHERE, [given, last])
        read = network.matcher(keys, EVERYWHERE, given)  # type: ignore[misc]
        plain = make_network(refiner_channels=8).refine(image, pyramid, logits, prior)
    assert said.matched is not None
    known = read.masks[:, 0]
    torch.testing.assert_close(said.matched[:, 0], known)
    assert bool((said.matched[:, 1] < 0).all())
    likely = likeliest(said.matched[0])
    torch.testing.assert_close(likely[0], (known / torch.maximum(known, 1 - known))[0])
    assert bool((likely[1] == 1).all())
    assert plain.matched is None


@pytest.mark.parametrize(
    ("image", "patches"),
    [((56, 84), (4, 6)), ((256, 448), (18, 32)), ((320, 576), (18, 32)), ((576, 320), (32, 18))],
)
def test_large_images_have_no_more_tokens_than_those_of_training(
    image: tuple[int, int], patches: tuple[int, int]
) -> None:
    tokens = Tokens((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).eval()
    seen: list[tuple[int, ...]] = []
    tokens.body.patch_embed.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    with torch.no_grad():
        found = tokens(torch.zeros(1, 3, *image))
    assert tuple(found.shape) == (1, 384, *patches)
    assert seen == [(1, 3, patches[0] * 14, patches[1] * 14)]


def test_in_inference_on_cpus_large_images_have_fewer_tokens_than_in_training() -> None:
    tokens = Tokens((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).eval()
    images = torch.zeros(1, 3, 320, 576), torch.zeros(1, 3, 56, 84)
    tokens.prepare_for_inference()
    with torch.no_grad():
        large, small = (tokens(image) for image in images)
    assert tuple(large.shape) == (1, 384, 14, 25)
    assert tuple(small.shape) == (1, 384, 4, 6)
    # Another device, which has the time; this one computes shapes alone.
    elsewhere = tokens.to("meta")(torch.empty(1, 3, 320, 576, device="meta"))
    assert tuple(elsewhere.shape) == (1, 384, 18, 32)


def test_keys_have_length_one_with_and_without_tokens() -> None:
    network = Hodor(replace(SMALL, match_channels=16, tokens="dinov2_small")).eval()
    keys = scene(network)[-1]
    assert keys.shape == (1, 32, 8, 12)
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(1, 8, 12))
    plain = scene(Hodor(replace(SMALL, match_channels=16)).eval())[-1]
    assert plain.shape == (1, 16, 8, 12)
    torch.testing.assert_close(plain.norm(dim=1), torch.ones(1, 8, 12))


def test_what_a_place_means_has_its_share_in_the_keys() -> None:
    network = Hodor(replace(SMALL, match_channels=16, tokens="dinov2_small")).eval()
    assert network.matcher is not None
    network.matcher.share.data.fill_(-30.0)
    assert scene(network)[-1][:, 16:].abs().max() < 1e-5
    network.matcher.share.data.fill_(30.0)
    assert scene(network)[-1][:, :16].abs().max() < 1e-5


@pytest.mark.parametrize(
    "fields",
    [
        {"match_channels": 8},
        {"match_channels": -1, "refiner_channels": 8},
        {"tokens": "dinov2_small"},
        {"tokens": "dinov3", "match_channels": 8, "refiner_channels": 8},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="config: "):
        HodorConfig(**fields)  # type: ignore[arg-type]


def test_of_objects_that_look_the_same_each_is_as_likely_as_the_others() -> None:
    masks = torch.zeros(1, 4, 1, 2)
    masks[0, :3, 0, 0] = 0.3  # three alike, a tenth for the background
    masks[0, :2, 0, 1] = torch.tensor([0.2, 0.6])
    known = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    told = masks_told(Matched(masks, known, torch.zeros(1, 1, 1, 2)))
    assert (told[0, 3] < 0).all()
    found = likeliest(told[0])
    torch.testing.assert_close(found[:, 0, 0], torch.tensor([1.0, 1.0, 1.0, 1.0]))
    torch.testing.assert_close(found[:, 0, 1], torch.tensor([1 / 3, 1.0, 0.0, 1.0]))


def test_in_use_what_a_place_means_counts_less_and_least_with_several_objects() -> None:
    network = Hodor(replace(SMALL, match_channels=16, tokens="dinov2_small")).eval()
    matcher = network.matcher
    assert matcher is not None
    matcher.sharpness.data.fill_(1.0)  # places listen to several, so that shares matter
    g = torch.Generator().manual_seed(3)
    own, meant = (
        torch.nn.functional.normalize(torch.randn(2, 16, 1, 6, generator=g), dim=1) for _ in "ab"
    )
    rest = torch.rand(2, 2, 6, generator=g)

    def keys(share: float) -> torch.Tensor:
        return torch.cat([own * (1 - share) ** 0.5, meant * share**0.5], 1)

    def found(share: float, several: torch.Tensor | None, *, learns: bool = False) -> torch.Tensor:
        matcher.share.data.fill_(share).logit_()
        told = Remembered(keys(share).flatten(2), rest, torch.ones_like(rest))
        with torch.set_grad_enabled(learns):
            return matcher(
                keys(share).flip(-1), NOWHERE[..., :1, :1].expand(2, 2, 1, 6), told, several
            ).masks.detach()

    alone, both = torch.tensor([False, True]), torch.tensor([True, True])
    torch.testing.assert_close(found(0.6, both), found(0.2, None))
    torch.testing.assert_close(found(0.6, alone)[0], found(0.35, None)[0])
    assert found(0.6, alone)[0].sub(found(0.6, None)[0]).abs().max() > 1e-3
    learned = found(0.6, alone, learns=True)
    torch.testing.assert_close(learned[0], found(0.6, None, learns=True)[0])
    torch.testing.assert_close(learned[1], found(0.2, None, learns=True)[1])
    torch.testing.assert_close(found(0.6, alone)[1], found(0.2, None)[1])
    torch.testing.assert_close(found(0.1, both), found(0.1, None))  # never more than was learned


def test_objects_are_several_where_masks_of_more_than_one_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Hodor(replace(SMALL, match_channels=16, tokens="dinov2_small")).eval()
    image, pyramid, logits, prior, keys = scene(network)
    assert network.matcher is not None
    asked: list[list[bool]] = []
    read = network.matcher.forward

    def noted(*values: Any) -> Matched:
        asked.append(values[3].tolist())
        return read(*values)

    monkeypatch.setattr(network.matcher, "forward", noted)
    given, last = places(keys), places(keys)
    first = torch.tensor([1.0, 0.0])[None, :, None]
    one, other = (
        given._replace(valid=given.valid * first),
        last._replace(valid=last.valid * (1 - first)),
    )
    with torch.no_grad():
        for told in ([given, last], [one, one], [one, other]):
            network.refine(image, pyramid, logits, prior, keys, EVERYWHERE, told)
    assert asked == [[True]] * 2 + [[False]] * 2 + [[True]] * 2


@pytest.mark.parametrize("nearby", [False, True])
@pytest.mark.parametrize("at_once", [1, 100, 10_000])
def test_gradients_by_lines_are_those_of_the_softmax(
    nearby: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", at_once)
    g = torch.Generator().manual_seed(5)
    (clips, c, y, x), j, objects = (2, 8, 5, 6), 20, 3
    matcher = Matcher(4, 4, c).double()
    ours, theirs = (
        F.normalize(torch.randn(*size, generator=g, dtype=torch.float64), dim=1).requires_grad_()
        for size in ((clips, c, y, x), (clips, c, j))
    )
    masks = torch.rand(clips, objects, j, generator=g, dtype=torch.float64)
    valid = (torch.rand(clips, objects, j, generator=g) > 0.6).double()
    places = places_of((y, x), ours).expand(clips, -1, -1, -1)
    where = torch.rand(clips, 2, j, generator=g, dtype=torch.float64) if nearby else None
    remembered = Remembered(theirs, masks, valid, where)

    sharpness = matcher.sharpness.exp()
    scores = (ours.flatten(2).transpose(1, 2) * sharpness) @ theirs
    silent = valid.amax(1, keepdim=True) == 0
    assert silent.any()
    scores = scores.masked_fill(silent, -1e4)
    likeness = scores.amax(2) / sharpness
    if where is not None:
        far = (places.flatten(2)[:, :, :, None] - where[:, :, None]).square() / (
            2 * matching.NEAR**2
        )
        scores = scores - far.clamp(max=-matching.FARTHEST).sum(1)
    weights = scores.softmax(2)
    inside = (masks * valid) @ weights.transpose(1, 2)
    exact = (inside / (valid @ weights.transpose(1, 2)).clamp(min=matching.LEAST)).view(
        clips, objects, y, x
    )

    found = matcher.read(ours, places, remembered)
    assert torch.is_grad_enabled()
    torch.testing.assert_close(found.masks, exact)
    torch.testing.assert_close(found.likeness.flatten(1), likeness)
    learned = (ours, theirs, matcher.sharpness)
    factors = torch.rand(exact.shape, generator=g, dtype=torch.float64)
    wanted = torch.autograd.grad((exact * factors).sum() + likeness.square().sum(), learned)
    got = torch.autograd.grad(
        (found.masks * factors).sum() + found.likeness.square().sum(), learned
    )
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_kept_for_the_gradients_does_not_grow_with_pairs_of_places() -> None:
    matcher = Matcher(4, 4, 8)
    keys = F.normalize(torch.randn(1, 8, 16, 24), dim=1).requires_grad_()
    j = 16 * 24
    remembered = Remembered(keys.detach().flatten(2), torch.rand(1, 1, j), torch.ones(1, 1, j))
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        matcher(keys, places_of((16, 24), keys), remembered)
    assert kept
    assert sum(kept) < j * j
