"""A warm process that answers one-image questions, so that the app never freezes.

Protocol over the process's standard input and output, one message after another in each direction:

    request   one line of JSON {"question": name, "arrays": [[name, bytes], ...], ...},
              then the arrays in that order, each as npy
    heard     the line {"heard": true} once the request is read: a process that died before it
              had died idle, one that died after it died of the question
    answer    one line of JSON {"answer": {...}, "arrays": [[name, bytes], ...]} and the arrays,
              or {"error": sentence, "mendable": true or false}

The process ends when its input ends, so it never outlives the app.
"""

import io
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.runs.machine.disk import plain
from segcore.runs.machine.processes import python_environment

Arrays = Mapping[str, npt.NDArray[Any]]
Answer = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
Handler = Callable[[dict[str, Any], Arrays], Answer]

DEFAULT_COMMAND = ("-m", "segcore.light_worker", "--serve")
_HEARD = b'{"heard": true}\n'
_MAX_LINE = 1 << 20
_MAX_BYTES = 1 << 31


class _Broken(Exception):
    """The other side is gone or does not keep to the protocol."""


def _write_message(stream: IO[bytes], head: Mapping[str, Any], arrays: Arrays) -> None:
    packed: list[tuple[str, bytes]] = []
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
        packed.append((name, buffer.getvalue()))
    line = (
        json.dumps(plain({**head, "arrays": [[name, len(data)] for name, data in packed]})).encode()
        + b"\n"
    )
    stream.write(line)
    for _, data in packed:
        stream.write(data)
    stream.flush()


def _read_message(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] | None:
    line = stream.readline(_MAX_LINE)
    if not line:
        return None
    try:
        head = json.loads(line)
        sizes = [(str(name), int(size)) for name, size in head.pop("arrays", [])]
    except (ValueError, TypeError, AttributeError) as error:
        raise _Broken(f"no message: {line[:80]!r}") from error
    arrays = {}
    for name, size in sizes:
        if not 0 < size <= _MAX_BYTES:
            raise _Broken(f"an array of {size} bytes")
        data = stream.read(size)
        if len(data) < size:
            raise _Broken("half a message")
        try:
            arrays[name] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, MemoryError) as error:
            raise _Broken(f"no array: {error}") from error
    return head, arrays


def serve(
    handlers: Mapping[str, Handler], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    """Answer questions until the input ends; the other side of :class:`WarmProcess`.

    Args:
        handlers: For each question, a function of (the request without its arrays, the arrays by
            name) that returns (a mapping for JSON, arrays by name). A SegcoreError that it raises
            reaches the asker as one; any other error is shown in the log too.
        stdin: Where requests come from; by default this process's standard input.
        stdout: Where answers go; by default this process's standard output, which then no longer
            carries anything that is printed.
    """
    source = sys.stdin.buffer if stdin is None else stdin
    if stdout is None:
        sys.stdout.flush()
        target: IO[bytes] = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever a library prints goes to the log, not between two answers
    else:
        target = stdout
    while True:
        try:
            message = _read_message(source)
        except _Broken:
            return
        if message is None:
            return
        head, arrays = message
        try:
            target.write(_HEARD)
            target.flush()
        except BrokenPipeError:
            return
        try:
            handler = handlers.get(str(head.get("question")))
            if handler is None:
                raise unknown("question", head.get("question"), handlers)
            answer, results = handler(head, arrays)
            reply: tuple[dict[str, Any], Arrays] = {"answer": answer}, results
        except SegcoreError as error:
            reply = {"error": str(error), "mendable": True}, {}
        except Exception as error:  # a fault in a handler must not end the warm process
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}", "mendable": False}, {}
        try:
            _write_message(target, *reply)
        except BrokenPipeError:
            return


def _is_heard(stdin: IO[bytes], stdout: IO[bytes], head: Mapping[str, Any], arrays: Arrays) -> bool:
    try:
        _write_message(stdin, head, arrays)
    except OSError:
        return False
    return stdout.readline(len(_HEARD)) == _HEARD


class WarmProcess:
    """Keeps one process warm and asks it; any thread may ask, one question is answered at a time.

    The process is started by the first question, again after it died, and ended after some idle
    time.

    Args:
        command: What follows the interpreter, by default the light worker.
        idle_seconds: After this time without a question the process is ended.
    """

    def __init__(
        self, command: Sequence[str] = DEFAULT_COMMAND, idle_seconds: float = 600.0
    ) -> None:
        self._command = [sys.executable, "-P", *command]
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: threading.Timer | None = None

    def ask(
        self, question: str, arrays: Arrays | None = None, timeout: float = 60.0, **values: Any
    ) -> Answer:
        """Ask one question and wait for the answer; other threads continue meanwhile.

        Args:
            question: A name that the process knows.
            arrays: Arrays by name; no objects.
            timeout: Seconds after which the process is killed and the question given up.
            values: Anything else the question needs, as JSON can hold it.

        Returns:
            (the answer's values, the answer's arrays by name).

        Raises:
            SegcoreError: The question was refused, took too long, or its process died over it.
        """
        with self._lock:
            if self._idle:
                self._idle.cancel()
            try:
                return self._exchange({**values, "question": question}, arrays or {}, timeout)
            finally:
                self._idle = threading.Timer(self._idle_seconds, self._close_idle, (self._process,))
                self._idle.daemon = True
                self._idle.start()

    def _exchange(self, head: Mapping[str, Any], arrays: Arrays, timeout: float) -> Answer:
        for fresh in (False, True):
            process = self._start()
            expired = threading.Event()
            watchdog = threading.Timer(timeout, lambda p=process, e=expired: (e.set(), p.kill()))
            watchdog.daemon = True
            watchdog.start()
            try:
                if process.stdin is None or process.stdout is None:
                    raise _Broken("no pipes")
                if not _is_heard(process.stdin, process.stdout, head, arrays):
                    if not fresh and not expired.is_set():  # it had died while idle: ask a new one
                        self._end()
                        continue
                    raise _Broken("it does not listen")
                message = _read_message(process.stdout)
                if message is None:
                    raise _Broken("it ended")
            except (_Broken, OSError) as error:
                self._end()
                if expired.is_set():
                    raise SegcoreError(
                        f"Expected an answer within {timeout:g} seconds, received none: "
                        "ask for less (a smaller image, fewer steps)."
                    ) from error
                raise SegcoreError(
                    f"The process that answers {head['question']!r} ended without an "
                    f"answer ({error}; out of memory?): try again."
                ) from error
            finally:
                watchdog.cancel()
            reply, results = message
            if "error" in reply:
                text = str(reply["error"])
                raise SegcoreError(
                    text
                    if reply.get("mendable")
                    else f"Question {head['question']!r} failed ({text}): see the app's log."
                )
            return dict(reply.get("answer") or {}), results
        raise SegcoreError(
            f"The process that answers {head['question']!r} cannot be kept alive: see the "
            "app's log."
        )

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env=python_environment(),
            )
        except OSError as error:
            raise SegcoreError(
                f"Could not start the process that answers questions: {error.strerror}; "
                "close some programs."
            ) from error
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:  # what was still to be written cannot be
                pass
        process.wait()

    def _close_idle(self, process: subprocess.Popen[bytes] | None) -> None:
        if self._lock.acquire(blocking=False):  # otherwise a question is on its way
            try:
                if self._process is process:
                    self._end()
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the process; the next question starts a new one."""
        with self._lock:
            if self._idle:
                self._idle.cancel()
            self._end()

    def __enter__(self) -> "WarmProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
