"""Logging in through the web: how long it lasts, and what ends it."""

from __future__ import annotations

from controller.events import Events
from data.configuration import Running
from data.schema.accounts import User
from nshell.sessions.visitors import Visitors
from nshell.web.logins import KEPT, OWN, Login, Logins
from tests.unit.data.examples import running

USERS = "set user ann class super-user password Correct.Horse\nset user bob class operator password Correct.Horse\n"


class Door:
    """Logins over a configuration and a clock that a test moves."""

    def __init__(self, lines: str = USERS) -> None:
        self.acting: Running = running(lines)
        self.now = 1000.0
        self.events = Events()
        self.logins = Logins(lambda: self.acting, Visitors(self.events), lambda: self.now)

    def log_in(self, name: str = "ann") -> tuple[str, Login]:
        user = self.acting.get(("user", name))
        assert isinstance(user, User)
        self.now += 1
        return self.logins.add(user, name, "web 192.0.2.1:4711")


def test_a_cookie_is_whose_it_was_given_to_and_any_other_is_nobodys() -> None:
    door = Door()
    (ann, _), (bob, _) = door.log_in("ann"), door.log_in("bob")
    found = [door.logins.find(cookie) for cookie in (ann, bob)]
    assert [login.user for login in found if login] == ["ann", "bob"]
    for cookie in ("", None, ann[:-1], ann + "a", "x" * 43, "é" * 43, "\udcff" * 43, "x" * 10_000):
        assert door.logins.find(cookie) is None
    assert len(ann) == 43 and ann not in repr(vars(door.logins))


def test_it_ends_when_it_is_not_used_for_as_long_as_the_configuration_says() -> None:
    door = Door(USERS + "set system idle-timeout 10")
    cookie, login = door.log_in()
    said: list[str] = []
    login.ends.add(said.append)
    for _ in range(5):
        door.now += 9 * 60
        door.logins.check()
        door.logins.use(login)
    assert door.logins.find(cookie) is login and not said
    door.now += 10 * 60 + 1
    door.logins.check()
    assert said == ["the session ends: no key was pressed for 10 min"]
    assert door.logins.find(cookie) is None and not list(door.logins)
    assert ["in", "out"] == [event.facts["state"] for event in door.events]


def test_without_such_a_time_it_stays() -> None:
    door = Door(USERS + "set system idle-timeout 0")
    cookie, _ = door.log_in()
    door.now += 1e7
    assert door.logins.find(cookie) is not None


def test_it_ends_with_its_user_and_with_another_class_or_password_and_with_nothing_else() -> None:
    for lines, stays in (
        (USERS.partition("\n")[2], False),
        (USERS.replace("super-user", "operator"), False),
        (USERS.replace("Correct.Horse", "Other.Horse"), False),
        (USERS + "set user eve class operator", True),
    ):  # fmt: skip
        door = Door()
        cookie, login = door.log_in()
        said: list[str] = []
        login.ends.add(said.append)
        changed = running(lines)
        before = door.acting.get(("user", "ann"))
        now = changed.get(("user", "ann"))
        if stays:
            door.acting = Running({path: item for path, item in changed.walk() if path != ("user", "ann")}
                                  | {("user", "ann"): before}, 2)  # fmt: skip
        else:
            door.acting = changed
            assert now is None or now != before
        door.logins.changed({("user", "ann"): now})
        assert (door.logins.find(cookie) is login) is stays and bool(said) is not stays


def test_one_user_keeps_no_other_out_and_those_who_look_stay() -> None:
    door = Door()
    first, login = door.log_in("ann")
    login.ends.add(lambda why: None)
    others = [door.log_in("ann")[0] for _ in range(OWN + 5)]
    bob, _ = door.log_in("bob")
    assert len(list(door.logins)) == OWN + 1 <= KEPT
    assert door.logins.find(first) is login, "it has a dashboard"
    assert door.logins.find(others[0]) is None and door.logins.find(others[-1]) is not None
    assert door.logins.find(bob) is not None
