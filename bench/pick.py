"""What bench/names asks about a tree: patterns of each kind, taken from its own paths, so that any tree
will do. The same tree gives the same patterns."""
import collections
import os
import random
import re

WORD = re.compile(rb"[a-z]{4,}")
HEX = re.compile(rb"[a-f]+")


class Query:
    """One question: for trawl, for plocate, and for a scan of the list of paths (None where they cannot)."""

    def __init__(self, kind, trawl, plocate=None, scan=None, case="exact"):
        self.kind, self.trawl, self.plocate, self.scan, self.case = kind, trawl, plocate, scan, case


def text(b):
    return b.decode("ascii")


def plain(kind, word, fold=False):
    return Query(kind, f'"{word}"', (["-i"] if fold else []) + [word], (1 if fold else 0, [word]),
                 "fold" if fold else "exact")


def words_of(paths, sample=200000):
    """Words of base names, and a function that gives the one that about such a share of the names hold."""
    rng = random.Random(1)
    some = paths if len(paths) <= sample else rng.sample(paths, sample)
    seen = collections.Counter(w for p in some for w in set(WORD.findall(os.path.basename(p))))
    words = [(n, w) for w, n in seen.most_common() if not HEX.fullmatch(w)]

    def held_by(share, but=()):
        return text(min((x for x in words if text(x[1]) not in but),
                        key=lambda x: (abs(x[0] - share * len(some)), x[1]))[1])
    return held_by


def rare_names(paths, n):
    """Base names that no other path holds."""
    rng = random.Random(2)
    names, seen = [], collections.Counter(map(os.path.basename, paths))
    usual = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]{6,40}")
    for path in rng.sample(paths, len(paths)):
        name = os.path.basename(path)
        if seen[name] == 1 and usual.fullmatch(name):
            names.append(name)
        if len(names) == 4 * n:
            break
    # A name may be a part of another one.
    alone = [x for x in names if sum(x in p for p in paths) == 1]
    return [text(x) for x in alone[:n]]


def queries(paths):
    held_by = words_of(paths)
    frequent = held_by(1)
    usual = held_by(0.03, (frequent,))
    mid = held_by(0.002, (frequent, usual))
    few = held_by(0.0002, (frequent, usual, mid))
    fewer = held_by(0.00005, (frequent, usual, mid, few))
    rare = rare_names(paths, 3)
    rng = random.Random(3)
    deep = [p for p in rng.sample(paths, min(len(paths), 5000)) if re.fullmatch(rb"[A-Za-z0-9/_.-]+", p)]
    parts = [text(p).split("/") for p in deep if p.count(b"/") > 5]
    inner = "/".join(parts[0][-3:-1]) + "/"
    tail = "/".join(parts[1][-2:])
    ext = text(collections.Counter(p.rpartition(b".")[2] for p in deep if b"." in os.path.basename(p))
               .most_common(1)[0][0])
    q = [plain("no match", "zzqzzqzz"), plain("no match", "nosuchdir/zzqzz"), plain("no match", "qxqxq")]
    q += [plain("rare", name) for name in rare]
    q += [plain("some", mid), plain("some", few), plain("some", fewer)]
    q += [plain("frequent", frequent), plain("frequent", usual), plain("frequent", "." + ext)]
    q += [plain("one letter", "e"), plain("one letter", "q"), plain("one letter", "_")]
    q += [plain("two letters", "er"), plain("two letters", "qz"), plain("two letters", frequent[:2])]
    q += [plain("three letters", "ing"), plain("three letters", "zqx"), plain("three letters", usual[:3])]
    q += [Query("glob", f"*.{ext}", ["-b", f"*.{ext}"], (0, [f".{ext}"])),
          Query("glob", f"{frequent[:3]}*{ext}", ["-b", f"{frequent[:3]}*{ext}"], (0, [frequent[:3], ext])),
          Query("glob", f"*{rare[0][1:]}", ["-b", f"*{rare[0][1:]}"], (0, [rare[0][1:]]))]
    q += [Query("regex", f"name:/{mid}[0-9_-]+[a-z]/", ["--regex", f"{mid}[0-9_-]+[a-z][^/]*$"], (0, [mid])),
          Query("regex", f"/{usual}.*[0-9]\\.{ext}$/", ["--regex", f"{usual}.*[0-9]\\.{ext}$"], (0, [usual])),
          Query("regex", f"name:/^{re.escape(rare[1])}$/", ["--regex", f"/{re.escape(rare[1])}$"], (0, [rare[1]]))]
    q += [Query("regex without literal", "name:/^[a-c][0-9]{2}[x-z]/", ["--regex", "/[a-c][0-9]{2}[x-z][^/]*$"])]
    q += [plain("with slashes", inner), plain("with slashes", tail), plain("with slashes", "/" + usual)]
    q += [plain("any case", rare[2].lower(), True), plain("any case", mid, True), plain("any case", frequent, True)]
    q += [Query("two words", f'"{usual}" "{mid}"', [usual, mid], (0, [mid, usual])),
          Query("two words", f'"{frequent}" ".{ext}"', [frequent, "." + ext], (0, [frequent, "." + ext])),
          Query("two words", f'"{rare[0]}" "{rare[0][:4]}"', [rare[0], rare[0][:4]], (0, [rare[0], rare[0][:4]]))]
    return q, {"frequent": frequent, "rare": rare[0], "ext": ext}
