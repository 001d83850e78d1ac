from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent.kinds.project import Target
from reconciler.drivers import open_driver
from reconciler.drivers.base import (
    DriverError,
    Lease,
    Observation,
    PermanentError,
    Superseded,
    TransientError,
)
from reconciler.drivers.directory import Directory
from reconciler.drivers.layout import Damaged, decode, encode, is_ours, path_of
from reconciler.git import git
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.rules import Impact

NOTHING = Impact("hitless", "")

NAD = Resource(
    Key("kubernetes", "cluster/east", "NetworkAttachmentDefinition", "default/blue"),
    {"kind": "NetworkAttachmentDefinition", "metadata": {"name": "blue"}},
    "VirtualNetwork/blue",
    (Key("kubernetes", "cluster/east", "Namespace", "default"),),
)
POLICY = Resource(Key("vpp", "node/east/w1", "policy", "fd00::1"), {"weight": 1}, "SRv6Policy/gold")
SCRIPT = Resource(
    Key("vpp", "node/east/w1", "exec", "w1.exec"), {"text": "sr policy add\n"}, "Node/w1", view=True
)
CONFIG = Resource(
    Key("frr", "fabric/dc1", "config", "leaf1.conf"), {"text": "hostname leaf1\n"}, "Fabric/dc1"
)


def actions(*after: Resource, gone: tuple[Resource, ...] = ()) -> list[Action]:
    made = [Action("t", "create", 0, None, resource, "", NOTHING) for resource in after]
    return made + [Action("t", "delete", 0, resource, None, "", NOTHING) for resource in gone]


def do(driver: Directory, *after: Resource, gone: tuple[Resource, ...] = ()) -> None:
    batch = driver.stage(actions(*after, gone=gone))
    driver.commit(batch)
    assert driver.verify(batch) == ()


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()
    }


@pytest.fixture
def driver(tmp_path: Path) -> Directory:
    return Directory("review", tmp_path / "rendered")


def refused(driver: Directory, *after: Resource) -> str:
    with pytest.raises(PermanentError) as raised:
        driver.stage(actions(*after))
    return str(raised.value)


def test_the_tree_reads_well(driver: Directory) -> None:
    do(driver, NAD, POLICY, SCRIPT, CONFIG)
    assert tree(driver.root) == {
        "frr/fabric/dc1/leaf1.conf": (
            "! intentc subject=Fabric/dc1&key=frr:fabric/dc1:config:leaf1.conf\nhostname leaf1\n"
        ),
        "kubernetes/east/default/NetworkAttachmentDefinition-blue.yaml": (
            "# intentc subject=VirtualNetwork/blue"
            "&key=kubernetes:cluster/east:NetworkAttachmentDefinition:default/blue"
            "&needs=kubernetes:cluster/east:Namespace:default\n"
            "kind: NetworkAttachmentDefinition\n"
            "metadata:\n"
            "  name: blue\n"
        ),
        "vpp/node/east/w1/policy.jsonl": (
            '{"intentc": ["vpp", "node/east/w1", "policy"]}\n'
            '{"name": "fd00::1", "subject": "SRv6Policy/gold", "needs": [], "spec": {"weight": 1}}\n'
        ),
        "vpp/node/east/w1/w1.exec": (
            "comment { intentc subject=Node/w1&key=vpp:node/east/w1:exec:w1.exec&view=true }\nsr policy add\n"
        ),
    }


def test_objects_of_a_file_are_sorted_however_they_came(driver: Directory) -> None:
    first, second = (Resource(POLICY.key._replace(name=name), {}) for name in ("a", "b"))
    do(driver, second)
    do(driver, first)
    (text,) = tree(driver.root).values()
    assert [line[:12] for line in text.splitlines()[1:]] == ['{"name": "a"', '{"name": "b"']


def test_a_cluster_wide_object_has_no_namespace() -> None:
    pool = Resource(Key("kubernetes", "cluster/east", "IPPool", "blue"), {"kind": "IPPool"})
    assert path_of(pool) == "kubernetes/east/_cluster/IPPool-blue.yaml"


def test_the_last_object_takes_its_file_and_empty_folders_with_it(driver: Directory) -> None:
    do(driver, NAD, POLICY)
    (driver.root / "vpp" / "README").write_text("kept by people\n")
    do(driver, gone=(NAD, POLICY))
    assert tree(driver.root) == {"vpp/README": "kept by people\n"}
    assert sorted(path.name for path in driver.root.rglob("*")) == ["README", "vpp"]


def test_names_cannot_leave_the_tree(driver: Directory, tmp_path: Path) -> None:
    nasty = [
        Resource(Key("vpp", "../..", "../up", "x"), {"a": 1}),
        Resource(Key("vpp", "node/east/w1", "exec", "../../../../up"), {"text": "up\n"}),
        Resource(Key("kubernetes", "cluster/..", "Kind", "../x/../../y"), {"a": 1}),
        Resource(Key("frr", "", ".hidden", ""), {"text": "x"}),
        Resource(Key("frr", "a//b", "c\nd", "%2F\0"), {"a": 1}),
    ]
    do(driver, *nasty)
    assert dict(driver.observe().resources) == {resource.key: resource for resource in nasty}
    assert [path.name for path in tmp_path.iterdir()] == ["rendered"]
    assert not any(path.name.startswith(".") for path in driver.root.rglob("*"))


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
COLONLESS = ANY.map(lambda text: text.replace(":", ""))
KEYS = st.builds(Key, st.just("kubernetes") | COLONLESS, COLONLESS, COLONLESS, ANY)


@given(KEYS, st.sampled_from([{"text": "a"}, {"a": "b"}]))
def test_a_file_says_by_itself_what_it_holds(key: Key, spec: dict[str, str]) -> None:
    resource = Resource(key, spec, "Kind/é & x=y", (key,))
    path = path_of(resource)
    raw = encode(path, [resource])
    assert is_ours(raw)
    (found,) = decode(path, raw).values()
    assert found == resource
    assert (found.subject, found.needs) == (resource.subject, resource.needs)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_given_back_to_the_byte(text: str) -> None:
    resource = Resource(CONFIG.key, {"text": text})
    raw = encode(path_of(resource), [resource])
    assert raw.endswith(text.encode())
    assert decode(path_of(resource), raw)[CONFIG.key].spec == {"text": text}


def test_a_colon_that_could_not_be_read_back_is_refused(driver: Directory) -> None:
    assert "may hold a colon" in refused(
        driver, Resource(Key("frr", "fabric/a:b", "config", "x"), {"text": ""})
    )


@pytest.mark.parametrize("spec", [{"a": 1.5}, {"a": {1, 2}}, {"<<": 1}])
def test_what_a_manifest_cannot_say_is_refused_and_writes_nothing(
    driver: Directory, spec: dict[str, Any]
) -> None:
    assert "cannot be" in refused(driver, Resource(NAD.key, spec), POLICY)
    assert not driver.root.exists()


def test_two_objects_that_want_one_file_are_refused(driver: Directory) -> None:
    twin = Resource(SCRIPT.key._replace(type="script"), {"text": "other"})
    assert "want the same file" in refused(driver, SCRIPT, twin)
    do(driver, SCRIPT)
    assert "want the same file" in refused(driver, twin)


def test_text_does_not_break_into_a_file_of_objects(driver: Directory) -> None:
    do(driver, POLICY)
    for type_ in ("a", "z"):
        intruder = Resource(Key("vpp", "node/east/w1", type_, "policy.jsonl"), {"text": "x"})
        assert "want the same file" in refused(driver, intruder)
    assert driver.observe() == Observation({POLICY.key: POLICY})


def test_an_object_that_becomes_text_changes_its_file(driver: Directory) -> None:
    do(driver, POLICY)
    after = Resource(POLICY.key, {"text": "now text\n"})
    batch = driver.stage([Action("t", "update", 0, POLICY, after, "", NOTHING)])
    driver.commit(batch)
    assert dict(driver.observe().resources) == {POLICY.key: after}
    assert list(tree(driver.root)) == ["vpp/node/east/w1/fd00%3A%3A1"]


@pytest.mark.parametrize(
    ("resource", "damage", "why"),
    [
        (NAD, lambda text: text + "metadata: {}\n", "line 5: 'metadata' is said twice"),
        (NAD, lambda text: text + "---\nkind: Other\n", "this is not one manifest"),
        (NAD, lambda text: text.replace("kind: N", "- N"), "this is not YAML"),
        (NAD, lambda text: text.replace("&key=kubernetes", "&kee=kubernetes"), "'key'"),
        (NAD, lambda text: text.replace(":default/blue&", ":default/red&"), "moved or renamed"),
        (POLICY, lambda text: text[:-10], "cut off"),
        (POLICY, lambda text: text.replace("}}", "}"), "delimiter"),
        (POLICY, lambda text: text + text.split("\n")[1] + "\n", "an object is said twice"),
        (POLICY, lambda text: text + "<<<<<<< HEAD\n", "Expecting value"),
        (POLICY, lambda text: text.replace('"needs"', '"kneads"'), "needs"),
        (SCRIPT, lambda text: text.replace("w1:exec", "w2:exec"), "moved or renamed"),
    ],
)
def test_a_damaged_file_makes_the_observation_incomplete_and_is_named(
    driver: Directory, resource: Resource, damage: Callable[[str], str], why: str
) -> None:
    do(driver, resource, CONFIG)
    file = driver.root / path_of(resource)
    file.write_text(damage(file.read_text()))
    seen = driver.observe()
    assert not seen.complete
    assert seen.why.startswith(f"{driver.root.name}/{path_of(resource)}")
    assert why in seen.why
    assert dict(seen.resources) == {CONFIG.key: CONFIG}
    assert path_of(resource) in refused(driver, resource)


def test_nothing_is_deleted_from_a_file_that_cannot_be_read(driver: Directory) -> None:
    do(driver, POLICY)
    file = driver.root / path_of(POLICY)
    file.write_text(file.read_text() + "<<<<<<< HEAD\n")
    with pytest.raises(PermanentError, match=r"policy\.jsonl"):
        driver.stage(actions(gone=(POLICY,)))


def test_bytes_that_are_not_text_are_damage() -> None:
    with pytest.raises(Damaged, match="utf-8"):
        decode("a/b", b"# intentc key=a\n\xff")


def test_many_damaged_files_are_counted(driver: Directory) -> None:
    many = [Resource(NAD.key._replace(name=f"default/n{number}"), {}) for number in range(5)]
    do(driver, *many)
    for resource in many:
        (driver.root / path_of(resource)).write_text("# intentc broken\n")
    assert driver.observe().why.endswith(" and 2 more")


def test_a_folder_that_cannot_be_listed_makes_the_observation_incomplete(
    driver: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(driver, NAD, POLICY)
    scandir = os.scandir

    def guarded(path: Path) -> Any:
        if path.name == "vpp":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    seen = driver.observe()
    assert (dict(seen.resources), seen.complete) == ({NAD.key: NAD}, False)
    assert "Permission denied" in seen.why
    assert "Errno" not in seen.why


def test_links_are_not_followed(driver: Directory, tmp_path: Path) -> None:
    elsewhere = Directory("other", tmp_path / "elsewhere")
    do(elsewhere, NAD, POLICY)
    before = tree(elsewhere.root)
    driver.root.mkdir()
    (driver.root / "vpp").symlink_to(elsewhere.root / "vpp")
    file = driver.root / path_of(NAD)
    file.parent.mkdir(parents=True)
    file.symlink_to(elsewhere.root / path_of(NAD))
    assert driver.observe() == Observation({})
    assert "vpp is in the way and is not ours" in refused(driver, POLICY)
    assert "is in the way and is not ours" in refused(driver, NAD)
    driver.commit(driver.stage(actions(gone=(NAD, POLICY))))
    assert tree(elsewhere.root) == before
    assert file.is_symlink()


def test_special_files_are_not_opened(driver: Directory) -> None:
    driver.root.mkdir()
    os.mkfifo(driver.root / "pipe")
    assert driver.observe() == Observation({})


def test_hidden_files_are_not_looked_at(driver: Directory) -> None:
    do(driver, NAD)
    (driver.root / ".git").mkdir()
    (driver.root / ".git" / "x.yaml").write_text("# intentc broken\n")
    assert driver.observe() == Observation({NAD.key: NAD})


class Crash(BaseException):
    """The power goes."""


@pytest.mark.parametrize("survived", range(4))
def test_a_crash_leaves_each_file_old_or_new(
    driver: Directory, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    old = (NAD, POLICY, CONFIG, SCRIPT)
    new = tuple(
        Resource(entry.key, {"text": "new\n"} if "text" in entry.spec else {"new": True}) for entry in old
    )
    do(driver, *old)
    changes = [
        Action("t", "update", 0, before, after, "", NOTHING) for before, after in zip(old, new, strict=True)
    ]
    batch = driver.stage(changes)
    moved = iter(range(10))
    move = os.replace

    def fragile(source: str, target: str) -> None:
        if next(moved) == survived:
            raise Crash
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fragile)
        with pytest.raises(Crash):
            driver.commit(batch)
    again = Directory("review", driver.root)
    seen = again.observe()
    assert seen.complete
    assert dict(seen.resources) == {
        before.key: after if index < survived else before
        for index, (before, after) in enumerate(zip(old, new, strict=True))
    }
    again.commit(again.stage(changes))
    assert dict(again.observe().resources) == {resource.key: resource for resource in new}
    assert not any(path.name.startswith(".") for path in driver.root.iterdir())


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, TransientError), (errno.EROFS, PermanentError), (errno.EACCES, PermanentError)],
)
def test_failures_of_the_file_system_are_classed(
    driver: Directory, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DriverError]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind, match=os.strerror(number)):
        driver.stage(actions(NAD))


def test_a_file_that_cannot_be_replaced_fails_alone(
    driver: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(driver, SCRIPT)
    move = os.replace

    def guarded(source: str, target: str) -> None:
        if target.endswith("policy.jsonl"):
            raise PermissionError(errno.EACCES, "Permission denied")
        move(source, target)

    monkeypatch.setattr(os, "replace", guarded)
    batch = driver.stage(actions(POLICY, NAD, gone=(SCRIPT,)))
    assert [outcome.status for outcome in driver.commit(batch)] == ["failed", "done", "done"]
    assert driver.verify(batch) == (POLICY.key,)
    assert driver.observe() == Observation({NAD.key: NAD})
    assert not any(path.name.startswith(".") for path in driver.root.iterdir())


def test_a_name_too_long_for_a_file_is_refused_before_anything_changes(driver: Directory) -> None:
    long = Resource(Key("frr", "fabric/dc1", "config", "x" * 300), {"text": ""})
    do(driver, CONFIG)
    assert "too long" in refused(driver, long, NAD)
    assert dict(driver.observe().resources) == {CONFIG.key: CONFIG}


def test_files_and_folders_are_synced(driver: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    do(driver, POLICY)
    folder = (driver.root / path_of(POLICY)).parent
    assert synced[0].startswith(str(driver.root / ".intentc" / "staged-0"))
    assert {str(folder), str(folder.parent), str(driver.root)} <= set(synced[1:])


def test_of_two_writers_without_leases_the_first_is_kept_out(driver: Directory) -> None:
    do(driver, POLICY)
    other = Directory("other", driver.root)
    late = driver.stage(actions(NAD, gone=(POLICY,)))
    do(other, CONFIG)
    with pytest.raises(TransientError, match="another process is changing"):
        driver.commit(late)
    assert set(driver.observe().resources) == {POLICY.key, CONFIG.key}
    do(driver, NAD)
    assert set(driver.observe().resources) == {NAD.key, POLICY.key, CONFIG.key}


def test_whoever_is_late_changes_nothing_from_the_middle_of_a_commit_on(
    driver: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Lease("ann", 1000.0, 1), Lease("bob", 2000.0, 2)
    do(driver, CONFIG)
    driver.swap_lease(None, first)
    batch = driver.stage(actions(NAD, POLICY, SCRIPT, gone=(CONFIG,)), 1)
    moved: list[str] = []
    move = os.replace

    def overtaken(source: str, target: str) -> None:
        if len(moved) == 1:
            assert Directory("other", driver.root).swap_lease(first, second)
        move(source, target)
        moved.append(target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", overtaken)
        with pytest.raises(Superseded):
            driver.commit(batch)
    assert moved == [str(driver.root / path_of(NAD))]
    assert driver.observe() == Observation({NAD.key: NAD, CONFIG.key: CONFIG})
    assert sorted(path.name for path in driver.root.iterdir()) == [".intentc", "frr", "kubernetes"]
    assert sorted(path.name for path in (driver.root / ".intentc").iterdir()) == [".gitignore", "lease-2"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"holder": "ann"}',
        b"\xff",
        b'{"expires": "x"}',
        b'{"holder": "ann", "expires": NaN}',
    ],
)
def test_a_lease_that_cannot_be_read_is_nobodys(driver: Directory, content: bytes) -> None:
    driver.swap_lease(None, Lease("ann", 9e9, 1))
    (driver.root / ".intentc" / "lease-1").write_bytes(content)
    assert driver.lease() == Lease("", 0.0, 1)
    assert driver.swap_lease(driver.lease(), Lease("bob", 9e9, 2))


def test_the_hidden_folder_is_not_followed(driver: Directory, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    driver.root.mkdir()
    (driver.root / ".intentc").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermanentError, match="is in the way"):
        driver.swap_lease(None, Lease("ann", 9e9, 1))
    assert "is in the way" in refused(driver, NAD)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lease_that_is_a_link_or_a_pipe_is_nobodys(driver: Directory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"holder": "ann", "expires": 9e9}')
    folder = driver.root / ".intentc"
    folder.mkdir(parents=True)
    (folder / "lease-3").symlink_to(tmp_path / "secret")
    assert driver.lease() == Lease("", 0.0, 3)
    os.mkfifo(folder / "lease-4")
    assert driver.lease() == Lease("", 0.0, 4)


def test_what_a_crash_left_in_the_hidden_folder_is_swept(driver: Directory) -> None:
    driver.swap_lease(None, Lease("ann", 1.0, 1))
    driver.stage(actions(NAD), 1)
    (driver.root / ".intentc" / "swept-1-a").mkdir()
    (driver.root / ".intentc" / "new-1-a").touch()
    driver.swap_lease(driver.lease(), Lease("bob", 1.0, 2))
    assert sorted(path.name for path in (driver.root / ".intentc").iterdir()) == [".gitignore", "lease-2"]


def test_a_place_that_was_taken_and_swept_in_between_is_not_taken_again(
    driver: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = [Lease(holder, 9e8, token) for token, holder in enumerate(("ann", "bob", "cleo"), start=1)]
    driver.swap_lease(None, leases[0])
    link = os.link

    def late(source: str, place: str) -> None:
        monkeypatch.setattr(os, "link", link)
        other = Directory("other", driver.root)
        assert other.swap_lease(leases[0], leases[1])
        assert other.swap_lease(leases[1], leases[2])
        Path(source).touch()  # as if it came after the other one had swept
        link(source, place)

    monkeypatch.setattr(os, "link", late)
    assert not driver.swap_lease(leases[0], Lease("dora", 9e8, 2))
    assert driver.lease() == leases[2]
    assert sorted(path.name for path in (driver.root / ".intentc").iterdir()) == [".gitignore", "lease-3"]


def test_whoever_is_late_is_kept_out_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The takeover broke down after its lease was in, and before it had swept: it counts all the same."""
    late, next_ = Directory("t", tmp_path), Directory("t", tmp_path)
    assert late.swap_lease(None, Lease("a", 1.0, 1))
    waiting = late.stage(actions(POLICY), 1)

    def fail(_: str) -> None:
        raise OSError(errno.EAGAIN, "not now")

    with monkeypatch.context() as patched:
        patched.setattr("reconciler.drivers.fence.sync", fail)
        with pytest.raises(TransientError):
            next_.swap_lease(Lease("a", 1.0, 1), Lease("b", 2.0, 2))
    read = Directory._contents  # noqa: SLF001 -- the moment between reading and writing

    def contents(driver: Directory, wanted: list[Action]) -> Any:
        found = read(driver, wanted)
        with pytest.raises(DriverError):
            late.commit(waiting)
        return found

    monkeypatch.setattr(late.fence, "check", lambda _: None)  # it had looked before
    monkeypatch.setattr(Directory, "_contents", contents)
    next_.stage(actions(NAD), 2)
    assert next_.observe() == Observation({})


def test_writing_past_the_lease_is_refused_with_what_to_do(driver: Directory) -> None:
    driver.swap_lease(None, Lease("", 0.0, 1))
    with pytest.raises(Superseded, match="use `intentc apply`, or write elsewhere"):
        driver.stage(actions(NAD))


def test_looking_makes_nothing(driver: Directory) -> None:
    assert driver.lease() is None
    driver.observe()
    driver.commit(driver.stage(actions(gone=(NAD, POLICY))))
    assert not driver.root.exists()


def test_git_does_not_see_the_hidden_folder(driver: Directory) -> None:
    driver.swap_lease(None, Lease("ann", 1.0, 1))
    do_leased = driver.stage(actions(NAD), 1)
    driver.commit(do_leased)
    git(driver.root, "init", "--quiet")
    assert git(driver.root, "status", "--porcelain").split() == [b"??", b"kubernetes/"]


def test_a_refused_batch_lets_others_in(driver: Directory) -> None:
    do(driver, POLICY)
    (driver.root / path_of(CONFIG)).parent.mkdir(parents=True)
    (driver.root / path_of(CONFIG)).write_text("mine\n")
    refused(driver, CONFIG)
    do(Directory("other", driver.root), NAD)


def test_a_folder_that_leads_in_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PermanentError, match="of target t leads in a circle"):
        Directory("t", tmp_path / "loop").stage(actions(POLICY))


def test_a_target_of_the_project_opens_its_driver(tmp_path: Path) -> None:
    driver = open_driver(Target(name="review", path="out/rendered"), tmp_path)
    assert isinstance(driver, Directory)
    assert (driver.name, driver.root) == ("review", tmp_path.resolve() / "out/rendered")
