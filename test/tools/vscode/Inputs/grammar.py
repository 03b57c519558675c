# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The grammar for editors has the words of the compiler, and colours sources.

usage: grammar.py VSCODE_FOLDER VOCABULARY EXAMPLES

VOCABULARY is what `rapt-lsp --vocabulary` prints. The grammar is a list of
patterns of one line each, written with what the regular expressions of Python
and of editors share: the leftmost match wins, of several the first.
"""

import json
import pathlib
import re
import sys

# Which scope a word of a kind has where it stands alone or, for a function, in
# front of its parenthesis.
SCOPES = {
    "keyword": "keyword.control",
    "role": "keyword.other.role",
    "position": "variable.language",
    "candidate": "variable.language",
    "axis": "support.constant",
    "pooling": "support.constant",
    "constant": "constant.language",
    "type": "storage.type",
    "member": "variable.other.member",
    "function": "support.function",
}
CONTEXT = {"role": "{} = 1", "function": "{}(x)", "member": "a.{}"}


class Grammar:
    def __init__(self, path):
        self.json = json.loads(path.read_text())
        self.rules = []
        for pattern in self.json["patterns"]:
            self.add(pattern)

    def add(self, pattern):
        if "include" in pattern:
            return self.add(self.json["repository"][pattern["include"][1:]])
        for inner in pattern.get("patterns", []):
            self.add(inner)
        if "match" in pattern:
            self.rules.append((re.compile(pattern["match"]), pattern))

    def tokens(self, line):
        """The text and scope of everything that has a scope."""
        at = 0
        while True:
            found = [(rule.search(line, at), pattern) for rule, pattern in self.rules]
            found = [(match, pattern) for match, pattern in found if match]
            if not found:
                return
            match, pattern = min(found, key=lambda pair: pair[0].start())
            assert match.end() > at, f"{pattern} matches nothing in {line!r}"
            if "name" in pattern:
                yield match.group(), pattern["name"].removesuffix(".attn")
            for group, capture in pattern.get("captures", {}).items():
                yield match.group(int(group)), capture["name"].removesuffix(".attn")
            at = match.end()


def checkVocabulary(grammar, vocabulary):
    known = set()
    for line in vocabulary.read_text().splitlines():
        kind, word = line.split()
        known.add(word)
        if kind == "over":
            continue
        text = CONTEXT.get(kind, "{}").format(word)
        tokens = list(grammar.tokens(text))
        assert (word, SCOPES[kind]) in tokens, f"{kind} {word} is coloured as {tokens}"
    # Nor does it know words that the compiler does not.
    arguments = set("over by where force stride sink eps theta at".split())
    for rule, pattern in grammar.rules:
        for group in re.findall(r"\\b\(([a-z0-9_|]+)\)", rule.pattern):
            extra = set(group.split("|")) - known - arguments
            assert not extra, f"the grammar has {extra}, the compiler does not"


EXPECTED = [
    (
        "param n = 4 in 1..8 // let x",
        [
            ("param", "keyword.control"),
            ("n", "variable.other.definition"),
            ("=", "keyword.operator"),
            ("4", "constant.numeric"),
            ("in", "keyword.control"),
            ("1", "constant.numeric"),
            ("..", "keyword.operator"),
            ("8", "constant.numeric"),
            ("// let x", "comment.line.double-slash"),
        ],
    ),
    (
        "mask = i >= j & score == 1.5e-3",
        [
            ("mask", "keyword.other.role"),
            ("=", "keyword.operator"),
            ("i", "variable.language"),
            (">=", "keyword.operator"),
            ("j", "variable.language"),
            ("&", "keyword.operator"),
            ("score", "variable.language"),
            ("==", "keyword.operator"),
            ("1.5e-3", "constant.numeric"),
        ],
    ),
    (
        "let in_top = top(n, near.weight, where = c < i)",
        [
            ("let", "keyword.control"),
            ("in_top", "variable.other.definition"),
            ("=", "keyword.operator"),
            ("top", "support.function"),
            ("n", "variable.other"),
            ("near", "variable.other"),
            ("weight", "variable.other.member"),
            ("where", "variable.parameter"),
            ("=", "keyword.operator"),
            ("c", "variable.language"),
            ("<", "keyword.operator"),
            ("i", "variable.language"),
        ],
    ),
]


def main(folder, vocabulary, examples):
    package = json.loads((folder / "package.json").read_text())
    language = package["contributes"]["languages"][0]
    json.loads((folder / language["configuration"]).read_text())
    source = package["contributes"]["grammars"][0]
    grammar = Grammar(folder / source["path"])
    assert grammar.json["scopeName"] == source["scopeName"]
    assert source["language"] == language["id"]
    assert (folder / package["main"]).exists()
    checkVocabulary(grammar, vocabulary)
    for line, expected in EXPECTED:
        found = list(grammar.tokens(line))
        assert found == expected, f"{line}: {found}"
    # Every word and number of every example has a colour.
    sources = sorted(examples.glob("*.attn"))
    assert sources
    for path in sources:
        for line in path.read_text().splitlines():
            code = line.split("//")[0]
            wanted = len(re.findall(r"\b[A-Za-z_]\w*\b|(?<![\w.])\d", code))
            found = [
                token
                for token, scope in grammar.tokens(code)
                if re.match(r"\w", token)
            ]
            assert len(found) >= wanted, f"{path.name}: {line}: {found}"
    print(f"grammar agrees with the compiler; {len(sources)} examples")


main(*map(pathlib.Path, sys.argv[1:]))
