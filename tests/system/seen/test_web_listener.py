"""Where a web server listens and with which certificate: with the commit, or not at all."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.trust.authority import Authority
from nshell.lab.probing import wait_until
from tests.system.seen.web_site import PASSWORD, Web, logged_in, served
from tests.transcripts.shell import free_ports


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(tmp_path_factory.mktemp("wb")) as made:
        yield made


def trusted(web: Web, address: str, authority: Path, port: int | None = None) -> str:
    """What curl says, which trusts this authority alone; '' when all is well."""
    url = f"https://{address}:{port or web.port}/login"
    words = ["curl", "-sS", "-o", "/dev/null", "-m", "20", "--cacert", str(authority), url]
    return subprocess.run(words, capture_output=True, text=True, timeout=40, check=False).stderr


def test_who_trusts_the_controllers_authority_trusts_it_by_every_name_and_address(web: Web, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text(web.run("show web authority"))
    assert "PRIVATE" not in authority.read_text()
    web.commit("set web listen-address 0.0.0.0")
    for address in ("127.0.0.1", "localhost", "127.0.0.23"):
        assert trusted(web, address, authority) == ""
    web.commit("set web listen-address ::1")
    assert trusted(web, "[::1]", authority) == ""
    web.commit("set web listen-address 127.0.0.1")
    shown = web.run("show web")
    assert "listening" in shown and "127.0.0.23" in shown and "signed by the controller's authority" in shown


def test_a_port_that_is_taken_fails_the_commit_and_nothing_is_applied(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said = web.commit(f"set web port {taken}", code=4)
        assert f"cannot listen on 127.0.0.1 port {taken}: address already in use" in said
        assert web.curl(f"{web.base}/login")[0] == 200
    web.run("discard")
    moved = free_ports(1)[0]
    web.commit(f"set web port {moved}")
    assert web.curl(f"https://127.0.0.1:{moved}/login")[0] == 200
    web.commit(f"set web port {web.port}")
    assert web.curl(f"{web.base}/login")[0] == 200


def test_a_certificate_of_ones_own_is_used_from_the_commit_on_and_when_it_is_replaced(web: Web, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other")
    (tmp_path / "other.pem").write_text(other.pem)
    file = tmp_path / "own.pem"
    said = web.commit(f"set web certificate {file}", code=4)
    assert f"web certificate\n  {file}: No such file or directory" in said
    assert web.curl(f"{web.base}/login")[0] == 200
    file.write_bytes(other.web(["127.0.0.1"], time.time()).read_bytes())
    web.run("commit")
    assert trusted(web, "127.0.0.1", tmp_path / "other.pem") == ""
    assert str(file) in web.run("show web")
    web.commit("delete web certificate")
    assert "certificate" in trusted(web, "127.0.0.1", tmp_path / "other.pem")


def test_a_port_that_is_taken_at_start_is_told_and_opened_when_it_is_free(web: Web) -> None:
    web.shell.end()
    with socket.create_server(("127.0.0.1", web.port), reuse_port=False):
        assert wait_until(lambda: "cannot listen" in web.run("show web"), 30, 0.3)
        assert "cannot listen" in web.run("show system events")
    assert wait_until(lambda: web.curl(f"{web.base}/login")[0] == 200, 30, 0.3)
    assert "at last" in web.run("show system events")


def test_without_an_address_everybody_is_shown_out(web: Web) -> None:
    cookie = logged_in(web, "ann", PASSWORD)
    assert web.curl("-b", f"__Host-nshell={cookie}", f"{web.base}/")[0] == 200
    web.commit("delete web listen-address")
    assert web.curl(f"{web.base}/login")[0] == 0
    assert "there is no web server" in web.run("show web")
    web.commit("set web listen-address 127.0.0.1")
    assert web.curl("-b", f"__Host-nshell={cookie}", f"{web.base}/static/js/textual.js")[0] == 401
