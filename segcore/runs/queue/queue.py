"""The durable queue of a workspace: ``queue.sqlite`` (WAL), which holds the queue and nothing else.

A row lives while its run waits or works; how the run went is in its folder. A row goes through
these states:

    waiting -> claimed   one dispatcher took it and starts a process (the token names the attempt)
    claimed -> started   that process showed the token and its process id: the run works
    started -> waiting   the machine was lost with the process: another one continues the run
    (gone)               the run ended, or was stopped before it began

Each machine may have a dispatcher (``leases.py``); a row that was taken names it as its owner.

A claim whose process never showed up is put back with its token struck out, so a late process of
that attempt is turned away. That is why a run never works twice at a time, whoever is killed and
when.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import is_network_drive
from segcore.runs.machine.processes import birth_of_time

FORMAT = 3
_HELD = (
    "held "  # before the run's id: the name of a setting that is there while that run is on hold
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS job(
    run TEXT PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL, after TEXT NOT NULL,
    priority INTEGER NOT NULL,
    place INTEGER NOT NULL, submitted REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
    token TEXT,
    devices TEXT NOT NULL DEFAULT '[]', pid INTEGER, process_created REAL,
    stops INTEGER NOT NULL DEFAULT 0,
    host TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS setting(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_SINCE_2 = (
    "ALTER TABLE job ADD COLUMN host TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE job ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
)
_SINCE_3 = (
    "ALTER TABLE job ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "UPDATE job SET owner=host WHERE host<>'cluster'",
    "DELETE FROM setting WHERE name='dispatcher'",
)
_COLUMNS = (
    "run, kind, request, after, priority, place, state, token, devices, pid, process_created, "
    "stops, host, told, owner"
)


@dataclass(frozen=True)
class Job:
    """A run that waits or works.

    Attributes:
        run: Id of the run.
        kind: Its kind: train, predict or evaluate.
        request: The device that its config asks for: "auto", "cpu", "gpu:0,gpu:1", "cluster",
            "slurm:gpus=2", or "light".
        after: Ids of the runs that must finish first.
        priority: Higher goes first.
        place: Among equals, lower goes first.
        state: "waiting", "claimed" or "started".
        token: The secret of the attempt; None while it waits.
        devices: What the attempt was given.
        pid: Process id of its worker, once started.
        birth: Of that process (see :func:`segcore.runs.machine.processes.identity`); "" for none.
        stops: How often it was asked to stop since it started.
        host: The machine that it works on; "cluster", "slurm" or "kubernetes" for one that these
            chose; "" before it started.
        delivered: How many of the requests to stop that reached its process.
        owner: The machine whose dispatcher took it; "" while it waits.
    """

    run: str
    kind: str
    request: str
    after: tuple[str, ...]
    priority: int
    place: int
    state: str
    token: str | None
    devices: tuple[str, ...]
    pid: int | None
    birth: str
    stops: int
    host: str
    delivered: int
    owner: str


def _job(row: tuple) -> Job:
    run, kind, request, after, priority, place, state, token, devices, pid, birth, *rest = row
    if isinstance(birth, float):  # how earlier versions wrote a birth
        birth = birth_of_time(birth)
    return Job(
        run,
        kind,
        request,
        tuple(json.loads(after)),
        priority,
        place,
        state,
        token,
        tuple(json.loads(devices)),
        pid,
        birth or "",
        *rest,
    )


class Queue:
    """One connection to the queue of a workspace; use it as a context manager, from one thread.

    Raises:
        SegcoreError: In the constructor and every method: the file is damaged, newer, read-only,
            locked, or the disk is full.
    """

    def __init__(self, workspace: Path | str) -> None:
        self.path = Path(workspace) / "queue.sqlite"
        self._known: tuple[Job, ...] = ()
        self._known_at: tuple[int, int] | None = None
        with self._sentences():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            try:
                self._connection.execute("PRAGMA synchronous=NORMAL")
                (version,) = self._connection.execute("PRAGMA user_version").fetchone()
                if version > FORMAT:
                    raise SegcoreError(
                        f"Expected a queue in format {FORMAT} or older in {self.path}, "
                        f"found {version}: a newer version wrote it; update."
                    )
                if version < FORMAT:
                    self._renew()
            except BaseException:
                self._connection.close()
                raise

    def _renew(self) -> None:
        """Make the tables, or bring older ones up to date; of several processes one does it."""
        if not is_network_drive(self.path.parent):
            self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("BEGIN IMMEDIATE")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version < FORMAT:
            steps = {1: (*_SINCE_2, *_SINCE_3), 2: _SINCE_3}
            for statement in steps.get(version, _SCHEMA.split(";")):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={FORMAT}")
        self._connection.execute("COMMIT")

    def share(self) -> None:
        """Let other machines use the queue over a network drive.

        It drops the write-ahead log, which works on one machine only.

        Raises:
            SegcoreError: Other processes use the queue at this moment.
        """
        (mode,) = self._rows("PRAGMA journal_mode=DELETE")[0]
        if mode != "delete":
            raise SegcoreError(
                f"Could not share the queue {self.path}: other processes use it; close the "
                "app and try again."
            )

    def __enter__(self) -> "Queue":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = str(error).lower()
            if "locking protocol" in text or (
                ("unable to open" in text or "i/o" in text) and is_network_drive(self.path.parent)
            ):
                mend = (
                    "it lies on a network drive: share it first, by `segscope work --share` on "
                    "the machine whose disk that is"
                )
            elif "full" in text:
                mend = "the disk is full: free some space, then try again"
            elif "readonly" in text or "unable to open" in text:
                mend = "it cannot be written: choose a workspace that you may write to"
            elif "locked" in text:
                mend = "another process holds it: try again in a moment"
            else:
                mend = (
                    f"it is damaged ({error}): delete that file; no run is lost, resume those "
                    "that were waiting"
                )
            raise SegcoreError(f"Could not use the queue {self.path}: {mend}.") from error
        except OSError as error:
            raise SegcoreError(
                f"Could not use the queue {self.path}: {error.strerror}; choose a "
                "workspace you may write to."
            ) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the queue for one change made of several; all of it happens or none. Nests."""
        with self._sentences():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._known_at = None
                raise

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:
        with self._sentences():
            return self._connection.execute(sql, values).fetchall()

    def jobs(self) -> list[Job]:
        """All rows, in the order in which they go; read again only after a change."""
        ((others,),) = self._rows("PRAGMA data_version")  # what other connections changed
        now = others, self._connection.total_changes
        if now != self._known_at:
            sql = f"SELECT {_COLUMNS} FROM job ORDER BY priority DESC, place, run"
            self._known, self._known_at = tuple(map(_job, self._rows(sql))), now
        return list(self._known)

    def job(self, run: str) -> Job | None:
        """The row of a run, or None where it neither waits nor works."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM job WHERE run=?", (run,))
        return _job(rows[0]) if rows else None

    def add(
        self, run: str, kind: str, request: str, after: Iterable[str] = (), priority: int = 0
    ) -> bool:
        """Append a run that waits; False, and nothing changes, where it is in the queue already."""
        rows = self._rows(
            "INSERT INTO job(run, kind, request, after, priority, place, submitted) "
            "VALUES(?, ?, ?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM job), ?) ON "
            "CONFLICT(run) DO NOTHING RETURNING run",
            (run, kind, request, json.dumps(list(after)), priority, time.time()),
        )
        return bool(rows)

    def claim(self, run: str, devices: Sequence[str], owner: str = "") -> str | None:
        """Take a waiting run for the given devices of a machine, exactly once.

        Args:
            run: Its id.
            devices: What it gets.
            owner: The machine whose dispatcher takes it, and whose devices these are.

        Returns:
            The token of this attempt, or None where someone else was faster or a device is taken.
        """
        with self.writing():
            taken = {
                device
                for row in self._rows(
                    "SELECT devices FROM job WHERE state<>'waiting' AND owner=?", (owner,)
                )
                for device in json.loads(row[0])
            }
            if taken.intersection(devices):
                return None
            rows = self._rows(
                "UPDATE job SET state='claimed', token=?, devices=?, pid=NULL, "
                "process_created=NULL, stops=0, host='', told=0, owner=? "
                "WHERE run=? AND state='waiting' RETURNING token",
                (secrets.token_hex(8), json.dumps(list(devices)), owner, run),
            )
        return rows[0][0] if rows else None

    def confirm(self, run: str, token: str, pid: int | None, birth: str, host: str = "") -> bool:
        """Confirm that an attempt's process lives; False where it was called off and must end."""
        sql = (
            "UPDATE job SET state='started', pid=?, process_created=?, host=? WHERE run=? AND "
            "token=? AND state='claimed' RETURNING run"
        )
        return bool(self._rows(sql, (pid, birth, host, run, token)))

    def put_back(self, run: str, token: str) -> bool:
        """Undo a claim whose process never showed up; False where it did."""
        return bool(
            self._rows(
                (
                    "UPDATE job SET state='waiting', token=NULL, devices='[]', owner='' "
                    "WHERE run=? AND token=? AND state='claimed' RETURNING run"
                ),
                (run, token),
            )
        )

    def release(self, run: str, token: str) -> bool:
        """Let a run that was started wait again, for its machine is lost; once for an attempt."""
        sql = (
            "UPDATE job SET state='waiting', token=NULL, devices='[]', owner='', host='', pid=NULL, "
            "process_created=NULL, stops=0, told=0 WHERE run=? AND token=? AND state='started' "
            "AND stops=0 RETURNING run"
        )
        return bool(self._rows(sql, (run, token)))

    def adopt(self, run: str, token: str, owner: str, new: str) -> bool:
        """Give a row that was taken to another machine's dispatcher; False where one was faster."""
        sql = "UPDATE job SET owner=? WHERE run=? AND token=? AND owner=? RETURNING run"
        return bool(self._rows(sql, (new, run, token, owner)))

    def remove(self, run: str, token: str | None) -> bool:
        """Take a row out; False where it is gone or belongs to another attempt by now."""
        with self.writing():
            removed = bool(
                self._rows("DELETE FROM job WHERE run=? AND token IS ? RETURNING run", (run, token))
            )
            if removed:
                self.set_setting(f"{_HELD}{run}", None)
        return removed

    def count_stop(self, run: str, token: str) -> int:
        """Count one request to stop and return how many there are; 0 if the attempt is gone."""
        rows = self._rows(
            "UPDATE job SET stops=stops+1 WHERE run=? AND token=? RETURNING stops", (run, token)
        )
        return rows[0][0] if rows else 0

    def set_host(self, run: str, host: str) -> None:
        """Name the machine of a run that works and has none noted."""
        self._rows(
            "UPDATE job SET host=? WHERE run=? AND host='' AND state='started' RETURNING run",
            (host, run),
        )

    def mark_delivered(self, run: str, token: str, stops: int) -> None:
        """Record how many requests to stop reached the process of an attempt."""
        self._rows(
            "UPDATE job SET told=max(told, ?) WHERE run=? AND token=? RETURNING run",
            (stops, run, token),
        )

    def set_priority(self, run: str, priority: int) -> None:
        """Change the priority of a run in the queue."""
        self._rows("UPDATE job SET priority=? WHERE run=? RETURNING run", (priority, run))

    def reorder(self, runs: Sequence[str]) -> None:
        """Put waiting runs into the given order, in the places that they have between them."""
        with self.writing():
            waiting = {
                job.run: job
                for job in self.jobs()
                if job.state == "waiting" and job.run in set(runs)
            }
            order = [run for run in dict.fromkeys(runs) if run in waiting]
            places = sorted((-job.priority, job.place) for job in waiting.values())
            for run, (priority, place) in zip(order, places, strict=True):
                self._rows(
                    "UPDATE job SET priority=?, place=? WHERE run=? RETURNING run",
                    (-priority, place, run),
                )

    def move(self, run: str, by: int) -> None:
        """Move a waiting run some places earlier (negative) or later; it stops at the ends."""
        with self.writing():
            waiting = [job.run for job in self.jobs() if job.state == "waiting"]
            if run not in waiting:
                return
            place = waiting.index(run)
            waiting.insert(max(0, min(len(waiting) - 1, place + by)), waiting.pop(place))
            self.reorder(waiting)

    def hold(self, run: str, held: bool = True) -> None:
        """Put one run on hold while it waits, or release it; it keeps its place."""
        with self.writing():
            self.set_setting(f"{_HELD}{run}", "yes" if held and self.job(run) else None)

    def held(self) -> set[str]:
        """Ids of the runs in the queue that are on hold individually."""
        rows = self._rows(
            "SELECT job.run FROM job JOIN setting ON setting.name = ? || job.run", (_HELD,)
        )
        return {row[0] for row in rows}

    def setting(self, name: str) -> str | None:
        """A setting of the queue ("paused", "starting"), or None."""
        rows = self._rows("SELECT value FROM setting WHERE name=?", (name,))
        return rows[0][0] if rows else None

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the settings whose name begins so, in the order of their names."""
        rows = self._rows(
            "SELECT name, value FROM setting WHERE substr(name, 1, ?)=? ORDER BY name",
            (len(prefix), prefix),
        )
        return dict(rows)

    def set_setting(self, name: str, value: str | None) -> None:
        """Set or, with None, remove a setting."""
        if value is None:
            self._rows("DELETE FROM setting WHERE name=? RETURNING name", (name,))
        else:
            self._rows("INSERT OR REPLACE INTO setting VALUES(?, ?) RETURNING name", (name, value))
