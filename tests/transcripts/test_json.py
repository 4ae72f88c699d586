"""With --json every command prints one JSON document, whatever went wrong: the transcript of bad input once more."""

from __future__ import annotations

import json

from tests.transcripts.shell import Shell
from tests.transcripts.test_transcripts import HERE, steps


def test_each_error_of_the_transcripts_is_one_document(shell: Shell) -> None:
    errors = 0
    for step in steps((HERE / "bad_input.txt").read_text()):
        if not step.commands:
            shell.script(step.script)
            continue
        said = [line for line in step.expected if line]
        code = int(said[-1][1:-1]) if said and said[-1].startswith("[") else 0
        done = shell.run("--json", *(word for line in step.commands for word in ("-c", line)))
        assert done.returncode == code, step.lines
        documents = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(documents) == len(step.commands), step.lines
        if code:
            errors += 1
            error = documents[-1]["error"]
            assert error["exit_code"] == code and error["cause"] and error["remedy"], step.lines
            assert code == 1 or error["where"] or "column" in error, step.lines
            assert error["cause"] in "\n".join(line.strip() for line in said), step.lines
    assert errors > 30


def test_what_the_client_itself_refuses_is_one_document_too(shell: Shell) -> None:
    for arguments, code in (
        (("--no-start", "-c", "show version"), 5),
        (("--nonsense",), 2),
        (("run",), 2),
        (("run", "missing"), 1),
        (("-c",), 2),
    ):
        done = shell.run("--json", *arguments)
        assert done.returncode == code and not done.stderr, arguments
        error = json.loads(done.stdout)["error"]
        assert error["exit_code"] == code and error["cause"]


def test_lines_without_an_end_and_files_that_are_no_text_are_one_document_too(shell: Shell) -> None:
    for text in ("set enterprise acme description " + "x" * 70_000, "# fine\nshow " + "[" * 70_000):
        done = shell.run("--json", text=text)
        assert done.returncode == 2
        error = json.loads(done.stdout)["error"]
        assert "characters" in error["cause"] and "65536" in error["remedy"] and "standard input line" in error["where"]
    (shell.work / "binary").write_bytes(b"set enterprise acme\n\xff\xfe\0\0")
    done = shell.run("--json", "run", "binary")
    assert done.returncode == 2 and "not UTF-8" in json.loads(done.stdout)["error"]["cause"]
    assert shell.commands("configure", "compare").stdout == "no difference\n"
