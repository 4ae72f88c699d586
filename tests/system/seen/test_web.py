"""Dashboards in a real browser: who sees what, by keys and mouse, and what other sites' pages cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from nshell.lab.probing import wait_until
from tests.system.seen.browsers import Visitor, launched
from tests.system.seen.web_site import OTHER, PASSWORD, WRONG, Web, served


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(tmp_path_factory.mktemp("wb")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture
def visitor(web: Web, browser: Browser) -> Iterator[Visitor]:
    made = Visitor(browser, web.port)
    try:
        yield made
    finally:
        made.close()
        assert wait_until(lambda: not web.sessions(), 20)


def test_a_password_shows_the_dashboard_and_nothing_else_does(web: Web, visitor: Visitor) -> None:
    visitor.log_in("nobody", PASSWORD)
    assert visitor.page.inner_text(".problem") == WRONG
    visitor.try_again("ann", OTHER)
    assert visitor.page.inner_text(".problem") == WRONG and not web.sessions()
    visitor.try_again("ann", PASSWORD)
    visitor.shows("ann", "quit")
    assert "ann" in web.sessions() and "127.0.0.1:" in web.sessions()
    (cookie,) = (one for one in visitor.cookies if one["name"] == "__Host-nshell")
    assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict" and len(cookie["value"]) == 43
    assert {urlsplit(url).netloc for url in visitor.requests if not url.startswith("data:")} == {
        f"127.0.0.1:{web.port}"
    }, "nothing comes from another host"
    assert not visitor.problems
    log = web.shell.log()
    assert PASSWORD not in log and OTHER not in log and cookie["value"] not in log


def test_keys_and_mouse_reach_the_dashboard_and_a_resize_does(web: Web, visitor: Visitor) -> None:
    visitor.log_in("ann", PASSWORD)
    visitor.shows("quit")
    visitor.command("show version")
    visitor.shows(web.run("show version").split("\n")[0][:30])
    visitor.page.keyboard.press("Escape")
    visitor.page.keyboard.press("Escape")
    visitor.shows("Overview", "Fabric")
    visitor.click("Events")
    visitor.until(lambda: any("\x1b[<0;" in message[1] for message in visitor.sent if message[0] == "stdin"), "a click")
    visitor.until(lambda: not visitor.screen.find("Fabric"), "another screen")
    columns = visitor.columns
    visitor.page.set_viewport_size({"width": 1500, "height": 900})
    visitor.until(lambda: max(map(len, visitor.screen.lines())) > columns, "a wider dashboard")
    assert visitor.sizes[-1]["width"] > columns
    visitor.type("q")
    visitor.page.wait_for_selector("body.-closed")
    assert wait_until(lambda: not web.sessions(), 20)
    visitor.page.click("text=Open it again")
    visitor.shows("quit")


def test_two_users_at_once_see_what_each_may_see(web: Web, visitor: Visitor, browser: Browser) -> None:
    tom = Visitor(browser, web.port)
    try:
        visitor.log_in("ann", PASSWORD)
        tom.log_in("tom", OTHER)
        for who, sees in ((visitor, True), (tom, False)):
            who.shows("quit")
            who.command("show enterprises")
            who.shows("acme")
            assert (who.screen.find("umbrella") is not None) is sees
        assert tom.screen.find("tom") and not tom.screen.find("ann ")
        shown = web.sessions()
        assert "ann" in shown and "tom" in shown
    finally:
        tom.close()


def test_who_has_as_many_dashboards_as_a_user_may_reads_so_in_the_page(
    web: Web, visitor: Visitor, browser: Browser
) -> None:
    web.commit("set web sessions-per-user 1")
    again = Visitor(browser, web.port)
    try:
        visitor.log_in("ann", PASSWORD)
        visitor.shows("quit")
        again.log_in("ann", PASSWORD)
        again.shows("web sessions-per-user", "1 dashboard is open already, all of them yours", "end one with q")
        again.page.wait_for_selector("body.-closed")
    finally:
        again.close()
        web.commit("delete web sessions-per-user")


def test_leaving_ends_the_dashboard_and_the_cookie(web: Web, visitor: Visitor) -> None:
    visitor.log_in("ann", PASSWORD)
    visitor.shows("quit")
    (cookie,) = (one for one in visitor.cookies if one["name"] == "__Host-nshell")
    visitor.page.click("#logout")
    visitor.page.wait_for_url("**/login")
    assert wait_until(lambda: not web.sessions(), 20)
    assert web.curl("-b", f"__Host-nshell={cookie['value']}", f"{web.base}/static/js/textual.js")[0] == 401
    visitor.page.goto(f"{web.base}/")
    assert visitor.page.url.endswith("/login")


def test_who_is_deleted_or_gets_another_class_or_password_is_shown_out(web: Web, visitor: Visitor) -> None:
    web.commit(f"set user eve class super-user password {PASSWORD}")
    changes = ("set user eve class operator", f"set user eve password {OTHER}", "delete user eve")
    for change, password in zip(changes, (PASSWORD, PASSWORD, OTHER), strict=True):
        visitor.log_in("eve", password)
        visitor.shows("eve", "quit")
        web.commit(change)
        visitor.page.wait_for_selector("body.-closed")
        visitor.page.goto(f"{web.base}/")
        assert visitor.page.url.endswith("/login")


def test_a_page_of_another_site_cannot_open_a_dashboard_or_log_anybody_in(web: Web, visitor: Visitor) -> None:
    visitor.log_in("ann", PASSWORD)
    visitor.shows("quit")
    visitor.page.route("https://evil.example/", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
    visitor.page.goto("https://evil.example/")
    tried = """async (url) => await new Promise(done => {
        const socket = new WebSocket(url);
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
    })"""
    assert visitor.page.evaluate(tried, f"wss://127.0.0.1:{web.port}/ws?width=80&height=24") == "refused"
    framed = f"document.body.innerHTML = '<iframe src=\"{web.base}/login\"></iframe>'"
    visitor.page.evaluate(framed)
    visitor.until(lambda: len(visitor.page.frames) > 1, "a frame")
    visitor.page.wait_for_timeout(300)
    assert all("password" not in frame.content() for frame in visitor.page.frames), "no page of ours is in a frame"
    fields = "".join(f'<input name="{name}">' for name in ("user", "password", "token"))
    posted = f"""document.body.innerHTML = '<form method="post" action="{web.base}/login">{fields}</form>';
        document.forms[0].submit()"""
    with visitor.page.expect_navigation():
        visitor.page.evaluate(posted)
    assert "must be asked for from a page of this server" in visitor.page.content()
