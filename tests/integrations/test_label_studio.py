"""The backend for Label Studio, over HTTP as Label Studio calls it."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from hodor.errors import SourceError
from hodor.formats import BrushTasks, brush_region
from hodor.integrations import label_studio
from hodor.integrations.label_studio import Backend, fetcher, make_server
from hodor.model import Hodor
from hodor.tracking import Tracker
from hodor.weights import save_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CONFIG = """<View><Image name="picture" value="$photo"/>
<BrushLabels name="brush" toName="picture"><Label value="ball"/><Label value="cat"/></BrushLabels>
</View>"""

Post = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def post(
    make_tracker: Callable[..., Tracker], scene: Any, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Asks a server that reads the scene's frames as local files."""
    (tmp_path / "shots").mkdir()
    for index, frame in enumerate(scene.frames):
        Image.fromarray(frame).save(tmp_path / f"shots/{index}.png")
    backend = Backend(make_tracker(), fetcher("http://localhost:1", "secret", tmp_path))
    with make_server(backend, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def ask(path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
            data = None if content is None else json.dumps(content).encode()
            url = f"http://127.0.0.1:{server.server_port}{path}"
            request = urllib.request.Request(url, data)
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())  # type: ignore[no-any-return]

        yield ask
        server.shutdown()
        thread.join()


def task(index: int, result: list[Any] | None = None) -> dict[str, Any]:
    one: dict[str, Any] = {
        "id": index,
        "data": {"photo": f"/data/local-files/?d=shots/{index}.png"},
    }
    if result is not None:
        one["annotations"] = [{"result": result}]
    return one


def drawn(scene: Any) -> list[Any]:
    """Both objects as somebody drew them; regions have ids of Label Studio's kind."""
    return [
        brush_region(scene.labels[0] == 3, "ball", "aB3dE", tags=("brush", "picture")),
        brush_region(scene.labels[0] == 7, "cat", "xYz12", tags=("brush", "picture")),
    ]


def followed(make_tracker: Callable[..., Tracker], scene: Any) -> list[Any]:
    tracker = make_tracker()
    given = (scene.labels[0] == 3) + 2 * (scene.labels[0] == 7).astype(np.uint8)
    results = [tracker.step(scene.frames[0], given.astype(np.uint8))]
    results += [tracker.step(frame) for frame in scene.frames[1:]]
    return [result.label_map for result in results]


def label_map(prediction: dict[str, Any], size: tuple[int, int]) -> Any:
    tasks = BrushTasks([{"annotations": [prediction]}])
    found = tasks.label_map(0, size)
    return np.zeros(size, np.uint8) if found is None else found


def test_it_is_up_and_says_which_model(post: Any) -> None:
    assert post("/health")["status"] == "UP"
    setup = post("/setup", {"project": "1.2", "schema": CONFIG, "hostname": "http://h"})
    assert setup["model_version"].startswith("hodor-")


@pytest.mark.slow
def test_masks_drawn_on_one_image_are_followed_through_the_others(
    post: Any, make_tracker: Callable[..., Tracker], scene: Any
) -> None:
    order = [10, 2, 0, 1, *range(3, 10), 11]  # By name 10 comes after 9.
    tasks = [task(index, drawn(scene) if index == 0 else None) for index in order]
    answer = post("/predict", {"tasks": tasks, "project": "1.2", "label_config": CONFIG})
    assert len(answer["results"]) == len(tasks)
    wanted = followed(make_tracker, scene)
    for index, prediction in zip(order, answer["results"], strict=True):
        np.testing.assert_array_equal(
            label_map(prediction, wanted[0].shape), wanted[index], err_msg=str(index)
        )
        for region in prediction["result"]:
            assert (region["from_name"], region["to_name"]) == ("brush", "picture")
            assert region["value"]["brushlabels"] in (["ball"], ["cat"])
            assert 0 < region["score"] <= 1
        assert prediction["model_version"] == answer["model_version"]


def test_objects_of_an_earlier_request_are_looked_for(post: Any, scene: Any) -> None:
    request = {"project": "1.2", "label_config": CONFIG}
    alone = post("/predict", {"tasks": [task(5)], **request})
    assert alone["results"][0]["result"] == []
    post("/predict", {"tasks": [task(0, drawn(scene))], **request})
    again = post("/predict", {"tasks": [task(0)], **request})
    labels = {region["value"]["brushlabels"][0] for region in again["results"][0]["result"]}
    assert labels
    assert labels <= {"ball", "cat"}
    other = post("/predict", {"tasks": [task(0)], "project": "2.2", "label_config": CONFIG})
    assert other["results"][0]["result"] == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"tasks": [task(0)], "label_config": "<View/>"}, "no Image with BrushLabels"),
        ({"tasks": [task(99)], "label_config": CONFIG}, "cannot be read as an image"),
        ({"label_config": CONFIG}, "no request of Label Studio"),
        (
            {
                "tasks": [{"data": {"photo": "/data/local-files/?d=../../etc/passwd"}}],
                "label_config": CONFIG,
            },
            "leads out of",
        ),
    ],
)
def test_what_is_wrong_is_told_to_label_studio(
    post: Any, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as told:
        post("/predict", request_)
    assert told.value.code in (400, 422)
    assert message in json.loads(told.value.read())["detail"]


def test_the_token_goes_to_label_studio_only(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}

    def refuse(request: Any, timeout: float) -> Any:
        sent[request.full_url] = request.get_header("Authorization")
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    fetch = fetcher("http://studio:8080", "secret", None)
    for address in ("/data/upload/1/a.png", "http://elsewhere/a.png"):
        with pytest.raises(SourceError, match="no network in tests"):
            fetch(address)
    assert sent == {
        "http://studio:8080/data/upload/1/a.png": "Token secret",
        "http://elsewhere/a.png": None,
    }
    with pytest.raises(SourceError, match="no address of an image"):
        fetch("file:///etc/passwd")


@pytest.mark.parametrize("anywhere", [False, True])
def test_images_that_are_no_neighbours_are_searched_everywhere_if_asked(
    tiny_network: Hodor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anywhere: bool
) -> None:
    model = tmp_path / "near.safetensors"
    near = {"name": "near", "tracking": {"search_radius": 0.1, "crop_margin": 0.2, "window": 3}}
    save_model(model, tiny_network.config, tiny_network.state_dict(), near)
    served: list[Backend] = []

    def make_server_and_stop(backend: Backend, host: str, port: int) -> Any:
        served.append(backend)
        raise KeyboardInterrupt

    monkeypatch.setattr(label_studio, "make_server", make_server_and_stop)
    words = ["--model", str(model), "--device", "cpu", *["--anywhere"] * anywhere]
    app = typer.Typer()
    app.command()(label_studio.serve)
    CliRunner().invoke(app, words)
    options = served[0]._tracker.options
    assert (options.search_radius, options.crop_margin) == (
        (None, None) if anywhere else (0.1, 0.2)
    )
    assert options.window == 3


@pytest.mark.parametrize(
    ("length", "body", "status"),
    [
        ("99999999999", b"", 413),
        ("-1", b"", 413),
        ("many", b"", 400),
        ("200000", b"[" * 200_000, 400),
        ("1", b"3", 400),
        ("2", b"[]", 400),
        ("13", b'{"tasks": [3]', 400),
    ],
)
def test_a_request_of_another_form_or_of_any_size_is_answered_in_a_line(
    length: str, body: bytes, status: int, make_tracker: Callable[..., Tracker], tmp_path: Path
) -> None:
    backend = Backend(make_tracker(), fetcher("http://localhost:1", "", tmp_path))
    with make_server(backend, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Length", length)
        connection.endheaders(body)
        answer = connection.getresponse()
        detail = json.loads(answer.read())["detail"]
        connection.close()
        server.shutdown()
        thread.join()
    assert answer.status == status
    assert len(detail) < 500
    assert "\n" not in detail


def test_an_image_that_never_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hodor.integrations.label_studio.MOST_BYTES", 1000)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: BytesIO(b"x" * 5000))
    with pytest.raises(SourceError, match="it has more than 1,000 bytes"):
        fetcher("http://localhost:1", "", None)("/data/upload/a.png")
