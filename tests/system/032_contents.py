"""The index of contents: what grep and content: answer with it is what rg(1) finds, before contents are indexed,
after, and while files change. In the long tier also of $TRAWL_CORPUS."""
import os
import random
import subprocess
import threading
import time

import hostile
from box import TIER, Daemon, Skip, Tree, main, need, same, scale, text_of, texts_of

RG = ["rg", "-uu", "--no-config", "--no-messages", "--no-encoding", "--no-mmap"]

PATTERNS = [  # regular expression, ours and rg's options
    ("errno", ""), ("struct", ""), ("e", ""), ("if", ""), ("xyzzy_nowhere", ""), ("return 0;", "F"), ("uint32_t", "w"),
    ("EAGAIN", "i"), ("k", "i"), ("ﬀ|é", ""), (r"^#define \w+_MAX", ""), (r"\bmem(cpy|set)\b", ""), (r"[0-9]{6,}", ""),
    (r"for ?\(.*;.*;.*\)", ""), (r"^$", ""), (r"(foo|bar|size)_t", ""), ("}", ""), (r"\s+$", ""), ("unsigned long long", "F"),
    (r"a.c", ""), (r"^[^a-z]*$", ""), (r"\\$", ""), (r"(static|inline)\s+(int|void)", ""), ("Straße", "i"), ("K", ""),
]


def rg_options(pattern, flags):
    return ["-i" if "i" in flags else "-s"] + ["-F"] * ("F" in flags) + ["-w"] * ("w" in flags) + ["-e", pattern]


def rg_counts(root, pattern, flags):
    """{path: matching lines}"""
    r = subprocess.run([*RG, "-c", "-0", *rg_options(pattern, flags), root], capture_output=True)
    rows = (line.split(b"\0") for line in r.stdout.split(b"\n") if b"\0" in line)
    return {row[0]: int(row[1]) for row in rows}


def rg_lines(root, pattern, flags):
    """{(path, line number)} that rg finds, of files that it calls text."""
    r = subprocess.run([*RG, "-n", "-H", "-0", "--no-heading", *rg_options(pattern, flags), root], capture_output=True)
    found = set()
    for line in r.stdout.split(b"\n"):
        path, nul, rest = line.partition(b"\0")
        if nul and not path.startswith(b"binary file"):
            found.add((path, int(rest.split(b":", 1)[0])))
    return found


def ask(c, pattern, flags, answer):
    a = c.ask("grep", q="*", pattern=pattern, regex="F" not in flags, word="w" in flags, limit=0, answer=answer,
              case="fold" if "i" in flags else "exact", timeout_ms=60000)
    assert not a["more"], a["why"]
    return a


def ask_lines(c, pattern, flags):
    a = ask(c, pattern, flags, "lines")
    return {(text_of(r[0]), r[1]) for r in a["rows"]}, a


def same_lines(got, wanted, texts, what):
    got = sorted(b"%s:%d" % x for x in got if x[0] in texts)
    same(got, sorted(b"%s:%d" % x for x in wanted if x[0] in texts), what)


def compare_counts(c, root, texts, pattern, flags):
    a = ask(c, pattern, flags, "count")
    assert not a["skipped"].get("pending"), a["skipped"]
    wanted = rg_counts(root, pattern, flags)
    same_lines(((text_of(r[0]), r[1]) for r in a["rows"]), wanted.items(), texts, f"lines in files: {pattern} [{flags}]")
    return set(wanted)


def compare_lines(c, root, texts, pattern, flags):
    got, a = ask_lines(c, pattern, flags)
    assert not a["skipped"].get("pending"), a["skipped"]
    wanted = rg_lines(root, pattern, flags)
    same_lines(got, wanted, texts, f"{pattern} [{flags}]")
    return {p for p, _ in wanted}


def compare(d, root, texts, patterns, how=compare_lines):
    with d.connect() as c:
        for pattern, flags in patterns:
            wanted = how(c, root, texts, pattern, flags) & texts
            if "w" in flags:
                continue
            q = f'content:"{pattern}"' if "F" in flags else "content:/" + pattern.replace("/", r"\/") + "/"
            rows = c.ask("search", q=q, limit=0, timeout_ms=60000, case="fold" if "i" in flags else "exact")["rows"]
            same(sorted({text_of(r[0]) for r in rows} & texts), sorted(wanted), f"content: {pattern} [{flags}]")


def random_patterns(texts, n, seed):
    """Pieces of lines that are there, as they are."""
    dice, found, paths = random.Random(seed), [], sorted(texts)
    while len(found) < n and paths:
        with open(dice.choice(paths), "rb") as f:
            lines = f.read().split(b"\n")
        line = dice.choice(lines)
        at = dice.randrange(len(line) + 1)
        try:
            piece = line[at:at + dice.randrange(1, 30)].decode()
        except UnicodeDecodeError:
            continue
        if piece.strip() and '"' not in piece and "\\" not in piece and piece.isprintable():
            found.append((piece, dice.choice(["F", "F", "Fi", "Fw"])))
    return found


def test_hostile_trees_are_found_as_rg_finds_them():
    need("rg")
    for gram in ("4", "3"):
        with Tree() as t:
            hostile.make(t.path, max(500, scale(20_000)), seed=31)
            texts = texts_of(t.path)
            with Daemon({"t": {"path": t, "gram": gram}}) as d:
                compare(d, t.path, texts, [("needle", "F"), ("kmalloc", "i"), (r"mem\w+_order", ""), ("^the ", "i"),
                                           ("straße", "i"), ("x1$", ""), ("foo(bar)", "F"), ("K", "i"), ("yyyy+$", "")]
                        + random_patterns(texts, 5, 31))


def test_headers_are_found_as_rg_finds_them():
    need("rg")
    if TIER == "quick":
        raise Skip("not in the quick tier")
    root = b"/usr/include" if TIER == "long" else b"/usr/include/linux"
    if not os.path.isdir(root):
        raise Skip("no headers are installed")
    texts = texts_of(root)
    with Daemon({"t": root}) as d:
        compare(d, root, texts, (PATTERNS if TIER == "long" else PATTERNS[::3])
                + random_patterns(texts, 5 if TIER == "full" else 100, 5), compare_lines if TIER == "full" else compare_counts)


def test_a_corpus_is_found_as_rg_finds_it():
    need("rg")
    root = os.fsencode(os.environ.get("TRAWL_CORPUS", ""))
    if not root or TIER != "long":
        raise Skip("TRAWL_CORPUS is not set or this is not the long tier")
    texts = texts_of(root)
    for gram in ("4", "3"):
        with Daemon({"t": {"path": root, "gram": gram}}, limits={"rows": "0"}) as d:
            compare(d, root, texts, PATTERNS + random_patterns(texts, 30, 6), compare_counts)


def test_before_contents_are_indexed_nothing_is_left_out_silently():
    need("rg")
    with Tree() as t:
        hostile.make(t.path, max(500, scale(50_000)), seed=33)
        texts = texts_of(t.path)
        wanted = rg_lines(t.path, "needle", "F")
        with Daemon({"t": t}, start=False) as d:
            d.start(indexed=False)
            n = 0
            while True:
                done = all(d.is_done(r) for r in d.roots().values())
                with d.connect() as c:
                    got, a = ask_lines(c, "needle", "F")
                assert {x for x in got if x[0] in texts} <= wanted, a["skipped"]
                if not a["stale"] and not a["skipped"].get("pending"):
                    same_lines(got, wanted, texts, "needle, while contents are indexed")
                n += 1
                if done:
                    break
            with d.connect() as c:
                got, a = ask_lines(c, "needle", "F")
            assert not a["stale"] and not a["skipped"].get("pending"), a["skipped"]
            same_lines(got, wanted, texts, "needle, after")
            print(f"  asked {n} times meanwhile")


class Writer(threading.Thread):
    """Files v0.. are rewritten, appended to, cut and renamed; each line says which version wrote it."""

    def __init__(self, tree, n, seed):
        super().__init__()
        self.tree, self.dice, self.n = tree, random.Random(seed), n
        self.names = {i: f"v/{i}" for i in range(n)}
        self.version, self.ended = 0, False
        for i in range(n):
            self.put(i, "w")

    def put(self, i, how):
        self.version += 1
        with open(self.tree.at(self.names[i]), how) as f:
            f.write(f"needle of {i} version {self.version}\n")

    def run(self):
        while not self.ended:
            i, what = self.dice.randrange(self.n), self.dice.randrange(5)
            if what < 2:
                self.put(i, "w")
            elif what == 2:
                self.put(i, "a")
            elif what == 3:
                os.truncate(self.tree.at(self.names[i]), 0)
            else:
                to = f"v/{i}-{self.version}"
                os.rename(self.tree.at(self.names[i]), self.tree.at(to))
                self.names[i] = to
            time.sleep(0.001)


def test_while_files_change_each_answer_is_true():
    need("rg")
    with Tree() as t:
        os.mkdir(t.at("v"))
        for i in range(50):
            t.write(f"still/{i}", f"a needle that stays {i}\n" if i % 2 else "nothing\n")
        still = {(os.fsencode(t.at(f"still/{i}")), 1) for i in range(1, 50, 2)}
        w = Writer(t, 40, 7)
        with Daemon({"t": t}) as d, d.connect() as c:
            w.start()
            try:
                for n in range(10 + scale(500)):
                    rows = c.ask("grep", q="*", pattern="needle", limit=0)["rows"]
                    last = w.version
                    got = {(text_of(r[0]), r[1]) for r in rows}
                    assert still <= got, f"lost {still - got}"
                    assert not [x for x in got - still if b"/still/" in x[0]], got
                    for path, _, _, text in (r[:4] for r in rows):
                        text = text_of(text)
                        if b"/v/" in text_of(path):
                            i, version = int(text.split()[2]), int(text.split()[4])
                            assert version <= last and os.path.basename(text_of(path)).split(b"-")[0] == b"%d" % i, text
                    if n % 5 == 4:
                        d.rescan("t")
            finally:
                w.ended = True
                w.join()
            d.rescan("t")
            got, a = ask_lines(c, "needle", "F")
            assert not a["skipped"] and not a["stale"], a["skipped"]
            same_lines(got, rg_lines(t.path, "needle", "F"), texts_of(t.path), "after the changes")


def large_text(dice, size):
    """Lines of all lengths, some longer than what two windows share, and words that are there once, many near windows' ends."""
    lines, at, near, rare = [], 0, [], None
    for mib in range(1, (size >> 20) + 1):
        near += [(mib << 20) + d for d in (-20000, -9000, -4500, -4000, -200, -50, 0, 60, 3000)]
    while at < size:
        words = [dice.choice(["alpha", "beta", "gamma", "delta", "é", "x1"]) for _ in range(dice.choice([0, 3, 9, 9, 9, 30]))]
        if dice.randrange(4000) == 0:
            words *= dice.choice([200, 1500])
        if near and near[0] <= at:
            words += [f"seam{len(near)}", "between", f"end{len(near)}"]
            near.pop(0)
        line = " ".join(words).encode()
        if not rare and at > (2 << 20) - 100000:  # in two windows
            rare = line = b"rare first" + b" filler" * 40000 + b" rare last"
        lines.append(line)
        at += len(lines[-1]) + 1
    return b"\n".join(lines)


def test_a_mark_of_utf8_is_no_part_of_the_text():
    need("rg")
    with Tree() as t:
        paths = [t.write("small", b"\xef\xbb\xbffirst words\nfirst\n"), t.write("mark", b"\xef\xbb\xbf"),
                 t.write("middle", b"\xef\xbb\xbf" + b"first and\n" + b"x" * 50000 + b"\nlast\n")]
        for content in ("yes", "scan"):
            with Daemon({"t": {"path": t, "content": content}}) as d, d.connect() as c:
                for pattern in ("^first", "^first words$", "words", "last", "^"):
                    rows = c.ask("grep", q="*", pattern=pattern, regex=True, limit=0, offsets=True)["rows"]
                    for path in paths:
                        same([(r[1], r[2], r[5]["offset"]) for r in rows if text_of(r[0]) == path], rg_rows(path, pattern, ""),
                             f"{pattern} in {path}")
                found = c.ask("grep", q="*", pattern="^first", regex=True, limit=0, answer="files")["rows"]
                same(sorted(text_of(r[0]) for r in found), sorted([paths[0], paths[2]]), "files")


def rg_rows(path, pattern, flags, *options):
    """[(line, column of the first match, offset of the line)]"""
    r = subprocess.run([*RG, "-n", "-b", "--column", *options, *rg_options(pattern, flags), path], capture_output=True)
    return [tuple(int(x) for x in line.split(b":", 3)[:3]) for line in r.stdout.split(b"\n") if line and line != b"--"]


def rg_context(path, pattern, flags):
    r = subprocess.run([*RG, "-n", "-C", "2", *rg_options(pattern, flags), path], capture_output=True)
    return [int(line.replace(b":", b"-").split(b"-", 1)[0]) for line in r.stdout.split(b"\n") if line and line != b"--"]


def test_large_files_are_searched_where_a_match_can_be():
    need("rg")
    with Tree() as t:
        path = t.write("large.log", b"\xef\xbb\xbf" + large_text(random.Random(11), 30 << 20 if TIER == "long" else 5 << 20))
        size = os.path.getsize(path)
        patterns = [(rf"seam{i} between end{i}\b", "") for i in range(1, 40)] + [
            ("seam7", "F"), ("END12", "Fi"), (r"^.*seam[0-9]+ b", ""), ("rare first.*rare last", ""), ("rare last", "F"), ("end9$", ""),
            ("seam[0-9] between", ""), ("between", "w"), ("seam1|end2", ""), ("nowhere at all", "F"), ("é é é seam", "F"), ("^$", "")]
        with Daemon({"t": t}) as d, d.connect() as c:
            for pattern, flags in patterns:
                how = dict(q="*", pattern=pattern, regex="F" not in flags, word="w" in flags, limit=0, offsets=True,
                           case="fold" if "i" in flags else "exact")
                rows = c.ask("grep", **how)["rows"]
                same([(r[1], r[2], r[5]["offset"]) for r in rows], rg_rows(path, pattern, flags), f"{pattern} [{flags}]")
                rows = c.ask("grep", **{**how, "before": 2, "after": 2, "offsets": False})["rows"]
                same([r[1] for r in rows], rg_context(path, pattern, flags), f"{pattern} [{flags}] with context")
                args = ["-n", "--no-heading", *(["-" + f for f in flags]), *([] if "i" in flags else ["-s"]), "-e", pattern]
                ours, theirs = d.trawl("grep", *args), subprocess.run([*RG, "-H", *args, path], capture_output=True)
                printed = [[line[:3000] for line in x.stdout.split(b"\n") if b"filler" not in line] for x in (ours, theirs)]
                same(*printed, f"{pattern} [{flags}] as printed")
                n = c.ask("grep", **{**how, "answer": "count", "offsets": False})["rows"]
                assert sum(r[1] for r in n) == len(rg_rows(path, pattern, flags)), pattern
            # Of one word a window or two, beside the long lines that windows cut.
            cost = c.ask("explain", q="*", pattern="seam7 ", regex=False, run=True)["run"]
            assert 0 < cost["bytes_read"] < size * 3 // 4, (cost["bytes_read"], size)
            # What is not as it was indexed is read as a whole, and its lines are counted.
            with open(path, "r+b") as f:
                f.write(b"\n\nrare thing\n")
            for pattern, more in (("seam7", {}), ("rare thing", {"sync_ms": 10000})):
                rows = c.ask("grep", q="*", pattern=pattern, regex=False, limit=0, offsets=True, **more)["rows"]
                same([(r[1], r[2], r[5]["offset"]) for r in rows], rg_rows(path, pattern, "F"), f"{pattern}, changed")


main()
