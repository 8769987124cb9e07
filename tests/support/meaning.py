"""meaning: what the query language means, said a second time: LANGUAGE.md over a listing of truth.py.

Slow, simple and written from the manual alone. Sets of entries are whole numbers, a bit an entry, in
the order of the index; a term is such a number, and the rest is `&`, `|` and `~`.

Texts are compared as str with surrogateescape: a byte that is not UTF-8 is a character of its own,
which nothing but itself, `?`, `*` and `[^...]` of globs match.
"""
import os
import re

from truth import AT, FIELDS


def text(data):
    return data.decode("utf-8", "surrogateescape")


def is_raw(c):
    return "\udc80" <= c <= "\udcff"


def fold_char(c):
    """Simple case folding: CaseFolding.txt, status C and S."""
    full = c.casefold()
    if len(full) == 1:
        return full
    low = c.lower()
    return low if len(low) == 1 else c


FOLDED = {}


def fold(s):
    for c in s:
        if c not in FOLDED:
            FOLDED[c] = fold_char(c)
    return "".join(map(FOLDED.__getitem__, s))


def ascii_fold(s):
    return "".join(chr(ord(c) | 0x20) if "A" <= c <= "Z" else c for c in s)


def has_upper(s):
    return any(c.isupper() for c in s)


class Entry:
    """One row, and the texts that terms look at."""

    def __init__(self, number, path, row, root, root_name):
        self.number, self.path, self.row, self.root_name = number, path, row, root_name
        below = path[len(root):].lstrip(b"/")
        self.is_root = not below
        self.below = text(below)
        self.name = self.below.rpartition("/")[2]
        self.slashed = "/" + self.below if below else ""
        self.folded_name, self.folded = fold(self.name), fold(self.slashed)
        self.shown_name = os.path.basename(path)
        self.type = row[0]

    def __getattr__(self, field):
        if field in AT:
            return self.row[AT[field]]
        raise AttributeError(field)


class World:
    """The entries of an index in its order; `listings` is {root: (name, listing)}."""

    def __init__(self, order, listings):
        self.entries = []
        for number, path in enumerate(order):
            root = max((r for r in listings if path == r or path.startswith(r + b"/")), key=len)
            name, listing = listings[root]
            self.entries.append(Entry(number, path, listing[path], root, name))
        self.all = (1 << len(self.entries)) - 1
        self.not_empty = {os.path.dirname(path) for path in order}
        self.alphabet = sorted({c for e in self.entries for c in e.below})

    def where(self, holds):
        return int("".join("1" if holds(e) else "0" for e in reversed(self.entries)) or "0", 2)

    def members(self, mask):
        return [e for e, bit in zip(self.entries, reversed(f"{mask:0{len(self.entries)}b}")) if bit == "1"]

    # Terms; `exact`: True, False, or None for smart case.

    def word(self, needle, on_name, exact):
        if any(map(is_raw, needle)):
            return self.bytes(needle, on_name, exact)
        if exact if exact is not None else has_upper(needle):
            return self.where(lambda e: needle in (e.name if on_name else e.slashed))
        low = fold(needle)
        return self.where(lambda e: low in (e.folded_name if on_name else e.folded))

    def bytes(self, needle, on_name, exact):
        """What is not UTF-8 is looked for as bytes, within characters, too, and folds in ASCII only."""
        exact = exact if exact is not None else has_upper(needle)
        needle = needle.encode("utf-8", "surrogateescape")

        def holds(e):
            data = (e.name if on_name else e.slashed).encode("utf-8", "surrogateescape")
            return needle in data if exact else needle.lower() in data.lower()
        return self.where(holds)

    def glob(self, pattern, on_name, exact):
        folded = not (exact if exact is not None else has_upper(pattern))
        if "/" not in pattern:
            on_name = True
        elif pattern.startswith("/"):
            pattern = pattern[1:]
        else:
            pattern = "**/" + pattern
        machine = re.compile(glob_expression(fold(pattern) if folded else pattern), re.S)
        if on_name:
            return self.where(lambda e: machine.fullmatch(e.folded_name if folded else e.name) is not None)
        return self.where(lambda e: machine.fullmatch(e.folded[1:] if folded else e.below) is not None)

    def regex(self, tree, on_name, exact):
        """`tree`: see expression()."""
        folded = exact is False or exact is None and any(map(str.isalpha, literals(tree))) and not has_upper(literals(tree))
        machine = re.compile(expression(tree, self.alphabet, folded), re.S)
        return self.where(lambda e: machine.search(e.name if on_name else e.below) is not None)

    def ext(self, items):
        tails = ["." + ascii_fold(i) for i in items]
        return self.where(lambda e: e.type != "d" and any(len(e.name) > len(t) and ascii_fold(e.name).endswith(t) for t in tails))

    def number(self, field, lo, hi):
        return self.where(lambda e: lo <= e.row[AT[field]] <= hi)

    def empty(self):
        return self.where(lambda e: e.type == "f" and e.size == 0 or e.type == "d" and e.path not in self.not_empty)

    def below(self, directory):
        """What is under an absolute directory, roots below it with their own entries."""
        there = directory.rstrip(b"/") + b"/"
        return self.where(lambda e: e.path.startswith(there))

    def key(self, e, field):
        """What sorting by a field compares."""
        if field == "path":
            return e.path
        if field == "name":
            return e.shown_name
        if field == "dir":
            return os.path.dirname(e.path)
        if field == "root":
            return e.root_name.encode()
        if field == "ext":
            name = e.name.encode("utf-8", "surrogateescape")
            dot = name.rfind(b".")
            return name[dot + 1:] if dot > 0 and e.type != "d" else b""
        assert field in FIELDS, field
        return e.row[AT[field]]

    def sorted(self, members, keys):
        """Ties stay in the order of the index."""
        for field, descending in reversed(keys):
            members = sorted(members, key=lambda e, f=field: self.key(e, f), reverse=descending)
        return members


def glob_set(pattern, at):
    """The set that opens at `at`: its members as (low, high), whether it is negated, where it ends."""
    at += 1
    negated = at < len(pattern) and pattern[at] in "!^"
    at += negated
    ranges, first = [], at
    while pattern[at] != "]" or at == first:
        at += pattern[at] == "\\"
        low = high = pattern[at]
        at += 1
        if pattern[at] == "-" and pattern[at + 1] != "]":
            at += 1
            at += pattern[at] == "\\"
            high = pattern[at]
            at += 1
        ranges.append((low, high))
    return ranges, negated, at + 1


def glob_expression(pattern):
    """A shell pattern as one of Python's."""
    out, at = "", 0
    while at < len(pattern):
        c = pattern[at]
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            out += "(?:.*/)?"
            at += 3
        elif pattern.startswith("**", at):
            out += ".*"
            while pattern.startswith("*", at):
                at += 1
        elif c == "*":
            out += "[^/]*"
            at += 1
        elif c == "?":
            out += "[^/]"
            at += 1
        elif c == "[":
            ranges, negated, at = glob_set(pattern, at)
            inside = "".join(re.escape(low) + "-" + re.escape(high) for low, high in ranges if low <= high)
            # Neither kind takes a slash.
            out += (f"[^{inside}/]" if negated else f"(?!/)[{inside}]") if inside else ("[^/]" if negated else "(?!)")
        else:
            at += c == "\\"
            out += re.escape(pattern[at])
            at += 1
    return out


# Regular expressions are made and understood as trees:
#   ("set", negated, [(low, high)...])  ("any",)  ("char", c)  ("start",)  ("end",)
#   ("cat", [tree...])  ("or", [tree...])  ("times", tree, low, high or None, lazy)

def literals(tree):
    """The characters that stand for themselves."""
    if tree[0] == "char":
        return tree[1]
    if tree[0] == "set":
        return "".join(low + high for low, high in tree[2])
    if tree[0] in ("cat", "or"):
        return "".join(map(literals, tree[1]))
    return literals(tree[1]) if tree[0] == "times" else ""


def one_of(characters):
    return "[" + "".join(map(re.escape, characters)) + "]" if characters else "(?!)"


def expression(tree, alphabet, folded):
    """In Python's words: what depends on case or on UTF-8 is spelled out over all characters there are."""
    kind = tree[0]
    if kind == "char":
        return one_of([c for c in alphabet if c == tree[1] or folded and fold(c) == fold(tree[1])])
    if kind == "any":
        return one_of([c for c in alphabet if not is_raw(c)] + ["/"])
    if kind == "set":
        inside = {c for c in alphabet for low, high in tree[2] if low <= c <= high and not is_raw(c)}
        if folded:
            # A range holds what is the same as one of its members, be that in the tree or not.
            same = {fold(chr(c)) for low, high in tree[2] for c in range(ord(low), ord(high) + 1)}
            inside = {c for c in alphabet if fold(c) in same}
        return one_of([c for c in alphabet if (c in inside) != tree[1] and not is_raw(c)])
    if kind == "cat":
        return "".join(expression(t, alphabet, folded) for t in tree[1])
    if kind == "or":
        return "(?:" + "|".join(expression(t, alphabet, folded) for t in tree[1]) + ")"
    if kind == "times":
        _, inner, low, high, lazy = tree
        return f"(?:{expression(inner, alphabet, folded)}){{{low},{'' if high is None else high}}}{'?' if lazy else ''}"
    return {"start": r"\A", "end": r"\Z"}[kind]
