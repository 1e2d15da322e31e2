#!/usr/bin/env python3
"""JSON and TOML by descriptors beside python3's json and tomllib: random orders, texts changed at random, and lists of
what has to be taken and refused.

usage: reflect_oracle.py PROGRAM [SEED]      PROGRAM: runtime/tests/reflect_oracle
"""
import json
import random
import subprocess
import sys
import tomllib

PROGRAM = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
rng = random.Random(SEED)
failures = 0


def ask(mode, texts):
    """Texts are bytes without a line's end; answers come in their order."""
    run = subprocess.run([PROGRAM, mode], input=b"\n".join(texts) + b"\n", stdout=subprocess.PIPE, timeout=60)
    if run.returncode != 0:
        sys.exit("%s ended with %d (seed %d)" % (mode, run.returncode, SEED))
    answers = run.stdout.split(b"\n")[:-1]
    if len(answers) != len(texts):
        sys.exit("%s gave %d answers for %d texts" % (mode, len(answers), len(texts)))
    return answers


def wrong(what, text, answer):
    global failures
    failures += 1
    if failures < 10:
        print("%s (seed %d)\n  text   %r\n  answer %r" % (what, SEED, text[:400], answer[:400]), file=sys.stderr)


def word(most):
    alphabet = "abcXYZ 09_-./\\\"'\b\f\n\r\t\x01\x1f\x7f\u00e4\u20ac\ud7ff\ue000\uffff\U00010000\U0010ffff"
    text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(12)))
    while len(text.encode()) > most:
        text = text[:-1]
    return text


def number():
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randrange(-1000, 1000)
    if kind == 1:
        return rng.randrange(-100000, 100000) / 100
    if kind == 2:
        return rng.random() * 10.0 ** rng.randrange(-300, 300)
    if kind == 3:
        return rng.choice([0.0, -0.0, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 9007199254740993.0, 1e23, 0.1])
    return rng.getrandbits(64) / (1 << rng.randrange(64))


def order(toml):
    items = [{"name": word(1000), "price": abs(number()), "amount": rng.randrange(1, 1025), "code": word(7)}
             for _ in range(rng.choice([0, 1, 2, 3, 9]))]
    o = {"id": rng.choice([0, 1, rng.getrandbits(63), (1 << 63) - 1 if toml else (1 << 64) - 1]), "customer-name": word(1000),
         "items": items, "state": rng.choice(["new", "paid", "lost it", 77]), "urgent": rng.random() < 0.5}
    if rng.random() < 0.5:
        o["weight"] = number()
    if rng.random() < 0.5:
        o["discount"] = rng.randrange(-(1 << 31), 1 << 31)
    if rng.random() < 0.3:
        o["secret"] = word(11) or "x"
    return o


def shuffled(o):
    keys = list(o)
    rng.shuffle(keys)
    return {k: o[k] for k in keys}


def blank():
    return rng.choice(["", "", "", " ", "\t", "\r"])


def json_write(v):
    if isinstance(v, dict):
        return "{" + ",".join(blank() + json_write(k) + blank() + ":" + json_write(x) for k, x in shuffled(v).items()) + blank() + "}"
    if isinstance(v, list):
        return "[" + ",".join(blank() + json_write(x) for x in v) + blank() + "]"
    return json.dumps(v, ensure_ascii=rng.random() < 0.5) + blank()


def toml_write(o):
    def value(v):
        if isinstance(v, str):
            return json.dumps(v, ensure_ascii=False).replace("\x7f", "\\u007f")
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, int) and v >= 0 and rng.random() < 0.3:
            return rng.choice([hex, oct, bin])(v)
        if isinstance(v, int) and rng.random() < 0.3:
            return "{:_}".format(v)
        if isinstance(v, list):
            return "[" + ",\n".join(" {" + ", ".join("%s = %s" % (k, value(x)) for k, x in e.items()) + "}" for e in v) + "# end\n]"
        return repr(v)

    lines, tables = [], []
    for k, v in shuffled(o).items():
        if k == "items" and v and rng.random() < 0.6:
            for e in v:
                tables.append("[[ items ]]")
                tables += ["%s=%s # x" % (k, value(x)) for k, x in e.items()]
        else:
            lines.append("%s = %s" % (rng.choice([k, '"%s"' % k, "'%s'" % k]), value(v)))
    return "\n".join(lines + tables)


def same(a, b):
    """As json.loads has them; -0.0 is not 0.0."""
    if isinstance(a, float) or isinstance(b, float):
        return repr(float(a)) == repr(float(b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def orders(mode, count):
    wanted = [order(mode == "toml") for _ in range(count)]
    if mode == "toml":
        texts = [toml_write(o).encode().replace(b"\n", b"\x1e") for o in wanted]
    else:
        texts = [json_write(o).encode() for o in wanted]
    for o, text, answer in zip(wanted, texts, ask(mode, texts)):
        o["items"] = o["items"] or []
        if answer.startswith(b"error") or not same(o, json.loads(answer)):
            wrong("not the same order", text, answer)


def json_takes(text):
    """python takes more than RFC 8259, here refused: its constants, halves of surrogate pairs, levels without end."""
    def refuse(_):
        raise ValueError("a constant")
    try:
        decoded = text.decode()
        if decoded.startswith("\ufeff"):
            return False
        v = json.loads(decoded, parse_constant=refuse, object_pairs_hook=lambda pairs: {"pairs": pairs})
        json.dumps(v, ensure_ascii=False).encode()
        return isinstance(v, dict)
    except (ValueError, RecursionError):
        return False


def is_large(v):
    if isinstance(v, (dict, list)):
        return any(map(is_large, v.values() if isinstance(v, dict) else v))
    return isinstance(v, int) and not -(1 << 63) <= v < 1 << 63


def toml_takes(text):
    """None: numbers of more than 64 bits, which python takes."""
    try:
        return None if is_large(tomllib.loads(text.replace(b"\x1e", b"\n").decode())) else True
    except (ValueError, RecursionError):
        return False


def changed(text, pieces):
    text = bytearray(text)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            del text[at:at + rng.randrange(1, 4)]
        elif kind == 1:
            text[at:at] = rng.choice(pieces)
        elif kind == 2 and at < len(text):
            text[at] = rng.choice(b"\x00\x1f\x7f\x80\xc0\xed\xf4\xff{}[]\",:0eE+-.tfn\\u# =_'")
        else:
            other = rng.randrange(len(text) + 1)
            text[at:at] = text[min(at, other):max(at, other)][:20]
    return bytes(text).replace(b"\n", b" ")


JSON_PIECES = [b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\\ud83e\\udd85", b"\\x", b"1e5", b"-", b"01", b"1.", b".5", b"0e+1", b"null",
               b"[]", b"{}", b"\"\"", b",", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"NaN", b"/**/", b"\xef\xbb\xbf"]
TOML_PIECES = [b"\x1e", b"[a]\x1e", b"[[a]]\x1e", b"a.b=1\x1e", b"x = 1979-05-27\x1e", b"1979-05-27T07:32:00Z", b"07:32:00.5", b"\"\"\"", b"'''",
               b"{a=1}", b"0x_1", b"1__0", b"+inf", b"nan", b"#", b"\\u00e9", b"\\", b"\xe2\x82\xac", b"1979-13-01", b"-0", b"0b12", b"\r\x1e"]


def changes(mode, count):
    toml = mode.startswith("toml")
    texts = []
    for _ in range(count):
        o = order(toml)
        o["items"] = o["items"][:2]
        text = toml_write(o).encode().replace(b"\n", b"\x1e") if toml else json_write(o).encode()
        texts.append(changed(text, TOML_PIECES if toml else JSON_PIECES))
    for text, answer in zip(texts, ask(mode, texts)):
        takes = toml_takes(text) if toml else json_takes(text)
        if takes is not None and (answer == b"ok") != takes:
            wrong("python says otherwise", text, answer)


def listed(mode, path):
    """Lines "+ text" are taken, "- text" refused; JSON's are values, which stand in an object here."""
    rows = [r for r in open(path, "rb").read().split(b"\n") if r[:2] in (b"+ ", b"- ")]
    texts = []
    for row in rows:
        text = row[2:].decode("unicode_escape").encode("latin-1")
        texts.append(text.replace(b"\n", b"\x1e") if mode.startswith("toml") else b'{"v":' + text + b"}")
    for row, text, answer in zip(rows, texts, ask(mode, texts)):
        if (answer == b"ok") != row.startswith(b"+"):
            wrong("of the list %s" % path, row, answer)
    return len(rows)


def main():
    here = sys.path[0]
    orders("order", 700)
    orders("toml", 300)
    changes("check", 3000)
    changes("toml-check", 1500)
    if listed("check", here + "/json_texts") + listed("toml-check", here + "/toml_texts") < 150:
        sys.exit("the lists of texts are not there")
    sys.exit(1 if failures else 0)


main()
