"""The page of a review in a real browser: it shows what changes, and asks nobody for anything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from intentc.cli import run
from tests.review_cases import ROOT, commit, start

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--window-size=1400,2000",
)  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = [pytest.mark.real, pytest.mark.skipif(BROWSER is None, reason="no chromium here")]


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """Serve on a port of this machine, and note who asks for what."""
    asked: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is inherited
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", asked
        listening.shutdown()


def browse(tmp_path: Path, *words: str) -> bytes:
    profile = tmp_path / f"profile-{len(list(tmp_path.iterdir()))}"
    command = [str(BROWSER), *QUIET, f"--user-data-dir={profile}", *words]
    return subprocess.run(command, check=True, capture_output=True, timeout=90).stdout


def changed(tmp_path: Path, evil: str) -> Path:
    """Return the page of a change in which a user wrote HTML."""
    folder = start(tmp_path / "repository")
    shutil.copytree(ROOT / "examples" / "upf-sriov", folder, dirs_exist_ok=True)
    commit(folder, "example")
    networks = folder / "intent" / "networks.yaml"
    text = networks.read_text().replace("GTP-U from the RAN", f"'{evil}'").replace("vlan: 1404", "vlan: 1405")
    networks.write_text(text)
    out = tmp_path / "review.html"
    assert run(["-C", str(folder), "ledger", "update"]) == 0
    assert run(["-C", str(folder), "diff", "--out", str(out)]) == 2
    return out


def test_a_browser_shows_it_and_asks_for_nothing(tmp_path: Path, server: tuple[str, list[str]]) -> None:
    address, asked = server
    evil = f'<img src="{address}/img"><script>fetch("{address}/script")</script><b onmouseover=x>'
    out = changed(tmp_path, evil)
    shown = browse(tmp_path, "--dump-dom", "--virtual-time-budget=2000", out.as_uri()).decode()
    assert "VirtualNetwork/n4" in shown
    assert "reserved_vlan_id: 1405" in shown
    assert "<svg" in shown
    assert "mark narrow changed" in shown
    assert "&lt;img src=" in shown
    assert "<img" not in shown
    assert "<script" not in shown
    assert asked == []


def test_the_policy_stops_even_a_page_that_was_tampered_with(
    tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    address, asked = server
    out = changed(tmp_path, "plain")
    more = f'<img src="{address}/img"><script src="{address}/script"></script>'
    tampered = out.read_text().replace("<main>", f"<main>{more}")
    out.write_text(tampered)
    browse(tmp_path, "--dump-dom", "--virtual-time-budget=2000", out.as_uri())
    assert asked == []
    out.write_text(tampered.replace("Content-Security-Policy", "X-None"))
    browse(tmp_path, "--dump-dom", "--virtual-time-budget=2000", out.as_uri())
    assert asked, "without the policy the browser would ask, so the test can fail"


def test_a_screenshot_is_a_picture(tmp_path: Path) -> None:
    out = changed(tmp_path, "plain")
    picture = tmp_path / "page.png"
    browse(tmp_path, f"--screenshot={picture}", out.as_uri())
    data = picture.read_bytes()
    assert data.startswith(PNG)
    assert len(data) > 50_000, "a blank page is smaller"
