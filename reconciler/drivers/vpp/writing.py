"""One commit while it is under way: what is left of a batch, sent in a safe order, and every answer read.

No message leaves that the guard has not passed. What VPP refuses fails by itself; from then on everything is
judged by what VPP shows, and no longer by what it was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from reconciler.drivers.base import PermanentError
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.dumps import SOURCE, read, read_lists
from reconciler.drivers.vpp.guard import HarmfulError, check
from reconciler.drivers.vpp.model import Model
from reconciler.drivers.vpp.retvals import meaning
from reconciler.drivers.vpp.staging import Ready, pairs, unsayable
from reconciler.plan import Action
from renderers.resource import Key
from renderers.vpp_messages import ORDER, Operation, Site, creation, opening
from renderers.vpp_transition import Step, steps

PRIORITY: Final = 0x70
"""Of our routes: behind interfaces and SRv6, before those of anybody who uses the API or the command line."""
EVERYTHING: Final = frozenset({"policy", "steering", "way"})
"""The large dumps."""


class Writing:
    """One commit; `failed` is filled with why objects could not be brought to what they shall be."""

    def __init__(
        self, client: Client, model: Model, ready: Ready, failed: dict[Key, str], *, shown: bool
    ) -> None:
        """Send nothing yet; `shown`: the steps are those that were rehearsed on the model as it is."""
        self.client = client
        self.model = model
        self.ready = ready
        self.failed = failed
        self.shown = shown
        self.careful = False
        """Whether something was refused since VPP was read: the rest may rest on what is not there."""

    def run(self) -> None:
        """Send everything, sort by sort, and read every answer before the next sort."""
        site = self.opened(replace(self.ready.site, source=self.source()))
        left = [action for action in self.ready.left if action.key not in self.failed]
        if self.ready.only_new:
            for _, several in groupby(sorted(left, key=_order), key=_order):
                self.relearn()
                self.answered(self.made(several, site), shown=True)
            return
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
        return replace(site, interfaces=indexes)

    def made(self, actions: Iterable[Action], site: Site) -> Iterator[Step]:
        """Yield what makes new objects, shown to the guard as it leaves; what is refused is left out by name.

        An object leaves whole or not at all. So messages are made and judged while VPP works on earlier ones.
        """
        for action in actions:
            if action.after is None:
                raise ValueError(f"{action.key} is to be made, and there is nothing to make")
            try:
                operations = creation(action.after, site)
                for operation in operations:
                    check(self.model, operation)
            except HarmfulError as error:
                self.failed[action.key] = str(error)
                self.careful = True
            except (LookupError, TypeError, ValueError):
                if not (why := unsayable(action, site)):
                    raise
                self.failed[action.key] = why
            else:
                for operation in operations:
                    yield Step(action.key, operation, going=False)

    def send(self, group: Iterable[Step]) -> None:
        """Send messages of one sort, each shown to the guard before it leaves, or rehearsed."""
        self.answered(self.safe(list(group)) if self.careful else group, shown=self.shown)

    def answered(self, group: Iterable[Step], *, shown: bool) -> None:
        """Send messages of one sort, and take note of those that VPP said no to."""
        sent: list[Step] = []

        def counted() -> Iterator[Operation]:
            for step in group:
                sent.append(step)
                yield step.operation

        try:
            replies = self.client.send(counted(), shown=shown)
        except HarmfulError as error:
            raise PermanentError(str(error), {sent[-1].key: str(error)}) from error
        for step, reply in zip(sent, replies, strict=True):
            if reply.retval and (why := meaning(step.operation, reply.retval)):
                self.failed.setdefault(step.key, why)
                self.careful = True

    def relearn(self) -> None:
        """Judge by what VPP shows, where something was refused since it was read."""
        if self.careful:
            self.model.learn(read(self.client, EVERYTHING))
            self.careful = False

    def safe(self, group: Sequence[Step]) -> list[Step]:
        """Return what may still be sent now that something before it was not done, by a model made anew."""
        self.shown = False
        self.relearn()
        # Nobody took note of the lists that went by messages which were not shown.
        if self.model.lists or any(step.operation.message == "sr_policy_mod" for step in group):
            self.model.learn_lists(read_lists(self.client))
        model = self.model.copied()
        for step in group:
            try:
                check(model, step.operation)
            except HarmfulError as error:
                self.failed.setdefault(step.key, str(error))
        return [step for step in group if step.key not in self.failed]


def _order(action: Action) -> int:
    return ORDER.index(action.key.type)


def _sort(step: Step) -> tuple[object, ...]:
    """Return what messages have in common that are sent without waiting for each other's answers.

    A route that makes room for steering must be gone: VPP would lay both over each other, and say nothing.
    """
    alone = step.operation.message if step.key.type == "steering" else ""
    return step.key.type, step.going, alone
