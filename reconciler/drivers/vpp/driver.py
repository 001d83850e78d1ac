"""A VPP on its API socket: tables, interfaces, routes, SIDs, policies and steering of one node; only ours.

VPP has no transactions: a batch is messages in a safe order, many under way at once, each shown to the guard
before it leaves and each answer read. What was done is believed only once it is read back. Nothing of it
survives a restart of VPP: then there is simply nothing, and all is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.drivers.base import Batch, Lease, Observation, Outcome, PermanentError, TransientError
from reconciler.drivers.fence import Fence
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.dumps import (
    Seen,
    Table,
    read,
    read_bindings,
    read_exact,
    read_hidden,
    read_lists,
    read_marks,
    read_tables,
    read_taken,
)
from reconciler.drivers.vpp.guard import check
from reconciler.drivers.vpp.model import Model
from reconciler.drivers.vpp.observe import objects, resources
from reconciler.drivers.vpp.staging import (
    Known,
    Ready,
    adopting,
    as_it_is,
    going,
    held,
    places,
    rehearsed,
    site_of,
    stands,
    steered_over,
    unfit,
    unsayable,
    wanted,
)
from reconciler.drivers.vpp.writing import EVERYTHING, Writing
from reconciler.plan import Action
from renderers.resource import Key
from renderers.vpp import FAMILY
from renderers.vpp_messages import MARK, ORDER, Operation

if TYPE_CHECKING:
    from reconciler.secrets import Vault

Found = TypeVar("Found")
MESSAGES: Final = (
    *("fib_source_add", "fib_source_dump", "ip_address_dump"),
    *("ip_route_add_del_v2", "ip_route_lookup_v2", "ip_route_v2_dump", "sr_policies_with_sl_index_dump"),
    *("sw_interface_add_del_address", "sw_interface_get_table", "sw_interface_set_flags"),
    *("sw_interface_set_table", "sw_interface_tag_add_del"),
)
"""What a VPP must understand, beside what the client needs itself."""


class Vpp:
    """One VPP, for one node."""

    def __init__(self, name: str, scope: str, socket: str, timeout: float = 10.0, run: str = "") -> None:
        """Open nothing yet; `scope` is that of the node's objects: node/CLUSTER/NODE.

        `run` is the `instance` of the only run of VPP that is spoken with; empty for any.
        """
        self.name = name
        self._run = run
        self.vault: Vault | None = None
        self._scope = scope
        self._model = Model(Seen())
        self._client = Client(socket, self._check, timeout)
        self._live = False
        self._fresh: Ready | None = None
        """What was staged last, unless it was committed since."""
        self._begun: tuple[str, tuple[Action, ...]] = ("", ())
        """Actions that a lost connection may have left half done, and in which run of VPP."""
        self._fence = Fence(Path(f"{socket}.intentc"))

    @property
    def fences(self) -> bool:
        """VPP itself looks at no token."""
        return False

    @property
    def instance(self) -> str:
        """Which run of VPP was spoken with last: differs once VPP was restarted."""
        return self._client.instance

    def observe(self) -> Observation:
        """Return what is ours."""
        self._begun = ("", ())
        seen = self._asked(lambda: read(self._client, EVERYTHING))
        return Observation(resources(seen, self._scope), keeps_protection=False)

    def lease(self) -> Lease | None:
        """Return the lease, which lies beside the socket."""
        return self._fence.lease()

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        return self._fence.swap(expected, new)

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Look at everything that the actions touch, and refuse by name what cannot be done."""
        del token
        # All of it in one run of VPP: in the next one, the same numbers mean other things.
        return self._asked(lambda: self._staged(actions))

    def _staged(self, actions: Sequence[Action]) -> Batch:
        run, half_done = self._begun
        begun = {one.key for one in half_done} if run == self._client.instance else set()
        seen = read(self._client, EVERYTHING if begun else wanted(actions))
        known = objects(seen)
        refused: dict[Key, str] = {}
        todo = [as_it_is(one, known) if one.key in begun else one for one in actions] if begun else actions
        # The source is set before it is copied: where that was broken off, it is copied once more.
        again = [key for key in begun if key.type == "encap"]
        left = []
        for action in todo:
            key = action.key
            if key.family != FAMILY or key.scope != self._scope or key.type not in ORDER:
                refused[key] = f"{key} is no object of this VPP"
            elif stands(action, known):
                if key in again:
                    left.append(action)
            elif why := unfit(action, known, seen):
                refused[key] = why
            else:
                left.append(adopting(action, known))
        ready = self._ready(seen, known, tuple(left))
        if not ready.only_new:
            ready, harmful = self._rehearsed(ready)
            refused |= harmful
        if refused:
            raise PermanentError("; ".join(refused.values()), refused)
        self._fresh = ready
        return Batch(tuple(actions), ready)

    def _rehearsed(self, ready: Ready) -> tuple[Ready, dict[Key, str]]:
        try:
            return rehearsed(ready)
        except (LookupError, TypeError, ValueError):
            refused = {one.key: why for one in ready.left if (why := unsayable(one, ready.site))}
            if not refused:
                raise
            return ready, refused

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Send what is left to do, in a safe order; what VPP refuses fails by itself."""
        ready: Ready = batch.prepared
        fresh, self._fresh = self._fresh is ready, None
        failed: dict[Key, str] = {}
        if ready.left:
            with self._talk() as client:
                if client.instance != ready.instance:
                    raise TransientError("VPP was restarted meanwhile")
                self._model = ready.model
                as_rehearsed = self._looked_again(client, ready, fresh=fresh)
                self._begun = (ready.instance, ready.left)
                Writing(client, self._model, ready, failed, shown=as_rehearsed).run()
                self._begun = ("", ())
        if not failed:
            return tuple([Outcome(action, "done") for action in batch.actions])
        return tuple(
            Outcome(action, "failed", failed[action.key]) if action.key in failed else Outcome(action, "done")
            for action in batch.actions
        )

    def _looked_again(self, client: Client, ready: Ready, *, fresh: bool) -> bool:
        """Read anew what ends or harms VPP where it is gone; say whether all is as it was rehearsed.

        The guard decides by its model and the message alone. Where the model is the one that the steps were
        rehearsed on, it would say of each what it said then: they need not be shown to it once more.
        `fresh`: nothing was committed since it was staged.
        """
        model = self._model
        if ready.named:
            self._same_interfaces(client, ready)
        if not fresh:
            model.learn(read(client, EVERYTHING))
        before = model.tables, model.lists
        model.tables = read_tables(client)
        if any(map(_names_lists, ready.left)):
            model.learn_lists(read_lists(client))
        return fresh and bool(ready.steps) and (model.tables, model.lists) == before

    def _same_interfaces(self, client: Client, ready: Ready) -> None:
        """Raise TransientError where an interface that the batch names is another one by now, or not ours."""
        marks = read_marks(client)
        for name in sorted(ready.named):
            index = ready.site.interfaces.get(name)
            before = None if index is None else (index, ready.model.interfaces[index][1])
            if marks.get(name) != before:
                raise TransientError(f"somebody made or marked interface {name} anew meanwhile")

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back once, and return what is not as the batch wanted it.

        Not whether others laid a route beneath what was just steered: the next observation shows that.
        """
        kinds = wanted(batch.actions) - {"way"}
        known = objects(self._asked(lambda: read(self._client, kinds)))
        return tuple([action.key for action in batch.actions if not stands(action, known)])

    def close(self) -> None:
        """Hang up."""
        self._live = False
        self._client.close()

    def _check(self, operation: Operation) -> None:
        check(self._model, operation)

    def _ready(self, seen: Seen, known: Known, left: tuple[Action, ...]) -> Ready:
        """Read what only this batch needs, and make it ready."""
        routes, steered = places(left)
        tables = going(left)
        taken = read_exact(self._client, seen, routes) | read_taken(self._client, seen, steered)
        changed = seen.policies and any(map(_names_lists, left))
        lists = read_lists(self._client) if changed else {}
        users = self._users(seen, tables) if tables else {}
        stand = held(seen, known, lists)
        taken |= read_hidden(self._client, steered_over(left, stand))
        model = Model(seen, users, taken, lists)
        return Ready(self._client.instance, model, site_of(seen), stand, left)

    def _users(self, seen: Seen, tables: Iterable[Table]) -> dict[Table, set[str]]:
        """Return what of others refers to tables that shall go."""
        others = {name: one for name, one in seen.interfaces.items() if not one.tag.startswith(MARK)}
        found = read_bindings(self._client, others)
        ours = {one.index for one in seen.interfaces.values() if one.tag.startswith(MARK)}
        for (number, prefix), whose in read_taken(self._client, seen, tables, ours).items():
            found.setdefault((number, ":" in prefix), set()).add(f"route {prefix} of {whose}")
        return found

    @contextmanager
    def _talk(self) -> Iterator[Client]:
        """Give the connected client; one that lost its VPP is connected anew the next time."""
        if not self._live:
            self._client.connect()
            if self._run not in ("", self._client.instance):
                self._client.close()
                raise PermanentError("VPP was restarted meanwhile")
            if missing := [message for message in MESSAGES if not self._client.knows(message)]:
                self._client.close()
                raise PermanentError(f"this VPP is too old: it does not have {', '.join(missing)}")
            self._live = True
        try:
            yield self._client
        except TransientError:
            self._live = False
            raise

    def _asked(self, question: Callable[[], Found]) -> Found:
        """Ask, and ask once more where the connection was lost since it was used last."""
        stale = self._live
        try:
            with self._talk():
                return question()
        except TransientError:
            if not stale:
                raise
        with self._talk():
            return question()


def _names_lists(action: Action) -> bool:
    """Say whether an action deletes or reweighs segment lists that stand."""
    return action.key.type == "encap" or (
        action.key.type == "policy" and action.before is not None and action.after is not None
    )
