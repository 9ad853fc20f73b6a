"""Many people at once: sessions that switch images on the Compare page; errors, seconds a picture, memory of the app.

    python benchmarks/bench_sessions.py [--sessions 20] [--seconds 120] [--pause 2]

Speaks Streamlit's own protocol over websockets, so that no browser shares the machine with the app:
each session opens Compare on the demo, then chooses the next image, waits for the end of the
script's run, pauses, and so on. Only this machine is asked.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.driven_app import served  # noqa: E402
from segcore.workspace import Workspace  # noqa: E402

LABEL = "Image"
PATIENCE = 120.0
"""Seconds after which an answer is an error."""


@dataclass
class Counted:
    """What all sessions found.

    Attributes:
        seconds: Of each switch.
        sent: Bytes of the answers.
        errors: In words.
    """

    seconds: list[float] = field(default_factory=list)
    sent: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, seconds: float, sent: int) -> None:
        """Count a switch."""
        with self.lock:
            self.seconds.append(seconds)
            self.sent += sent


class Session:
    """One person's page.

    Attributes:
        image_id: Id of the selector of images, as the app last drew it.
        images: What it offers.
    """

    def __init__(self, url: str) -> None:
        self._open = ExitStack()
        self._socket: ClientConnection = self._open.enter_context(
            connect(
                url.replace("http", "ws") + "/_stcore/stream",
                subprotocols=["streamlit"],
                max_size=None,
                open_timeout=PATIENCE,
            )
        )
        self._page = ""
        self.image_id = ""
        self.images: list[str] = []

    def close(self) -> None:
        """Leave the page."""
        self._open.close()

    def run(self, image: str | None = None) -> int:
        """Open the page, or choose an image; return the bytes of the answer.

        Raises:
            RuntimeError: The script failed, its page shows an error, or another image.
        """
        message = BackMsg()
        asked = message.rerun_script
        if image is None:
            asked.page_name = "compare"
        else:
            asked.page_script_hash = self._page
            asked.query_string = urlencode({"sample": image})  # as the browser's address has it
            state = asked.widget_states.widgets.add()
            state.id, state.string_value = self.image_id, image
        self._shown: set[str] = set()
        self._socket.send(message.SerializeToString())
        total = self._until_finished()
        if image is not None and image not in self._shown:
            raise RuntimeError(f"expected {image} in the viewer, found {self._shown}")
        return total

    def _until_finished(self) -> int:
        total, end = 0, time.monotonic() + PATIENCE
        while True:
            data = self._socket.recv(timeout=max(0.1, end - time.monotonic()))
            total += len(data)
            answer = ForwardMsg.FromString(data)
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self._page = answer.navigation.page_script_hash
            elif kind == "delta" and answer.delta.HasField("new_element"):
                self._read(answer.delta.new_element)
            elif kind == "script_finished":
                if answer.script_finished in (
                    ForwardMsg.FINISHED_EARLY_FOR_RERUN,
                    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
                ):
                    continue
                if answer.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    raise RuntimeError("the script did not compile")
                return total

    def _read(self, element: object) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise RuntimeError(f"{element.exception.type}: {element.exception.message}")
        if kind == "alert" and element.alert.format == element.alert.ERROR:
            raise RuntimeError(element.alert.body)
        if kind == "bidi_component":
            self._shown |= _images(element.bidi_component.bytes)
        if kind == "selectbox" and element.selectbox.label == LABEL:
            box = element.selectbox
            self.image_id, self.images = box.id, list(box.options)


def _images(data: bytes) -> set[str]:
    """Return the image of a scene for the viewer: a JSON header before the picture names it."""
    try:
        size = int.from_bytes(data[:4], "little")
        return {json.loads(data[4 : 4 + size])["image"]}
    except (ValueError, KeyError, TypeError):
        return set()


def visit(url: str, number: int, seconds: float, pause: float, counted: Counted) -> None:
    """Be one person: open the page and switch images until the time is over."""
    try:
        session = Session(url)
        session.run()
        if not session.images:
            raise RuntimeError("the page shows no selector of images")
        names = itertools.cycle(session.images[number % len(session.images) :] + session.images)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            sent = session.run(next(names))
            counted.add(time.perf_counter() - start, sent)
            time.sleep(pause)
        session.close()
    except Exception as error:  # whatever it is, it is one of the errors that are counted
        with counted.lock:
            counted.errors.append(f"session {number}: {type(error).__name__}: {error}")


def memory(server: psutil.Process) -> float:
    """Return what the app and its processes hold, MiB."""
    tree = [server, *server.children(recursive=True)]
    return sum(process.memory_info().rss for process in tree) / 2**20


def server_of(port: int) -> psutil.Process:
    """Return the app's process by its port."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.pid
        if listens and connection.laddr.port == port:
            return psutil.Process(connection.pid)
    sys.exit(f"Expected the app on port {port}, found none.")


def points(seconds: float) -> Iterator[tuple[float, str]]:
    """Yield when memory is read."""
    yield 0.0, "before the first session"
    quarter = seconds / 4
    for number in range(1, 5):
        yield number * quarter, f"after {number * quarter:.0f} s"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds of looking at a picture")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Workspace(folder).demo.open()
        with served(Path(folder), SEGSCOPE_NO_WORK="1") as (url, _):
            server, counted = server_of(int(url.rsplit(":", 1)[1])), Counted()
            warm = Session(url)
            warm.run()
            warm.close()
            people = [
                threading.Thread(
                    target=visit, args=(url, n, options.seconds, options.pause, counted)
                )
                for n in range(options.sessions)
            ]
            start = time.monotonic()
            for when, title in points(options.seconds):
                time.sleep(max(0.0, start + when - time.monotonic()))
                print(f"memory {title}: {memory(server):,.0f} MiB", flush=True)
                if when == 0:
                    for person in people:
                        person.start()
            for person in people:
                person.join()
            print(f"memory after the last session: {memory(server):,.0f} MiB")
    took = sorted(counted.seconds)
    print(f"{options.sessions} sessions, {options.seconds:.0f} s, {options.pause:g} s a picture")
    print(f"switches: {len(took):,}, {counted.sent / 2**20 / max(len(took), 1):.2f} MiB each")
    if took:
        print(f"seconds a switch: median {statistics.median(took):.2f}", end=", ")
        print(f"95 % {took[int(0.95 * (len(took) - 1))]:.2f}, longest {took[-1]:.2f}")
    print(f"errors: {len(counted.errors)}", *counted.errors[:10], sep="\n  ")
    sys.exit(bool(counted.errors))


if __name__ == "__main__":
    main()
