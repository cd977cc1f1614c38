"""The server's routes: the page, frames and masks, changes, jobs, and what happens, live."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from fastapi import Body, FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from hodor.errors import HodorError, one_line
from hodor.extras import missing
from hodor.segmenter import Prompts, check_box, check_point
from hodor.studio.clicking import Clicks
from hodor.studio.downloads import as_download
from hodor.studio.exports import EXPORTS
from hodor.studio.opening import Studio
from hodor.studio.runs import decode_runs, encode_runs
from hodor.studio.segmenters import Prompt
from hodor.studio.session import Conflict, Event
from hodor.types import JsonObject

PAGE = Path(__file__).parent / "page"
WAITING = 2000
"""Events that may wait for a slow page; beyond, it is dropped and comes back by itself."""

MOST_STROKES = 1000
MOST_CLICKS = 60

FARTHEST = 1e6
"""Pixels from the frame's corner that a point may lie at: outside is allowed, but not anywhere."""

Coordinate = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]


class PlainJson(JSONResponse):
    """JSON in ASCII: names of files need not be text, and then have no form in UTF-8."""

    def render(self, content: object) -> bytes:
        """As bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


class RenameRequest(BaseModel):
    """New name or colour of an object."""

    name: str | None = None
    colour: str | None = None


class TrackRequest(BaseModel):
    """What to track."""

    way: Literal["forward", "backward", "both"]
    frame: int


class Wanted(BaseModel):
    """What to export."""

    formats: list[str] = Field(max_length=len(EXPORTS))


class Stroke(BaseModel):
    """A line with round ends. points: (x, y) in pixels; width in pixels."""

    points: list[tuple[Coordinate, Coordinate]] = Field(min_length=1, max_length=20000)
    width: float = Field(gt=0, le=2000, allow_inf_nan=False)


class PromptRequest(BaseModel):
    """What a user showed of an object. box: left, top, right, bottom in pixels.

    mend: number of an object whose mask in the frame is to be mended.
    """

    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    inside: list[Stroke] = Field([], max_length=MOST_STROKES)
    outside: list[Stroke] = Field([], max_length=MOST_STROKES)
    mend: int | None = None


class ClickRequest(BaseModel):
    """Clicks on an object (True) and beside it, in order, and a box, in pixels of the frame.

    first: which of the four masks the first prompt was taken to mean; None: the likeliest.
    passing: asked while the pointer passes; whatever is asked next takes its place.
    """

    points: list[tuple[Coordinate, Coordinate, bool]] = Field([], max_length=MOST_CLICKS)
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    first: Annotated[int, Field(ge=0, le=3)] | None = None
    passing: bool = False

    def prompts(self, size: tuple[int, int]) -> Prompts:
        """As the network takes them, within a frame of size (H, W). Raises MaskError."""
        points = tuple(check_point((x, y), size) for x, y, _ in self.points)
        box = None
        if self.box is not None:
            (left, right), (top, bottom) = sorted(self.box[::2]), sorted(self.box[1::2])
            box = check_box((left, top, right, bottom), size)
        return Prompts(points, tuple(on_it for *_, on_it in self.points), box)


def make_app(studio: Studio) -> FastAPI:
    """The routes over one session. Whoever may call them is ``guard``'s to say."""
    app = FastAPI(
        title="hodor studio",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=PlainJson,
    )
    _errors(app)
    _reading(app, studio)
    _editing(app, studio)
    _working(app, studio)
    _live(app, studio)
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(HodorError)
    def explain(_: Request, error: HodorError) -> JSONResponse:
        status = 409 if isinstance(error, Conflict) else 422
        return PlainJson({"message": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    def name_the_field(_: Request, error: RequestValidationError) -> JSONResponse:
        # What came is not repeated: it may be no text, no number, or a million of them.
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return PlainJson({"message": one_line(f"{where}: {first['msg']}")}, 400)

    # What a request made a library refuse, such as a number that does not fit.
    for kind in (ValueError, ArithmeticError, OSError, cv2.error):

        @app.exception_handler(kind)
        def refuse(_: Request, error: Exception) -> JSONResponse:
            return PlainJson({"message": f"this request makes no sense ({one_line(error)})"}, 400)


def _reading(app: FastAPI, studio: Studio) -> None:
    session = studio.session

    @app.get("/api/state")
    def state() -> Event:
        exports = [
            {"name": name, "title": e.title, "about": e.about, "file": e.file}
            for name, e in EXPORTS.items()
        ]
        return {
            **session.state(),
            "job": studio.jobs.status(),
            "exports": exports,
            "clicks": studio.clicks is not None,
        }

    @app.get("/api/curves")
    def curves() -> dict[int, list[float | None]]:
        return session.curves()

    @app.get("/api/frames/{index}")
    def frame(index: int, width: int = 1280, quick: bool = False) -> Response:
        number, data = studio.pictures.jpeg(index, width, quick=quick)
        # The browser may keep a frame, but not another one in its place.
        keep = "private, max-age=3600" if number == index else "no-store"
        head = {"Cache-Control": keep, "X-Frame": str(number)}
        return Response(data, media_type="image/jpeg", headers=head)

    @app.get("/api/labels/{index}")
    def labels(index: int) -> Response:
        data = encode_runs(session.labels(index))
        about = {
            "edited": session.edited(index),
            "given": sorted({*np.unique(session.given(index)).tolist()} - {0}),
            "gone": sorted(session.gone(index)),
            "confidence": {i: round(c, 3) for i, c in session.confidences(index).items()},
        }
        head = {"Cache-Control": "no-store", "X-About": json.dumps(about)}
        return Response(data, media_type="application/octet-stream", headers=head)

    @app.get("/api/exports/{name}")
    def download(name: str) -> FileResponse:
        path = as_download(session.folder.place("exports"), name)
        shown = f"{session.video.name}-{path.name}".encode(errors="replace").decode()
        return FileResponse(path, filename=shown)


def _editing(app: FastAPI, studio: Studio) -> None:
    session = studio.session

    @app.put("/api/given/{frame}/{number}")
    async def give(request: Request, frame: int, number: int, base: int | None = None) -> Event:
        mask = decode_runs(await request.body(), session.video.size) > 0
        await asyncio.to_thread(session.give, frame, number, mask, base=base)
        return {"edited": session.edited(frame)}

    @app.delete("/api/given/{frame}/{number}")
    def take_back(frame: int, number: int, base: int | None = None) -> Event:
        session.take_back(frame, number, base=base)
        return {"edited": session.edited(frame)}

    @app.post("/api/given/{frame}/{number}/accept")
    def accept(frame: int, number: int) -> Event:
        session.accept(frame, number)
        return {"edited": session.edited(frame)}

    @app.post("/api/objects")
    def add() -> Event:
        return session.add_object().to_dict()

    @app.patch("/api/objects/{number}")
    def change(number: int, naming: RenameRequest) -> Event:
        session.change_object(number, naming.name, naming.colour)
        return {}

    @app.delete("/api/objects/{number}")
    def remove(number: int) -> Event:
        session.remove_object(number)
        return {}

    @app.post("/api/undo")
    def undo() -> Event:
        return {"frame": session.undo()}

    @app.post("/api/redo")
    def redo() -> Event:
        return {"frame": session.redo()}


def _working(app: FastAPI, studio: Studio) -> None:
    jobs, session = studio.jobs, studio.session

    @app.post("/api/segment/{index}")
    def segment(index: int, shown: PromptRequest) -> Response:
        pixels = studio.pictures.frame(index).pixels
        prior = None if shown.mend is None else session.labels(index) == shown.mend
        mask = studio.segmenter.segment(pixels, _prompt(shown, pixels.shape[:2], prior))
        return Response(encode_runs(mask), media_type="application/octet-stream")

    @app.post("/api/look/{index}")
    def look(index: int) -> Event:
        return {"ready": _clicks(studio).look(index)}

    @app.post("/api/click/{index}")
    def click(index: int, shown: ClickRequest) -> Response:
        prompts = shown.prompts(session.video.size)
        clicks = _clicks(studio)
        if shown.passing:
            found = clicks.passing(index, prompts)
            if found is None:
                return Response(status_code=204)
        else:
            found = clicks.masks(index, prompts, shown.first)
        bits, best = found
        head = {"X-Best": str(best)}
        return Response(encode_runs(bits), media_type="application/octet-stream", headers=head)

    @app.post("/api/track")
    def track(where: TrackRequest) -> Event:
        studio.track(where.way, where.frame)
        return {}

    @app.post("/api/export")
    def export(wanted: Wanted) -> Event:
        studio.export(wanted.formats)
        return {}

    @app.post("/api/job")
    def move(action: Annotated[Literal["pause", "go_on", "cancel"], Body(embed=True)]) -> Event:
        if jobs.current is not None:
            getattr(jobs.current, action)()
        return {}


def _clicks(studio: Studio) -> Clicks:
    if studio.clicks is None:
        raise HodorError(missing("onnxruntime", "studio"))
    return studio.clicks


def _prompt(
    shown: PromptRequest, size: tuple[int, int], prior: NDArray[np.bool_] | None = None
) -> Prompt:
    box = None
    if shown.box is not None:
        xs, ys = sorted(shown.box[::2]), sorted(shown.box[1::2])
        left, right = max(0, round(xs[0])), min(size[1], round(xs[1]))
        top, bottom = max(0, round(ys[0])), min(size[0], round(ys[1]))
        box = (left, top, right, bottom)
    known = prior if prior is not None and prior.any() else None
    return Prompt(box, _drawn(shown.inside, size), _drawn(shown.outside, size), known)


def _drawn(strokes: list[Stroke], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Strokes as a mask (H, W)."""
    mask = np.zeros(size, np.uint8)
    for stroke in strokes:
        points = np.array(stroke.points).round().astype(np.int32)
        cv2.polylines(mask, [points], False, 1, max(1, round(stroke.width)))
        for point in (points[0], points[-1]):
            cv2.circle(mask, point.tolist(), max(1, round(stroke.width / 2)), 1, -1)
    return mask.view(np.bool_)


def _live(app: FastAPI, studio: Studio) -> None:
    session = studio.session
    pages: set[WebSocket] = set()

    def count() -> None:
        session.tell({"type": "pages", "pages": len(pages)})

    @app.websocket("/api/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Event] = asyncio.Queue()

        def hear(event: Event) -> None:
            # The page's loop may have ended; that is no fault of who made the change.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_put, waiting, event)

        end = session.listen(hear)
        pages.add(socket)
        count()
        sending = asyncio.create_task(_send_all(socket, waiting))
        try:
            with suppress(WebSocketDisconnect, RuntimeError):
                while True:
                    await socket.receive_text()
        finally:
            end()
            sending.cancel()
            pages.discard(socket)
            count()


def _put(waiting: "asyncio.Queue[Event]", event: Event) -> None:
    """Events that a slow page has not taken are dropped, all but the last, which ends it."""
    if waiting.qsize() >= WAITING:
        while not waiting.empty():
            waiting.get_nowait()
        event = {"type": "lost"}
    waiting.put_nowait(event)


async def _send_all(socket: WebSocket, waiting: "asyncio.Queue[Event]") -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            event: JsonObject = await waiting.get()
            if event["type"] == "lost":
                await socket.close(1013, "too slow")  # it connects again, and reads all anew
                return
            await socket.send_text(json.dumps(event))
