"""Appliers that are killed, paused or doubled at every boundary where something is written.

A child process is forked for each run, and the calls of the operating system that write are counted in it:
those of the driver, of the lease and of the journal. Whatever enters the tree, or leaves it, is logged in one
step with the call that does it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock, get_ident
from typing import Any, Final

import pytest

from reconciler.drivers.base import DriverError
from reconciler.drivers.directory import Directory
from reconciler.execute import Applier, execute
from reconciler.journal import Unwritable, latest, read
from reconciler.lease import Held, here
from reconciler.plan import Plan, plan, resume
from reconciler.retry import Retry
from renderers.resource import Key, Resource
from renderers.rules import Rules

WRITING: Final = ("open", "write", "fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir")
REAL: Final = {**{name: getattr(os, name) for name in WRITING}, "fsync": lambda _: None}
"""What is done at a boundary. A process that is killed loses nothing that it wrote, so nothing is synced."""
VRF, NETWORK, TEXT = ("vpp", "vrf"), ("kubernetes", "Network"), ("frr", "config")
RULES: Final = Rules({NETWORK: (VRF,), TEXT: (NETWORK,)})
HASTY: Final = Retry(attempts=2, sleep=lambda _: None)
TARGETS: Final = ("east", "west")
DONE, NOT_DONE, REFUSED, BROKEN = 0, 3, 4, 5
World = dict[str, list[Resource]]
Act = Callable[[str, tuple[Any, ...]], None]


def thing(kind: tuple[str, str], name: str, value: int) -> Resource:
    spec = {"text": f"{value}\n"} if kind is TEXT else {"value": value}
    return Resource(Key(kind[0], "cluster/east", kind[1], name), spec, f"Thing/{name}")


def world(values: dict[str, int]) -> list[Resource]:
    """Make one object of each type for each name; those with a negative value are not there."""
    return [
        thing(kind, f"{space}/{name}", value)
        for name, value in values.items()
        for kind, space in ((VRF, "a"), (NETWORK, name[0]), (TEXT, "c"))
        if value >= 0
    ]


BEFORE: Final = {"east": world({"a1": 1, "a2": 1, "b1": 1}), "west": world({"a1": 1, "b1": 1})}
AFTER: Final = {"east": world({"a1": 1, "a2": 2, "e1": 1}), "west": world({"a1": 2})}
OTHER: Final = dict.fromkeys(TARGETS, world({"a1": 9, "a2": 9, "b1": 9, "e1": 9}))
"""Differs from both in every object."""


class Boundaries:
    """Counts the calls that write, acts before one (or more), and logs what enters or leaves a tree."""

    def __init__(self, log: Path, at: int = 0, act: Act | None = None, *, onwards: bool = False) -> None:
        self.log = REAL["open"](log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.at = at
        self.act = act
        self.onwards = onwards
        self.calls: list[str] = []
        self.lock = RLock()

    def install(self) -> None:
        for name in WRITING:
            setattr(os, name, self.wrapped(name))

    def wrapped(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return REAL[name](*args, **options)
            with self.lock:
                self.calls.append(name)
                here = len(self.calls) == self.at or (self.onwards and len(self.calls) > self.at)
                if here and self.act:
                    self.act(name, args)
                effect = self.effect(name, args)
                result = REAL[name](*args, **options)
                if effect:
                    REAL["write"](self.log, effect.encode())
                return result

        return call

    def effect(self, name: str, args: tuple[Any, ...]) -> str:
        if name == "replace" and "/.intentc/" not in args[1]:
            return f"{args[1]} {hashlib.sha256(Path(args[0]).read_bytes()).hexdigest()}\n"
        if name == "rename" and "/.intentc/" not in args[0] and Path(args[0]).exists():
            return f"{args[0]} -\n"
        return ""


def kill(_: str, __: tuple[Any, ...]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tear(name: str, args: tuple[Any, ...]) -> None:
    if name == "write":
        REAL["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
    kill(name, args)


def pause(_: str, __: tuple[Any, ...]) -> None:
    signal.pthread_kill(get_ident(), signal.SIGSTOP)  # to this thread: another would stop it a little later


def full(name: str, _: tuple[Any, ...]) -> None:
    if name in ("open", "write", "fsync", "link", "mkdir"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Place:
    """Two trees, a folder for journals and a log of effects."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "effects.log"
        self.journals = root / "journals"

    def drivers(self) -> dict[str, Directory]:
        return {name: Directory(name, self.root / name) for name in TARGETS}

    def planned(self, wanted: World) -> Plan:
        return plan(wanted, {name: driver.observe() for name, driver in self.drivers().items()}, RULES)

    def reset(self, template: Path) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(template, self.root)

    def applier(self, clock: Callable[[], float] = time.time) -> Applier:
        """Return an applier whose lease is not renewed meanwhile: that writes, and boundaries are counted."""
        return Applier(here("ann@test"), self.journals, 300.0, clock)

    def files(self) -> dict[str, bytes]:
        """Return what is in the trees; of hidden folders nothing."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for name in TARGETS
            for path in sorted((self.root / name).rglob("*"))
            if path.is_file() and ".intentc" not in path.parts
        }

    def folders(self) -> set[str]:
        return {
            str(path.relative_to(self.root))
            for name in TARGETS
            for path in sorted((self.root / name).rglob("*"))
            if path.is_dir() and ".intentc" not in path.parts
        }

    def effects(self) -> Counter[str]:
        return Counter(self.log.read_text().splitlines()) if self.log.exists() else Counter()


def fork(work: Callable[[], int]) -> int:
    """Do some work in a child process, and return its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child uses no thread of its parent
        pid = os.fork()
    if pid:
        return pid
    try:
        code = work()
    except BaseException:  # noqa: BLE001 -- nothing of the child may reach pytest
        traceback.print_exc(file=sys.__stderr__)
        code = BROKEN
    os._exit(code)


def run(work: Callable[[], int]) -> int:
    """Do some work in a child process; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def applying(
    place: Place, approved: Plan, boundaries: Boundaries, clock: Callable[[], float] = time.time
) -> Callable[[], int]:
    """Return the work of an applier: observe, find out what is left of a plan, apply that."""

    def work() -> int:
        drivers = place.drivers()
        left, moved = resume(approved, {name: driver.observe() for name, driver in drivers.items()})
        if moved:
            return REFUSED
        boundaries.install()
        try:
            result = execute(left, "approved", drivers, place.applier(clock), retry=HASTY)
        except (Held, Unwritable, DriverError):
            return REFUSED
        return NOT_DONE if result.failed else DONE

    return work


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the trees as they are before."""
    place = Place(tmp_path_factory.mktemp("kill") / "template")
    execute(place.planned(BEFORE), "before", place.drivers(), place.applier())
    shutil.rmtree(place.journals)
    return place.root


@pytest.fixture
def place(template: Path) -> Place:
    found = Place(template.parent / "place")
    found.reset(template)
    return found


def undisturbed(place: Place, approved: Plan) -> tuple[dict[str, bytes], Counter[str], list[str]]:
    """Return what a run leaves, what it does, and at which boundaries."""
    boundaries = Boundaries(place.log)
    calls = place.root / "calls"

    def work() -> int:
        code = applying(place, approved, boundaries)()
        with calls.open("w") as stream:
            stream.write("\n".join(boundaries.calls))
        return code

    assert run(work) == DONE
    return place.files(), place.effects(), [name for name in calls.read_text().split("\n") if name]


def sweep(calls: list[str]) -> Iterator[tuple[int, Act]]:
    """Yield every boundary, and each write a second time, to be cut off in its middle."""
    for number, name in enumerate(calls, start=1):
        yield number, kill
        if name == "write":
            yield number, tear


def test_killed_at_any_boundary_the_plan_is_resumed_to_the_same_end(place: Place, template: Path) -> None:
    approved = place.planned(AFTER)
    files, effects, calls = undisturbed(place, approved)
    assert max(effects.values()) == 1
    assert place.planned(AFTER).actions == ()
    points = list(sweep(calls))
    assert len(calls) >= 200
    told = Counter[bool]()
    for number, act in points:
        place.reset(template)
        assert run(applying(place, approved, Boundaries(place.log, number, act))) == -signal.SIGKILL
        journal = latest(place.journals)
        told[journal is not None and journal.summary != "" and not journal.damage] += 1
        assert run(applying(place, approved, Boundaries(place.log))) == DONE, (number, act)
        assert (place.files(), place.effects()) == (files, effects), (number, act)
    assert told[True] > 0.8 * len(points)  # the rest was killed before, or after, anything was at stake


def test_killed_twice_the_plan_is_resumed_to_the_same_end(place: Place, template: Path) -> None:
    approved = place.planned(AFTER)
    files, effects, calls = undisturbed(place, approved)
    chance = random.Random(7)  # noqa: S311 -- the same points each time
    for _ in range(25):
        place.reset(template)
        for limit in (len(calls), len(calls) // 2):
            number = chance.randint(1, limit)
            run(applying(place, approved, Boundaries(place.log, number, tear)))
        assert run(applying(place, approved, Boundaries(place.log))) == DONE
        assert (place.files(), place.effects()) == (files, effects)


@pytest.mark.parametrize("onwards", [False, True], ids=["once", "from then on"])
def test_a_disk_that_is_full_at_any_boundary_leaves_a_plan_that_can_be_resumed(
    place: Place, template: Path, *, onwards: bool
) -> None:
    approved = place.planned(AFTER)
    files, effects, calls = undisturbed(place, approved)
    for number in range(1 + onwards, len(calls) + 1, 4):
        place.reset(template)
        code = run(applying(place, approved, Boundaries(place.log, number, full, onwards=onwards)))
        assert code in (DONE, NOT_DONE, REFUSED), number
        assert code != DONE or place.effects() == effects, number
        assert run(applying(place, approved, Boundaries(place.log))) == DONE, number
        assert (place.files(), place.effects()) == (files, effects), number


@pytest.mark.parametrize(
    "harm",
    [
        lambda _: b"",
        lambda raw: raw[:-20],
        lambda raw: raw[: len(raw) // 2] + raw[len(raw) // 2 + 100 :],
        lambda raw: raw.replace(b"east", b"eest"),
        lambda _: b"\xff\0" * 1000,
        None,
    ],
    ids=["empty", "torn", "cut in the middle", "changed", "noise", "gone"],
)
def test_no_journal_however_damaged_stops_a_resume(
    place: Place, harm: Callable[[bytes], bytes] | None
) -> None:
    approved = place.planned(AFTER)
    run(applying(place, approved, Boundaries(place.log, 150, kill)))
    (journal,) = place.journals.iterdir()
    if harm is None:
        shutil.rmtree(place.journals)
    else:
        journal.write_bytes(harm(journal.read_bytes()))
        read(journal)
    assert run(applying(place, approved, Boundaries(place.log))) == DONE
    assert place.planned(AFTER).actions == ()
    assert max(place.effects().values()) == 1


def test_paused_at_any_boundary_and_revived_later_nothing_is_written(place: Place, template: Path) -> None:
    """The second applier comes long after the end of the lease, and makes something else of all objects."""
    approved = place.planned(AFTER)
    _, effects, calls = undisturbed(place, approved)
    late: Counter[int] = Counter()
    for number in range(1, len(calls) + 1, 2):
        place.reset(template)
        paused = fork(applying(place, approved, Boundaries(place.log, number, pause)))
        assert os.WIFSTOPPED(os.waitpid(paused, os.WUNTRACED)[1])
        written = place.effects()
        others = place.planned(OTHER)
        code = run(applying(place, others, Boundaries(place.log), lambda: time.time() + 1000))
        seen, folders = (place.files(), place.effects()), place.folders()
        os.kill(paused, signal.SIGCONT)
        end = os.waitstatus_to_exitcode(os.waitpid(paused, 0)[1])
        assert code == DONE, number
        assert (place.files(), place.effects()) == seen, number
        assert place.folders() <= folders, number  # one that was left empty may go, none may come
        assert end == NOT_DONE or (end == DONE and written == effects), number
        late[end] += 1
    assert late[NOT_DONE] > 0.9 * late.total()


def test_of_many_appliers_at_once_each_effect_is_seen_once(place: Place) -> None:
    approved = place.planned(AFTER)
    children = [fork(applying(place, approved, Boundaries(place.log))) for _ in range(4)]
    codes = Counter(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert codes.keys() <= {DONE, REFUSED}
    assert codes[DONE] >= 1
    assert max(place.effects().values()) == 1
    assert place.planned(AFTER).actions == ()
