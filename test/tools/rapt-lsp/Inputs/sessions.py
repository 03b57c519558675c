# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""usage: sessions.py EXAMPLES"""

import pathlib
import sys

from session import Session, place

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
NOT_INITIALIZED, NO_METHOD = -32002, -32601
CAUSAL = "attention t { mask = i >= j }"


def errorOf(answer, id=None):
    assert answer["id"] == id, answer
    return answer["error"]["code"]


def endsOfASession():
    session = Session()
    assert session.capabilities["capabilities"]["textDocumentSync"]["change"] == 2
    assert session.end() == 0
    # exit without shutdown, and the end of input without either
    session = Session()
    session.notify("exit", None)
    assert session.wait() == 1
    assert Session().wait() == 1
    session = Session(initialize=False)
    session.notify("exit", None)
    assert session.wait() == 1


def orderOfASession():
    session = Session(initialize=False)
    hover = {"textDocument": {"uri": "file:///t.attn"}, "position": {}}
    assert errorOf(session.request("textDocument/hover", hover), 1) == NOT_INITIALIZED
    session.notify("textDocument/didOpen", {})
    session.call("initialize", {"capabilities": {}})
    again = session.request("initialize", {"capabilities": {}})
    assert errorOf(again, 3) == INVALID_REQUEST
    assert session.open(CAUSAL) == []
    session.call("shutdown", None)
    late = session.request("textDocument/hover", hover)
    assert errorOf(late, 5) == INVALID_REQUEST
    session.notify("exit", None)
    assert session.wait() == 0


def messagesThatAreNone():
    session = Session()
    for body, code in [
        (b"{", PARSE_ERROR),
        (b"nonsense", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', PARSE_ERROR),
        (b"[" * 100000 + b"]" * 100000, PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b"17", INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"jsonrpc":"2.0"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":5}', INVALID_REQUEST),
    ]:
        session.sendBody(body)
        assert errorOf(session.read()) == code, body
    # An answer that nobody asked for, and a cancellation.
    session.send({"id": 99, "result": None})
    session.send({"id": 98, "error": {"code": 1, "message": "no"}})
    session.notify("$/cancelRequest", {"id": 99})
    # Headers that other clients send, and such that are none.
    session.sendBytes(b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n")
    assert errorOf(session.request("no/method", {}), 2) == NO_METHOD
    session.sendBytes(b"Nonsense\r\n")
    for params in (
        None,
        [],
        {},
        {"textDocument": {"uri": "file:///t.attn"}},
        {"textDocument": {"uri": "file:///t.attn"}, "position": {"line": "0"}},
        {"textDocument": {"uri": 5}, "position": {"line": 0, "character": 0}},
    ):
        answer = session.request("textDocument/hover", params)
        assert errorOf(answer, session.number) == INVALID_PARAMS, params
    # Notifications have no answers, and the server goes on.
    session.notify("textDocument/didOpen", {"textDocument": 3})
    session.notify("textDocument/didChange", {})
    session.notify(
        "textDocument/didChange",
        {
            "textDocument": {"uri": "file:///none.attn", "version": 2},
            "contentChanges": [{"text": ""}],
        },
    )
    assert session.open(CAUSAL) == []
    for line, character in [(0, 10**9), (10**9, 0), (-1, -1)]:
        for method in ("hover", "definition", "completion"):
            session.at(method, line, character)
    assert session.end() == 0


def largeAndDeepFiles():
    session = Session()
    # Nearly a mebibyte: of lines, of one line, of definitions, of comments.
    size = 1000000
    lines = "attention t {\n" + "  let x = i + j\n" * (size // 16) + "}\n"
    assert session.open(lines) == []
    assert session.at("hover", 60000, 6)["contents"]["value"].count("let x") == 1
    assert session.at("completion", 60000, 10)["items"]
    assert session.open("attention t { mask = " + "i + " * (size // 4) + "j < 1 }")
    assert session.at("hover", 0, size // 2 + 1)["contents"]
    session.open("\n".join(f"attention t{n} {{ }}" for n in range(size // 20)))
    assert session.open("//" * (size // 2) + "\n" + CAUSAL) == []
    # Beyond the limit one message says so.
    (error,) = session.open(CAUSAL + " " * 1100000)
    assert "bytes, the limit is" in error["message"], error
    # Nothing but errors.
    for text in ("x " * (size // 2), "let " * (size // 4), "} { " * (size // 4)):
        assert session.open("attention t { " + text)
        session.at("completion", 0, size - 100)
    # Deep, and deeper than allowed.
    for bracket, close in ("()", "[]", "{}"):
        for depth in (150, 199, 100000):
            text = bracket * depth
            assert session.open(f"attention t {{ mask = {text}{close * depth} }}")
            assert session.open(f"attention t {{ mask = {text}")
            session.at("completion", 0, 21 + depth)
            session.at("hover", 0, 21 + depth // 2)
    nested = "attention t { mask = " + "(" * 198 + "i >= j" + ")" * 198 + " }"
    assert session.open(nested) == []
    assert "boolean" in session.at("hover", 0, 221)["contents"]["value"]
    assert session.end() == 0


def typing(examples):
    """Every example, typed from its first letter on: each state of the text is
    answered, and the last is right."""
    session = Session()
    for path in examples:
        text = path.read_text()
        session.open("")
        sent = 0
        while sent < len(text):
            part = text[sent : sent + 7]
            before = text[:sent]
            line = before.count("\n")
            character = len(before.split("\n")[-1])
            at = {"line": line, "character": character}
            found = session.change([{"range": {"start": at, "end": at}, "text": part}])
            sent += len(part)
            session.at("completion", line, character)
            session.at("hover", line, character)
        errors = [each for each in found if each["severity"] == 1]
        assert not errors, (path, errors)
    assert session.end() == 0


def places():
    session = Session()
    text, line, character = place(
        "attention t { param n = 2 // \U0001d11e\u00e9\n let x = n\n"
        " /* */ mask = i - j < ^n }",
        "^",
    )
    session.open(text)
    # A word behind an error still answers.
    assert "param n" in session.at("hover", line, character)["contents"]["value"]
    (given,) = session.at("definition", line, character)
    assert given["range"]["start"] == {"line": 0, "character": 20}, given
    # A place behind characters outside the basic plane.
    text, line, character = place("attention \U0001d11e t { }", " t")
    (error,) = session.open(text)[:1]
    assert error["range"] == {
        "start": {"line": 0, "character": 10},
        "end": {"line": 0, "character": 12},
    }, error
    # Comments answer nothing.
    session.open("attention t { mask = i >= j // let it\n}")
    assert session.at("hover", 0, 32) is None
    assert session.at("completion", 0, 34)["items"] == []
    assert session.end() == 0


endsOfASession()
orderOfASession()
messagesThatAreNone()
places()
largeAndDeepFiles()
typing(sorted(pathlib.Path(sys.argv[1]).glob("*.attn"))[::4])
print("all sessions are right")
