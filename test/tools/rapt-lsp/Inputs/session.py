# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A client of rapt-lsp over pipes, with the framing of the protocol."""

import json
import subprocess


class Session:
    """One run of the server. Answers are read one by one, each within a limit
    that a hang would exceed; a server that ends early gives None."""

    def __init__(self, initialize=True):
        self.process = subprocess.Popen(
            ["timeout", "60", "rapt-lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.number = 0
        self.versions = {}
        if initialize:
            self.capabilities = self.call("initialize", {"capabilities": {}})
            self.notify("initialized", {})

    def sendBytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def sendBody(self, body):
        self.sendBytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send(self, message):
        self.sendBody(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def read(self):
        length = None
        while True:
            line = self.process.stdout.readline()
            if not line:
                return None
            if not line.strip():
                break
            name, value = line.split(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self.process.stdout.read(length))

    def notify(self, method, params):
        self.send({"method": method, "params": params})

    def request(self, method, params):
        """The whole answer, with its result or its error."""
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        answer = self.read()
        assert answer["id"] == self.number, answer
        return answer

    def call(self, method, params):
        answer = self.request(method, params)
        assert "result" in answer, answer
        return answer["result"]

    def open(self, text, uri="file:///t.attn"):
        """The diagnostics of a new text."""
        self.versions[uri] = 1
        document = {"uri": uri, "languageId": "attn", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self.readDiagnostics(uri)

    def change(self, changes, uri="file:///t.attn"):
        self.versions[uri] += 1
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": self.versions[uri]},
                "contentChanges": changes,
            },
        )
        return self.readDiagnostics(uri)

    def readDiagnostics(self, uri):
        message = self.read()
        assert message["method"] == "textDocument/publishDiagnostics", message
        params = message["params"]
        assert params["uri"] == uri and params["version"] == self.versions[uri]
        return params["diagnostics"]

    def at(self, method, line, character, uri="file:///t.attn", **more):
        return self.call(
            "textDocument/" + method,
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                **more,
            },
        )

    def end(self):
        """The exit status after a proper end."""
        assert self.call("shutdown", None) is None
        self.notify("exit", None)
        return self.wait()

    def wait(self):
        self.process.stdin.close()
        return self.process.wait()


def place(text, marker):
    """Text without its `marker`, and the line and UTF-16 column where it was."""
    before, after = text.split(marker)
    line = before.split("\n")[-1]
    return before + after, before.count("\n"), len(line.encode("utf-16-le")) // 2
