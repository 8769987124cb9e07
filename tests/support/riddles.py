"""riddles: random questions in the query language, each with its answer according to meaning.py.

    riddle = Riddles(world, rng).draw()
    riddle.text         # str with surrogateescape: bytes that are not UTF-8 are asked, too
    riddle.answer(case) # a set of entries of the world; case None (smart), "exact" or "fold"

Values are taken from the entries that there are, and then spoilt a little: questions that match
nothing, one entry, or nearly all are all frequent. Every form of writing a thing is used: quotes,
backslashes, other names of a field in any letters, all forms of ranges, dates and sizes.
"""
import calendar
import grp
import pwd
import string
import time

from meaning import has_upper, is_raw, text
from truth import AT

SPECIAL = set(" \t\r\n()|\"\\*?[:!-")
NAMES_OF = {"name": ["name", "n"], "path": ["path", "p"], "ext": ["ext", "e", "extension"], "type": ["type", "t"],
            "in": ["in", "under"], "size": ["size", "s"], "mtime": ["mtime", "modified", "dm"], "ctime": ["ctime", "changed"],
            "uid": ["user", "owner", "uid"], "gid": ["group", "gid"], "perm": ["perm", "mode"], "links": ["links", "nlink"],
            "inode": ["inode", "ino"]}
TYPES = {"f": ["file"], "d": ["dir", "directory", "folder"], "l": ["link", "symlink"], "p": ["pipe", "fifo"], "s": ["socket"],
         "b": ["block"], "c": ["char"]}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mo": 30 * 86400, "y": 365 * 86400}
SECOND = 10**9
MARGIN = 60 * SECOND  # around the end of an age, where the clock decides
EVER = 2**64
MANY = 3  # stars and repetitions: Python tries all ways


def quoted(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain(s):
    """As a bare word: what would mean something else has a backslash."""
    out = "".join("\\" + c if c in SPECIAL else c for c in s)
    if s in ("AND", "OR", "NOT"):
        out = "\\" + out
    if len(s) > 1 and s[0] == s[-1] == "/":
        out = out[:-1] + "\\/"  # else an expression
    return out


class Riddle:
    def __init__(self, written, answer):
        self.text, self.answer = written, answer


class Riddles:
    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.leaves = [self.word, self.word, self.glob, self.regex, self.ext, self.type, self.range, self.range, self.time,
                       self.owner, self.perm, self.empty, self.below, self.root]

    def draw(self):
        riddle = self.either(0)
        if self.rng.random() < 0.15:
            exact = self.rng.random() < 0.5
            word = self.spelled("case") + ":" + self.rng.choice(["yes", "1", "on"] if exact else ["no", "0", "off"])
            inner, case = riddle, "exact" if exact else "fold"
            riddle = Riddle(self.rng.choice([f"{word} {inner.text}", f"{inner.text} {word}"]), lambda _: inner.answer(case))
        return riddle

    # Joining

    def either(self, depth):
        parts = [self.both(depth) for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3]))]
        if len(parts) == 1:
            return parts[0]

        def answer(case):
            mask = 0
            for p in parts:
                mask |= p.answer(case)
            return mask
        return Riddle(self.rng.choice([" | ", " OR ", "|"]).join(p.text for p in parts), answer)

    def both(self, depth):
        parts = [self.unary(depth) for _ in range(self.rng.choice([1, 1, 2, 2, 3]))]
        if len(parts) == 1:
            return parts[0]

        def answer(case):
            mask = self.world.all
            for p in parts:
                mask &= p.answer(case)
            return mask
        return Riddle(self.rng.choice([" ", "  ", " AND "]).join(p.text for p in parts), answer)

    def unary(self, depth):
        dice = self.rng.random()
        if dice < 0.2:
            inner = self.unary(depth + 1)
            return Riddle(self.rng.choice(["-", "!", "NOT "]) + inner.text, lambda case: self.world.all & ~inner.answer(case))
        if dice < 0.35 and depth < 3:
            inner = self.either(depth + 1)
            return Riddle(f"({inner.text})", inner.answer)
        return self.rng.choice(self.leaves)()

    # Pieces of what there is

    def spelled(self, field):
        """One of the names of a field, in any letters."""
        name = self.rng.choice(NAMES_OF.get(field, [field]))
        return name if self.rng.random() < 0.8 else "".join(self.rng.choice([c, c.upper()]) for c in name)

    def entry(self):
        return self.rng.choice(self.world.entries)

    def fragment(self, of_name):
        e = self.entry()
        whole = e.name if of_name else e.slashed
        at = self.rng.randrange(len(whole) + 1)
        n = self.rng.choice([1, 1, 2, 2, 3, 4, 5, 8, 20, 300])
        s = whole[at:at + n] or "e"
        dice = self.rng.random()
        if dice < 0.15:
            s = s.swapcase()
        elif dice < 0.25:
            s = s.upper() if len(s.upper()) == len(s) else s
        elif dice < 0.33:
            at = self.rng.randrange(len(s))
            s = s[:at] + self.rng.choice(self.world.alphabet) + s[at + 1:]
        elif dice < 0.36:
            s = self.torn(s)
        return s.replace("/", "_") if of_name else s

    @staticmethod
    def torn(s):
        """Cut within a character."""
        data = s.encode("utf-8", "surrogateescape")
        return text(data[1:] if len(data) > 1 else data)

    def written(self, s):
        return quoted(s) if self.rng.random() < 0.4 else plain(s)

    # Texts

    def where_text(self):
        """The field before a text, and whether it is about the name."""
        dice = self.rng.random()
        if dice < 0.4:
            return "", False
        return (self.spelled("name") + ":", True) if dice < 0.75 else (self.spelled("path") + ":", False)

    def word(self):
        key, on_name = self.where_text()
        s = self.fragment(on_name)
        written = self.written(s)
        if written[0] == "/":
            written = written + " " if self.rng.random() < 0.7 and s[-1] != "/" else quoted(s)
        return Riddle(key + written, lambda case: self.world.word(s, on_name, exact_of(case)))

    def glob(self):
        key, on_name = self.where_text()
        e = self.entry()
        s = e.name if on_name or self.rng.random() < 0.5 else e.slashed[self.rng.choice([0, 1]):]
        if self.rng.random() < 0.2:
            s = s.swapcase()
        pattern, at, stars = "", 0, 0
        while at < len(s):
            dice = self.rng.random()
            if dice < 0.1 and stars < MANY:
                stars += 1
                pattern += "*" if dice < 0.08 else "**"
                at += self.rng.choice([0, 1, 2, 5])
            elif dice < 0.2:
                pattern += "?"
                at += 1
            elif dice < 0.27:
                pattern += self.glob_set(s[at])
                at += 1
            else:
                pattern += "\\" + s[at] if s[at] in SPECIAL else s[at]
                at += 1
        if not any(c in pattern.replace("\\*", "").replace("\\?", "").replace("\\[", "") for c in "*?["):
            pattern = self.rng.choice(["*" + pattern, pattern + "*", pattern[:3].rstrip("\\") + "*", "*"])
        if on_name and "/" in pattern:
            pattern = "*"
        if pattern[0] == "/":
            # Up to the next blank another slash would make it an expression.
            return Riddle(key + pattern + ("* " if pattern[-1] == "/" else " "),
                          lambda case: self.world.glob(pattern + "*" * (pattern[-1] == "/"), on_name, exact_of(case)))
        return Riddle(key + pattern, lambda case: self.world.glob(pattern, on_name, exact_of(case)))

    def glob_set(self, c):
        inside = {c: None, self.rng.choice(self.world.alphabet): None}
        members = "".join("\\" + m if m in SPECIAL or m in "]^" else m for m in inside if m != "/")
        if self.rng.random() < 0.4:
            members += self.rng.choice(["a-f", "0-9", "A-M", "m-z"])
        return "[" + (self.rng.choice("!^") if self.rng.random() < 0.25 else "") + (members or "a") + "]"

    def regex(self):
        key, on_name = self.where_text()
        tree = self.regex_tree(on_name)
        written = regex_text(tree)
        if len(written.encode()) > 1000:
            return self.regex()
        return Riddle(f"{key}/{written}/", lambda case: self.world.regex(tree, on_name, exact_of(case)))

    def regex_tree(self, on_name):
        branches = [self.regex_branch(on_name) for _ in range(self.rng.choice([1, 1, 1, 2]))]
        tree = branches[0] if len(branches) == 1 else ("or", branches)
        parts = [tree]
        if self.rng.random() < 0.15:
            parts.insert(0, ("start",))
        if self.rng.random() < 0.15:
            parts.append(("end",))
        return ("cat", parts)

    def regex_branch(self, on_name):
        parts, repeats = [], 0
        for c in self.fragment(on_name)[:12]:
            dice = self.rng.random()
            one = ("any",) if is_raw(c) or dice < 0.15 else self.regex_set(c) if dice < 0.3 else ("char", c)
            if self.rng.random() < 0.2 and repeats < MANY:
                repeats += 1
                low = self.rng.choice([0, 0, 1, 1, 2])
                one = ("times", one, low, self.rng.choice([None, None, low + 1, max(1, low)]), self.rng.random() < 0.3)
            parts.append(one)
        return ("cat", parts)

    def regex_set(self, c):
        ranges = [(c, c)] + self.rng.choice([[], [("a", "z")], [("0", "9")], [("A", "F")], [("x", "z"), (".", ".")]])
        return ("set", self.rng.random() < 0.2, ranges)

    # Fields

    def ext(self):
        found = [e.name.rpartition(".")[2] for e in (self.entry() for _ in range(6))]
        items = [x for x in found if x and x.isascii() and x.isalnum()][:self.rng.choice([1, 1, 2, 3])] or ["tar.gz"]
        if self.rng.random() < 0.2:
            items = [x.swapcase() for x in items]
        written = ",".join(("." if self.rng.random() < 0.1 else "") + x for x in items)
        return Riddle(self.spelled("ext") + ":" + self.rng.choice([written, quoted(written)]), lambda _: self.world.ext(items))

    def type(self):
        letters = self.rng.sample("fdlpsbc", self.rng.choice([1, 1, 2, 3]))
        if self.rng.random() < 0.5:
            written = "".join(letters)
        else:
            written = ",".join(self.rng.choice([x, *TYPES[x]]) for x in letters)
        return Riddle(self.spelled("type") + ":" + written, lambda _: self.world.where(lambda e: e.type in letters))

    def between(self, one, values):
        """A range of any form: (text, lo, hi), both ends included. `one` gives (text, lo, hi) of one value."""
        a, b = sorted((one(v) for v in values), key=lambda v: v[1:])
        form = self.rng.randrange(8)
        if form == 0:
            return a
        if form < 5:
            sign = [">", ">=", "<", "<="][form - 1]
            return {">": (sign + a[0], a[2] + 1, EVER), ">=": (sign + a[0], a[1], EVER), "<": (sign + a[0], -EVER, a[1] - 1),
                    "<=": (sign + a[0], -EVER, a[2])}[sign]
        if form == 5:
            return f"{a[0]}..{b[0]}", a[1], b[2]
        return (f"{a[0]}..", a[1], EVER) if form == 6 else (f"..{a[0]}", -EVER, a[2])

    def range(self):
        field = self.rng.choice(["size", "size", "links", "inode", "depth"])
        values = [self.entry().row[AT[field]] + self.rng.choice([0, 0, 0, 1]) for _ in range(2)]
        written, lo, hi = self.between(self.size if field == "size" else lambda n: (str(n), n, n), values)
        return Riddle(f"{self.spelled(field)}:{written}", lambda _: self.world.number(field, lo, hi))

    def size(self, n):
        if n == 0 and self.rng.random() < 0.5:
            return "empty", 0, 0
        power = self.rng.randrange(5)
        if power == 0 or n < 1024**power:
            return str(n), n, n
        unit = self.rng.choice(["kmgt"[power - 1], "KMGT"[power - 1]])
        whole = n // 1024**power
        if self.rng.random() < 0.3:
            return f"{whole}.5{unit}", *[whole * 1024**power + 1024**power // 2] * 2
        return f"{whole}{unit}", *[whole * 1024**power] * 2

    def time(self):
        field = self.rng.choice(["mtime", "mtime", "ctime"])
        if self.rng.random() < 0.3:
            return self.age(field)
        written, lo, hi = self.between(self.date, [self.entry().row[AT[field]] for _ in range(2)])
        return Riddle(f"{self.spelled(field)}:{written}", lambda _: self.world.number(field, lo, hi))

    def date(self, ns):
        """The second, minute, day, month or year of a moment: (text, first, last nanosecond)."""
        when = time.localtime(max(-2_000_000_000, min(ns // SECOND, 250_000_000_000)))
        last = self.rng.randrange(1, 7)
        if last == 4:
            last = 5  # there is no hour without minutes
        utc = last > 3 and self.rng.random() < 0.3
        if utc:
            when = time.gmtime(calendar.timegm(when))
        parts = [when[i] if i < last else (1, 1, 1, 0, 0, 0)[i] for i in range(6)]
        written = "-".join(["%04d" % parts[0], "%02d" % parts[1], "%02d" % parts[2]][:min(last, 3)])
        if last > 3:
            written += "T" + ":".join("%02d" % p for p in parts[3:last]) + ("Z" if utc else "")
        begin = parts[:]
        parts[last - 1] += 1
        return written, seconds(begin, utc) * SECOND, seconds(parts, utc) * SECOND - 1

    def age(self, field):
        amount, unit = self.rng.choice([1, 2, 7, 10, 400]), self.rng.choice(sorted(UNITS))
        edge = time.time_ns() - amount * UNITS[unit] * SECOND
        if any(abs(e.row[AT[field]] - edge) < MARGIN for e in self.world.entries):
            return self.time()
        sign, lo, hi = self.rng.choice([("<", edge, EVER), (">", -EVER, edge), (">=", -EVER, edge), ("<=", edge, EVER)])
        return Riddle(f"{self.spelled(field)}:{sign}{amount}{unit}", lambda _: self.world.number(field, lo, hi))

    def owner(self):
        field, names = self.rng.choice([("uid", user_name), ("gid", group_name)])
        number = self.entry().row[AT[field]]
        written = names(number) if self.rng.random() < 0.5 else str(number)
        return Riddle(f"{self.spelled(field)}:{written}", lambda _: self.world.number(field, number, number))

    def perm(self):
        mode = self.entry().mode
        test = self.rng.choice(["", "-", "/"])
        if test:
            mode &= self.rng.choice([0o7777, 0o222, 0o111, 0o700, 0o7000])

        def holds(e):
            return {"": e.mode == mode, "-": e.mode & mode == mode, "/": mode == 0 or e.mode & mode != 0}[test]
        return Riddle(f"{self.spelled('perm')}:{test}{mode:o}", lambda _: self.world.where(holds))

    def empty(self):
        yes = self.rng.random() < 0.6
        written = self.rng.choice(["yes", ""] if yes else ["no"])
        return Riddle(f"{self.spelled('empty')}:{written}",
                      lambda _: self.world.empty() if yes else self.world.all & ~self.world.empty())

    def below(self):
        directories = [e for e in (self.entry() for _ in range(8)) if e.type == "d"] or [self.entry()]
        e, world = directories[0], self.world
        if self.rng.random() < 0.5:
            path = text(e.path)
            if self.rng.random() < 0.2:
                path = path.rpartition("/")[0] or "/"
            there, answer = path, lambda _: world.below(path.encode("utf-8", "surrogateescape"))
        else:
            there = e.below or "nowhere"
            relative = there.encode("utf-8", "surrogateescape")

            def answer(_):
                mask = 0
                for top in world.entries:
                    if top.is_root:
                        mask |= world.below(top.path + b"/" + relative)
                return mask
        if self.rng.random() < 0.2:
            there = there.replace("/", "//", 1) + "/"
        return Riddle(f"{self.spelled('in')}:{self.written(there).replace(chr(92) + '/', '/')}", answer)

    def root(self):
        names = sorted({e.root_name for e in self.world.entries}) + ["nosuch"]
        name = self.rng.choice(names)
        return Riddle(f"{self.spelled('root')}:{name}", lambda _: self.world.where(lambda e: e.root_name == name))


def exact_of(case):
    return None if case is None else case == "exact"


def seconds(parts, utc):
    return calendar.timegm((*parts, 0, 0, 0)) if utc else int(time.mktime((*parts, 0, 0, -1)))


def user_name(number):
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def regex_char(c, more=""):
    if c in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[c]
    if ord(c) < 32 or ord(c) == 127:
        return "\\x%02x" % ord(c)
    return "\\" + c if c in string.punctuation + " " + more else c


def regex_text(tree):
    kind = tree[0]
    if kind == "char":
        return regex_char(tree[1])
    if kind == "set":
        inside = "".join(regex_char(a) if a == b else f"{regex_char(a)}-{regex_char(b)}" for a, b in tree[2])
        return f"[{'^' if tree[1] else ''}{inside}]"
    if kind == "cat":
        return "".join(f"(?:{regex_text(t)})" if t[0] == "or" else regex_text(t) for t in tree[1])
    if kind == "or":
        return "|".join(regex_text(t) for t in tree[1])
    if kind == "times":
        _, inner, low, high, lazy = tree
        sign = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((low, high), f"{{{low},{'' if high is None else high}}}")
        return regex_text(inner) + sign + ("?" if lazy else "")
    return {"any": ".", "start": "^", "end": "$"}[kind]


__all__ = ["Riddle", "Riddles", "has_upper"]
