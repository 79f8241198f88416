"""The code blocks of a Markdown page, and the commands in them.

    for block in blocks(ROOT / "docs/deploy.md"):
        block.kind, block.line, block.text, block.runs

A block runs in a test when `<!-- runs -->` stands before it.
"""

import dataclasses
import re

FENCE = re.compile(r"^(?P<before>(?:<!-- runs -->\n)?)(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
                   re.M | re.S)
HEREDOC = re.compile(r"^cat >(\S+) <<'(\w+)'\n(.*?\n)\2\n", re.M | re.S)


@dataclasses.dataclass
class Block:
    page: str
    line: int
    kind: str
    text: str
    runs: bool

    def __str__(self):
        return f"{self.page}:{self.line}"

    def script(self):
        """What a shell would read: of a console block, what was typed."""
        if self.kind != "console":
            return self.text
        return "".join(line[2:] + "\n" for line in self.text.splitlines() if line.startswith("$ "))

    def files(self):
        """Those that it writes: (name, content)."""
        return [(name, content) for name, _, content in HEREDOC.findall(self.text)]

    def commands(self, program):
        """Each command line of that program, also within $( )."""
        typed = HEREDOC.sub("", self.script()).replace("\\\n", "")
        inside = re.findall(rf"\$\(({program} [^()]*)\)", typed)
        return inside + re.findall(rf"^{program} .*$", typed, re.M)


def blocks(path):
    text = path.read_text()
    for m in FENCE.finditer(text):
        indent = m["indent"]
        body = "".join(line.removeprefix(indent) for line in m["text"].splitlines(keepends=True))
        yield Block(path.name, text.count("\n", 0, m.start()) + 1, m["kind"], body, bool(m["before"]))
