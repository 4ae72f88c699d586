"""What a command over SSH says besides itself."""

from __future__ import annotations

import pytest

from data.errors import SyntaxProblem
from nshell.ssh.channel import JSON, KEEP_GOING, shows_unicode, split_options


def test_options_stand_before_the_command_or_in_the_environment() -> None:
    assert split_options("show version", {}) == ("show version", set())
    assert split_options("--json --keep-going show version", {}) == ("show version", {JSON, KEEP_GOING})
    assert split_options("--json", {}) == ("", {JSON})
    assert split_options("show x", {"NSHELL_JSON": "1", "NSHELL_KEEP_GOING": "0"}) == ("show x", {JSON})
    assert split_options('set enterprise a description "--json"', {})[1] == set()
    with pytest.raises(SyntaxProblem, match="--nonsense"):
        split_options("--nonsense show", {})


def test_who_says_nothing_of_the_locale_shows_unicode() -> None:
    assert shows_unicode({}) and shows_unicode({"LANG": "de_DE.UTF-8"}) and shows_unicode({"LC_ALL": "C.utf8"})
    assert not shows_unicode({"LANG": "C"}) and not shows_unicode({"LC_ALL": "POSIX", "LANG": "C.UTF-8"})
