"""A corpus that two writers change while it is asked about: at rest each answer is rg(1)'s; meanwhile each row is a line that was in
its file at some time between the question and the answer. In the long tier 20,000 files of $TRAWL_CORPUS, or of /usr/include."""
import os
import random
import subprocess
import threading
import time

import hostile
from box import SLOW, TIER, Daemon, Tree, find, main, need, same, text_of, texts_of

RG = ["rg", "-uu", "--no-config", "--no-messages", "--no-encoding", "--no-mmap", "-n", "-H", "-0", "--no-heading", "-s"]
PATTERNS = [("needle", "F"), (r"needle \d+ [a-c]+$", ""), ("include", "F"), (r"^#define \w+_H\b", ""), ("xyzzy_nowhere", "F"),
            (r"return -E[A-Z]+;", ""), ("zq", "F"), (r"needle \d*7 ", "")]
FOREVER = float("inf")


def copy_corpus(tree):
    source = os.fsencode(os.environ.get("TRAWL_CORPUS", "/usr/include"))
    if TIER != "long" or not os.path.isdir(source):
        hostile.make(tree.path, 400, seed=34)
        return
    files = [p for p in find(source, "-type", "f", "-size", "-2000k") if b"\n" not in p]
    for path in random.Random(34).sample(files, min(20000, len(files))):
        with open(path, "rb") as f:
            tree.write(os.path.relpath(path, source), f.read())


class Writer(threading.Thread):
    """Changes files of its own, one after the other, and logs when each line with a needle was in which file."""

    def __init__(self, tree, number, files):
        super().__init__()
        self.tree, self.number, self.dice = tree, number, random.Random(number)
        self.files, self.version, self.n = files, 0, 0
        self.lines = {p: [] for p in files}  # path: its lines with a needle, as they are
        self.log = {}  # (path, line): [(from, to)]
        self.turn, self.ended = threading.Lock(), False  # who holds the turn may change files

    def line(self):
        self.version += 1
        return b"needle %d %s" % (self.version * 2 + self.number, self.dice.choice([b"a", b"bc", b"cab", b"x"]))

    def becomes(self, path, lines, change):
        """What `change` does to a file: its old lines may be there until it is done, the new ones from before it."""
        before = time.monotonic()
        for line in lines:
            self.log.setdefault((path, line), []).append([before, FOREVER])
        change()
        after, old = time.monotonic(), self.lines.get(path, [])
        for line in old:
            spans = self.log[path, line]
            spans[-2 if line in lines else -1][1] = after
        self.lines[path] = list(lines)

    def step(self):
        path = self.dice.choice(self.files)
        what = self.dice.randrange(6)
        lines = [self.line() for _ in range(self.dice.randrange(4))]
        data = b"".join(b"some text\n" * self.dice.randrange(30) + x + b"\n" for x in lines)
        if what == 0:
            self.becomes(path, self.lines[path] + lines, lambda: self.put(path, "ab", b"\n" + data))
        elif what == 1:
            self.becomes(path, lines, lambda: self.put(path, "wb", data))
        elif what == 2:
            self.becomes(path, [], lambda: os.truncate(path, 0))
        elif what == 3:
            self.put(path + b".new", "wb", data.replace(b"needle", b"wanted"))  # no row may be of it
            self.put(path + b".new", "wb", b"")
            self.becomes(path + b".new", lines, lambda: self.put(path + b".new", "wb", data))
            self.move(path + b".new", path)
        elif what == 4:
            to = path + b"r" if len(path) < 200 else path[:-20]
            if to not in self.lines or not self.lines[to] and not os.path.exists(to):
                self.move(path, to)
                self.files[self.files.index(path)] = to
        else:
            self.edit(path, lines)
        self.n += 1

    def edit(self, path, lines):
        """In place, without another size."""
        old = self.lines[path]
        if not old:
            return
        line = old[0]
        new = b"needle %0*d x" % (max(1, len(line) - 9), self.version % 10)
        if len(new) != len(line) or new in old:
            return
        with open(path, "r+b") as f:
            at = f.read().find(line + b"\n")
            f.seek(at)
            self.becomes(path, [new] + old[1:], lambda: (f.write(new), f.flush()))

    def move(self, path, to):
        lines = self.lines[path]
        self.becomes(to, lines, lambda: os.rename(path, to))
        self.becomes(path, [], lambda: None)

    @staticmethod
    def put(path, how, data):
        with open(path, how) as f:
            f.write(data)

    def run(self):
        while not self.ended:
            with self.turn:
                self.step()
            time.sleep(0.0005)


class Cutter(threading.Thread):
    """Cuts a file that is large enough to be mapped, and lets it grow again."""

    def __init__(self, tree):
        super().__init__()
        self.path = tree.write("cut/large", b"a line of text\n" * 300000)
        self.ended = False

    def run(self):
        while not self.ended:
            os.truncate(self.path, 15 * 100000)
            with open(self.path, "ab") as f:
                f.write(b"a line of text\n" * 200000)


def was_there(writers, path, line, begin, end):
    return any(lo <= end and hi >= begin for w in writers for lo, hi in w.log.get((path, line), []))


def compare(c, root):
    texts = texts_of(root)
    for pattern, flags in PATTERNS:
        a = c.ask("grep", q="*", pattern=pattern, regex="F" not in flags, case="exact", limit=0, sync_ms=60000, timeout_ms=60000)
        got = [b"%s:%d" % (text_of(r[0]), r[1]) for r in a["rows"] if text_of(r[0]) in texts]
        r = subprocess.run([*RG, *(["-F"] if "F" in flags else []), "-e", pattern, root], capture_output=True)
        rows = [line.partition(b"\0") for line in r.stdout.split(b"\n") if b"\0" in line]
        wanted = [b"%s:%d" % (p, int(rest.split(b":", 1)[0])) for p, _, rest in rows if p in texts]
        assert not a["more"] and not a["stale"] and a["skipped"].keys() <= {"binary"}, (a["skipped"], a["stale"], a["more"])
        same(sorted(got), sorted(wanted), f"at rest: {pattern}")


def ask_meanwhile(c, writers, n):
    begin = time.monotonic()
    a = c.ask("grep", q="*", pattern="needle", regex=False, case="exact", limit=0, timeout_ms=60000, **({"sync_ms": 1000} if n % 3 == 0 else {}))
    end = time.monotonic()
    for row in a["rows"]:
        path, line = text_of(row[0]), text_of(row[3])
        if b"/w/" in path and line.startswith(b"needle "):
            assert was_there(writers, path, line, begin, end), f"{path} did not hold {line} between the question and the answer"
    return len(a["rows"])


def test_a_file_that_is_cut_while_it_is_searched_is_not_called_binary():
    with Tree() as t:
        cutter = Cutter(t)
        with Daemon({"t": t}) as d, d.connect(patience=120 * SLOW) as c:
            cutter.start()
            try:
                fates = [c.ask("grep", q="*", pattern="nowhere", regex=False, limit=0)["skipped"] for _ in range(30)]
            finally:
                cutter.ended = True
                cutter.join()
            assert all(f.keys() <= {"unreadable"} for f in fates), fates
            print(f"  {sum(1 for f in fates if f)} of {len(fates)} times it was cut meanwhile")


def test_a_corpus_that_changes_is_answered_truly():
    need("rg")
    with Tree(os.environ.get("TRAWL_SPACE")) as t:
        copy_corpus(t)
        some = find(t.path, "-type", "f", "-size", "-100k")
        random.Random(1).shuffle(some)
        files = []
        for i, path in enumerate(some[:200 if TIER == "long" else 40]):  # of theirs, the writers know all needles
            files.append(t.write(f"w/{i % 7}/{i}", b"some text\n" * (i * 50)))
        writers = [Writer(t, k, files[k::2]) for k in range(2)]
        with Daemon({"t": t}, limits={"rows": "0"}) as d, d.connect(patience=120 * SLOW) as c:
            n_rows = 0
            for w in writers:
                w.start()
            try:
                for n in range(200 if TIER == "long" else 12):
                    n_rows += ask_meanwhile(c, writers, n)
                    if n % (20 if TIER == "long" else 6) == 5:
                        with writers[0].turn, writers[1].turn:
                            compare(c, t.path)
            finally:
                for w in writers:
                    w.ended = True
                    w.join()
            assert n_rows > 0
            compare(c, t.path)
            print(f"  {sum(w.n for w in writers)} changes, {n_rows} rows meanwhile")


main()
