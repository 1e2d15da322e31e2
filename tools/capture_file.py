"""Captures of osprey as Python objects: docs/capture-format.md is their specification.

    capture = Capture.load("shop.capture")
    for tick in capture.ticks:
        for answer in tick.answers: answer.key, answer.data, answer.errno
    capture.save("other.capture")

Keys and data are bytes; data is None where the kernel refused (errno says how). Compression is
left to the program zstd, so that nothing beyond Python's own library is needed.
"""

import re
import subprocess

MAGIC = b"osprey-capture 1\n"


class NotACapture(Exception):
    pass


class Answer:
    __slots__ = ("key", "data", "errno")

    def __init__(self, key, data=None, errno=0):
        self.key, self.data, self.errno = key, data, errno


class Tick:
    def __init__(self, mono_ns, boot_ns, real_ns):
        self.mono_ns, self.boot_ns, self.real_ns = mono_ns, boot_ns, real_ns
        self.answers = []


def _line(text, at):
    end = text.find(b"\n", at)
    if end < 0:
        raise NotACapture("the last line has no end")
    return text[at:end], end + 1


def _answer(line, text, at):
    word, number, key = line.split(b" ", 2)
    if word == b"miss":
        return Answer(key, errno=int(number)), at
    end = at + int(number)
    if text[end:end + 1] != b"\n":
        raise NotACapture("an answer does not end where its length says")
    return Answer(key, text[at:end]), end + 1


class Capture:
    def __init__(self):
        self.ticks = []

    @classmethod
    def parse(cls, text):
        if not text.startswith(MAGIC):
            raise NotACapture("it does not begin with '%s'" % MAGIC.decode().strip())
        capture, at = cls(), len(MAGIC)
        while at < len(text):
            line, at = _line(text, at)
            if line.startswith(b"tick "):
                capture.ticks.append(Tick(*map(int, line.split()[1:])))
            elif line.startswith((b"have ", b"miss ")) and capture.ticks:
                answer, at = _answer(line, text, at)
                capture.ticks[-1].answers.append(answer)
            else:
                raise NotACapture("unknown line %r" % line[:60])
        return capture

    @classmethod
    def load(cls, path):
        unpacked = subprocess.run(["zstd", "-dcq", path], capture_output=True)
        if unpacked.returncode:
            raise NotACapture(unpacked.stderr.decode().strip() or "zstd failed")
        return cls.parse(unpacked.stdout)

    def text(self):
        out = [MAGIC]
        for tick in self.ticks:
            out.append(b"tick %d %d %d\n" % (tick.mono_ns, tick.boot_ns, tick.real_ns))
            for a in tick.answers:
                if a.data is None:
                    out.append(b"miss %d %s\n" % (a.errno, a.key))
                else:
                    out.append(b"have %d %s\n%s\n" % (len(a.data), a.key, a.data))
        return b"".join(out)

    def save(self, path):
        subprocess.run(["zstd", "-q", "-19", "--check", "-f", "-o", path],
                       input=self.text(), check=True)

    def answers(self, key=None):
        for tick in self.ticks:
            for answer in tick.answers:
                if key is None or answer.key == key:
                    yield answer

    def drop(self, wanted):
        """Forgets the answers for which wanted(answer) is true."""
        for tick in self.ticks:
            tick.answers = [a for a in tick.answers if not wanted(a)]

    def drop_keys(self, pattern):
        search = re.compile(pattern).search
        self.drop(lambda a: search(a.key))

    def drop_lines(self, key_pattern, line_pattern):
        """Forgets lines within the answers to some keys."""
        key_search, line_search = re.compile(key_pattern).search, re.compile(line_pattern).search
        for a in self.answers():
            if a.data is not None and key_search(a.key):
                lines = a.data.splitlines(keepends=True)
                a.data = b"".join(l for l in lines if not line_search(l.rstrip(b"\n")))

    def replace(self, pattern, text):
        """In keys and answers."""
        compiled = re.compile(pattern)
        for a in self.answers():
            a.key = compiled.sub(text, a.key)
            if a.data is not None:
                a.data = compiled.sub(text, a.data)

    def cut(self, seconds):
        """Keeps the first seconds, up to the last whole look at the machine within them."""
        end_ns = self.ticks[0].mono_ns + int(seconds * 1e9)
        looks = [i for i, t in enumerate(self.ticks)
                 if t.mono_ns <= end_ns and any(a.key == b"list:/proc" for a in t.answers)]
        if looks:
            del self.ticks[looks[-1] + 1:]

    def places(self, pattern):
        """Keys of the answers in which a pattern occurs, each once, in their order."""
        search, found = re.compile(pattern).search, {}
        for a in self.answers():
            if search(a.key) or (a.data is not None and search(a.data)):
                found[a.key] = True
        return list(found)
