"""A VPP on its API socket: tables, interfaces, routes, SIDs, policies and steering of one node; only ours.

VPP has no transactions: a batch is messages in a safe order, many under way at once, each shown to the guard
before it leaves and each answer read. What was done is believed only once it is read back. Nothing of it
survives a restart of VPP: then there is simply nothing, and all is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.drivers.base import Batch, Lease, Observation, Outcome, PermanentError, TransientError
from reconciler.drivers.fence import Fence
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.dumps import (
    SOURCE,
    Seen,
    Table,
    read,
    read_bindings,
    read_exact,
    read_lists,
    read_tables,
    read_taken,
)
from reconciler.drivers.vpp.guard import HarmfulError, check
from reconciler.drivers.vpp.model import Model
from reconciler.drivers.vpp.observe import objects, resources
from reconciler.drivers.vpp.retvals import meaning
from reconciler.drivers.vpp.staging import (
    Known,
    Ready,
    as_it_is,
    going,
    held,
    pairs,
    places,
    rehearsed,
    site_of,
    stands,
    unfit,
    unsayable,
    wanted,
)
from reconciler.plan import Action
from renderers.resource import Key
from renderers.vpp import FAMILY
from renderers.vpp_messages import MARK, ORDER, Operation, Site, creation, opening, removal
from renderers.vpp_transition import Step, steps

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
PRIORITY: Final = 0x70
"""Of our routes: behind interfaces and SRv6, before those of anybody who uses the API or the command line."""
_ALL: Final = frozenset({"policy", "steering"})


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
        seen = self._asked(lambda: read(self._client, _ALL))
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
        seen = read(self._client, _ALL if begun else wanted(actions))
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
                left.append(action)
        ready = self._ready(seen, known, tuple(left))
        try:
            ready, harmful = rehearsed(ready)
        except (LookupError, TypeError, ValueError):
            harmful = {one.key: why for one in left if (why := unsayable(one, seen))}
            if not harmful:
                raise
        refused |= harmful
        if refused:
            raise PermanentError("; ".join(refused.values()), refused)
        self._fresh = ready
        return Batch(tuple(actions), ready)

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
                _Writing(client, self._model, ready, failed, shown=as_rehearsed).run()
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
        if not fresh:
            model.learn(read(client, _ALL))
        before = model.tables, model.lists
        model.tables = read_tables(client)
        if any(map(_names_lists, ready.left)):
            model.learn_lists(read_lists(client))
        return fresh and bool(ready.steps) and (model.tables, model.lists) == before

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back once, and return what is not as the batch wanted it."""
        known = objects(self._asked(lambda: read(self._client, wanted(batch.actions))))
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
        model = Model(seen, users, taken, lists)
        return Ready(self._client.instance, model, site_of(seen), held(seen, known, lists), left)

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


def _sort(step: Step) -> tuple[object, ...]:
    """Return what messages have in common that are sent without waiting for each other's answers.

    A route that makes room for steering must be gone: VPP would lay both over each other, and say nothing.
    """
    alone = step.operation.message if step.key.type == "steering" else ""
    return step.key.type, step.going, alone


def _names_lists(action: Action) -> bool:
    """Say whether an action deletes or reweighs segment lists that stand."""
    return action.key.type == "encap" or (
        action.key.type == "policy" and action.before is not None and action.after is not None
    )


class _Writing:
    """One commit while it is under way."""

    def __init__(
        self, client: Client, model: Model, ready: Ready, failed: dict[Key, str], *, shown: bool
    ) -> None:
        self.client = client
        self.model = model
        self.ready = ready
        self.failed = failed
        """Why objects could not be brought to what they shall be."""
        self.shown = shown
        """Whether the steps are those that were rehearsed on the model as it is; not once VPP says no."""
        self.careful = False
        """Whether VPP said no to something since it was read: the rest may rest on what is not there."""

    def run(self) -> None:
        """Send everything, sort by sort, and read every answer before the next sort."""
        site = self.opened(replace(self.ready.site, source=self.source()))
        left = [action for action in self.ready.left if action.key not in self.failed]
        todo: Iterable[Step] = self.ready.steps or steps(pairs(left), site, self.ready.held)
        for _, group in groupby(todo, key=_sort):
            self.send(step for step in group if not self.failed or step.key not in self.failed)

    def source(self) -> int:
        """Return our FIB source; VPP would add it once more under the same name, so it is added once."""
        if self.model.source:
            return self.model.source
        said = {"priority": PRIORITY, "id": 0, "name": SOURCE}
        (reply,) = self.client.send([Operation("fib_source_add", {"src": said})])
        self.model.source = reply.fields["id"]
        if reply.retval or not self.model.source:
            raise PermanentError("VPP takes no more FIB sources, so our routes could not be told from others")
        return self.model.source

    def opened(self, site: Site) -> Site:
        """Have VPP take new interfaces, and return the site with them."""
        new = self.ready.opening
        if new and not self.client.knows(opening(new[0]).message):
            why = "VPP has not loaded its plugin af_packet, which takes interfaces of the host"
            raise PermanentError(why, {resource.key: why for resource in new})
        requests = [opening(resource) for resource in new]
        indexes = dict(site.interfaces)
        for resource, request, reply in zip(new, requests, self.client.send(requests), strict=True):
            name = resource.key.name
            if why := meaning(request, reply.retval):
                self.failed[resource.key] = why
                for action in self.ready.left:
                    if action.resource.spec.get("interface") == name:
                        self.failed[action.key] = f"interface {name} is not there: {why}"
            else:
                indexes[name] = reply.fields["sw_if_index"]
                self.model.opened(name, indexes[name])
                self.revive(name, replace(site, interfaces=indexes))
        return replace(site, interfaces=indexes)

    def revive(self, name: str, site: Site) -> None:
        """Make routes anew over an interface that has come back with the index that it had.

        VPP shows them as they were, and drops what they get, until the last one with that next hop has gone.
        """
        over = f"interface {site.interfaces[name]}"
        ways = [one for one in self.ready.held.ways.values() if one.spec.get("interface") == over]
        anew = [replace(one, spec={**one.spec, "interface": name}) for one in ways]
        several = [(one.key, operation, True) for one in anew for operation in removal(one, site)]
        several += [(one.key, operation, False) for one in anew for operation in creation(one, site)]
        self.send([Step(*one) for one in several])

    def send(self, group: Iterable[Step]) -> None:
        """Send messages of one sort, and take note of those that VPP said no to."""
        if self.careful:
            group = self.safe(list(group))
        sent: list[Step] = []

        def counted() -> Iterator[Operation]:
            for step in group:
                sent.append(step)
                yield step.operation

        try:
            replies = self.client.send(counted(), shown=self.shown)
        except HarmfulError as error:
            raise PermanentError(str(error), {sent[-1].key: str(error)}) from error
        for step, reply in zip(sent, replies, strict=True):
            if reply.retval and (why := meaning(step.operation, reply.retval)):
                self.failed.setdefault(step.key, why)
                self.careful = True

    def safe(self, group: Sequence[Step]) -> list[Step]:
        """Return what may still be sent now that something before it was not done, by a model made anew."""
        self.shown = False
        self.model.learn(read(self.client, _ALL))
        # Nobody took note of the lists that went by messages which were not shown.
        if self.model.lists or any(step.operation.message == "sr_policy_mod" for step in group):
            self.model.learn_lists(read_lists(self.client))
        self.careful = False
        model = self.model.copied()
        for step in group:
            try:
                check(model, step.operation)
            except HarmfulError as error:
                self.failed.setdefault(step.key, str(error))
        return [step for step in group if step.key not in self.failed]
