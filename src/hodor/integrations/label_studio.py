"""An ML backend for Label Studio: brush masks of one image are followed through the others.

::

    python -m hodor.integrations.label_studio --url http://localhost:8080 --token TOKEN

Label Studio sends tasks, here the frames of a video in the order of their images' names. Frames
that somebody annotated with BrushLabels are given masks; the others get predictions. Where a
request has no annotated frame, the objects of earlier requests are looked for.
"""

import json
import threading
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import numpy as np
import typer
from numpy.typing import NDArray

from hodor.errors import MALFORMED, HodorError, SourceError, one_line
from hodor.formats import BrushTasks, brush_region
from hodor.formats.label_studio_tasks import Drawn, Task
from hodor.tracking import OFF, OptionChanges, References, Result, Tracker
from hodor.types import JsonObject, PlainValues
from hodor.video import label_map_objects, open_picture, read_image, sort_naturally
from hodor.video.pictures import UNREADABLE
from hodor.weights import DEFAULT

TIMEOUT = 30.0  # seconds, for an image of Label Studio
MOST_BYTES = 256_000_000  # of an image, or of a request, which holds brush masks of all its tasks
Fetch = Callable[[str], NDArray[np.uint8]]


class Backend:
    """What a request is answered with.

    Args:
        tracker: what it follows is dropped at each request.
        fetch: gives the frame (H, W, 3) at a task's address.
    """

    def __init__(self, tracker: Tracker, fetch: Fetch) -> None:
        self.version = f"hodor-{tracker.fingerprint[:8]}"
        self._tracker = tracker
        self._fetch = fetch
        self._known: dict[str, tuple[References, dict[int, str]]] = {}
        self._lock = threading.Lock()

    def predict(self, request: JsonObject) -> PlainValues:
        """Predictions for all tasks of a request, in its order.

        Raises HodorError if the project has no BrushLabels, or an image cannot be had.
        """
        tags, key = _tags(request.get("label_config") or "")
        with self._lock:
            results = self._follow(str(request.get("project")), request["tasks"], tags, key)
        return {"results": results, "model_version": self.version}

    def _follow(
        self, project: str, tasks: list[Task], tags: tuple[str, str], key: str
    ) -> list[Drawn]:
        drawn = BrushTasks(tasks)
        names = drawn.names
        self._tracker.reset()
        if not names and project in self._known:
            references, names = self._known[project]
            self._tracker.add_references(references)
        urls = [str(task["data"][key]) for task in tasks]
        results: dict[int, Drawn] = {}
        for at in _in_order(urls):
            frame = self._fetch(urls[at])
            result = self._tracker.step(frame, drawn.label_map(at, frame.shape[:2]))
            results[at] = self._prediction(result, names, at, tags)
        if drawn.names:
            self._known[project] = self._tracker.references(), names
        return [results[at] for at in range(len(tasks))]

    def _prediction(
        self, result: Result, names: dict[int, str], at: int, tags: tuple[str, str]
    ) -> Drawn:
        regions = [
            brush_region(
                result.mask(i),
                names.get(i, "object"),
                f"object-{i}-frame-{at}",
                result.confidence[i],
                tags=tags,
            )
            for i in label_map_objects(result.label_map)
        ]
        scores = list(result.confidence.values())
        return {
            "result": regions,
            "score": float(np.mean(scores)) if scores else 0.0,
            "model_version": self.version,
        }


def _tags(config: str) -> tuple[tuple[str, str], str]:
    """Names of the BrushLabels and the Image of a project, and the key of the image's address."""
    try:
        root = ET.fromstring(config)
        brush, image = next(root.iter("BrushLabels")), next(root.iter("Image"))
        key = image.attrib["value"].removeprefix("$")
        return (brush.attrib["name"], image.attrib["name"]), key
    except (ET.ParseError, KeyError, StopIteration) as error:
        raise HodorError(
            "the project's labelling interface has no Image with BrushLabels; add them in its "
            "settings"
        ) from error


def _in_order(urls: list[str]) -> list[int]:
    """Places of the addresses in the natural order of their files: 2 before 10."""
    files = [_file_of(url) for url in urls]
    rank = {file: number for number, file in enumerate(sort_naturally(files))}
    return sorted(range(len(urls)), key=lambda at: rank[files[at]])


def _file_of(url: str) -> Path:
    """The path in an address; of local files it is in the query: /data/local-files/?d=a/b.jpg."""
    parts = urlsplit(url)
    return Path(parse_qs(parts.query).get("d", [unquote(parts.path)])[0])


def fetcher(url: str, token: str, root: Path | None) -> Fetch:
    """Gets frames from Label Studio at `url`, or its local files under `root`.

    The token goes to Label Studio only, not to other hosts that images may be on.
    """

    def fetch(address: str) -> NDArray[np.uint8]:
        """The frame (H, W, 3) in RGB at an address."""
        if root is not None and urlsplit(address).path.startswith("/data/local-files"):
            file = (root / _file_of(address)).resolve()
            if not file.is_relative_to(root.resolve()):
                raise SourceError(f"{address} leads out of {root}")
            return read_image(file)
        whole = urljoin(f"{url.rstrip('/')}/", address)
        own = urlsplit(whole).netloc == urlsplit(url).netloc
        headers = {"Authorization": f"Token {token}"} if own and token else {}
        if urlsplit(whole).scheme not in ("http", "https"):
            raise SourceError(f"{address} is no address of an image over http")
        try:
            request = urllib.request.Request(whole, headers=headers)
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                data = answer.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
            return np.asarray(open_picture(BytesIO(data)).convert("RGB"))
        except (HTTPException, *UNREADABLE) as error:  # no answer is an OSError
            raise SourceError(f"{whole} cannot be read as an image ({one_line(error)})") from error

    return fetch


def make_server(backend: Backend, host: str, port: int) -> ThreadingHTTPServer:
    """A server with the addresses that Label Studio calls: /health, /setup, /predict, /webhook."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, {"status": "UP", "model_class": "hodor"})

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length", 0))
                if not 0 <= length <= MOST_BYTES:
                    self.close_connection = True
                    self._answer(413, {"detail": f"at most {MOST_BYTES:,} bytes are read"})
                    return
                request = json.loads(self.rfile.read(length) or b"{}")
                if self.path.rstrip("/") == "/predict":
                    self._answer(200, backend.predict(request))
                else:
                    self._answer(200, {"model_version": backend.version})
            except HodorError as error:
                self._answer(422, {"detail": str(error)})
            except MALFORMED as error:
                self._answer(400, {"detail": f"no request of Label Studio ({one_line(error)})"})

        def _answer(self, status: int, content: PlainValues) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return ThreadingHTTPServer((host, port), Handler)


def serve(
    url: str = typer.Option("http://localhost:8080", help="Where Label Studio is."),
    token: str = typer.Option("", help="Access token of its user, to read images."),
    root: Path | None = typer.Option(None, help="Folder of local files, to read them directly."),
    model: str = typer.Option(DEFAULT, help="Bundled name, .safetensors file or hub:ORG/REPO."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or mps."),
    anywhere: bool = typer.Option(
        False, "--anywhere", help="Images are no neighbours in a video: look everywhere in each."
    ),
    host: str = typer.Option("127.0.0.1", help="Address to answer at."),
    port: int = typer.Option(9090, help="Port to answer at."),
) -> None:
    """Answer Label Studio until stopped by Ctrl-C."""
    options: OptionChanges = {}
    if anywhere:
        options = {"search_radius": OFF, "crop_margin": OFF}
    tracker = Tracker.from_pretrained(model, device=device, **options)
    backend = Backend(tracker, fetcher(url, token, root))
    with make_server(backend, host, port) as server:
        typer.echo(f"add http://{host}:{server.server_port} under Settings, Model", err=True)
        server.serve_forever()


if __name__ == "__main__":
    typer.run(serve)
