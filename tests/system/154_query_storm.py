"""Random questions of every form, their answers held against a second reading of the manual.

TRAWL_SEED=s TRAWL_QUERY=q begins with that question about that tree, as a failure names them.
"""
import base64
import os
import random

import hostile
from box import SANITIZED, TIER, Daemon, Refused, Tree, main, text_of
from churn import Churn
from meaning import World
from riddles import Riddles
from truth import AT, FIELDS, listing, row_of

SEED = int(os.environ.get("TRAWL_SEED", "154"))
FIRST = int(os.environ.get("TRAWL_QUERY", "0"))
QUERIES = 200 if TIER == "quick" or SANITIZED else {"long": 100_000, "full": 1_200}[TIER]
TREES = {"long": 20, "full": 2, "quick": 1}[TIER]
SORTS = ["path", "name", "dir", "root", "ext", *FIELDS]
SPOILERS = ["(", ")", "|", '"', "\\", "/", "-", ":", "..", "[", "size:", " NOT ", "", "\udcff", "x" * 9000]
# Letters with more than one partner, other lengths or none; and what folds to ASCII.
LETTERS = ["Kelvin\u212a", "long\u017f", "\u1e9e", "\u00df", "\u01c5\u01c4\u01c6", "\u03c3\u03c2\u03a3", "\u0130\u0131",
           "\u0149", "\u1f88\u1f80", "\ufb03", "\u10a0\u2d00", "\u13a0\uab70", "\U00010400\U00010428", "\u00b5\u03bc", "A\u030a\u00c5\u212b"]


def json_text(s):
    data = s.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"s": "", "b64": base64.b64encode(data).decode()}


def told(riddle, what, got, wanted):
    """A failure in a line or two."""
    missing, extra = [e for e in wanted if e not in got], [e for e in got if e not in wanted]
    return (f"{what}\n    {riddle.text!r}\n    {len(got)} rows, {len(wanted)} expected; missing "
            f"{[e.below or '(root)' for e in missing[:3]]} ({len(missing)}), too many {[e.below or '(root)' for e in extra[:3]]} "
            f"({len(extra)})" + ("" if missing or extra else "; in another order"))


class Asker:
    """One connection to a daemon whose index is the world."""

    def __init__(self, c, world):
        self.c, self.world = c, world
        self.entry_of = {e.path: e for e in world.entries}

    def ask(self, riddle, case, **members):
        more = {"case": case} if case else {}
        a = self.c.ask("search", q=json_text(riddle.text), fields=["path", *FIELDS], **more, **members)
        found = [self.entry_of[text_of(row[0])] for row in a["rows"]]
        for row, e in zip(a["rows"], found):
            assert row_of(row[1:]) == e.row, (e.path, row, e.row)
        return a, found

    def check(self, riddle, rng, what):
        case = rng.choice([None, None, None, "exact", "fold"])
        keys = [(f, rng.random() < 0.4) for f in rng.sample(SORTS, rng.choice([0, 0, 1, 1, 2, 3, 4]))]
        limit = rng.choice([0, 0, 1, 2, 10, 100, 1000])
        members = {"limit": limit}
        if keys:
            members["sort"] = ",".join(f + (":desc" if desc else "") for f, desc in keys)
        counted = rng.random() < 0.5
        if counted:
            members["count"] = "exact"
        what = f"{what} case={case} {members}"
        wanted = self.world.sorted(self.world.members(riddle.answer(case)), keys)
        a, found = self.ask(riddle, case, **members)
        if found != wanted[:limit or None]:
            raise AssertionError(told(riddle, what, found, wanted[:limit or None]))
        assert a["n"] == len(found) and a["more"] == (len(wanted) > len(found)), (what, riddle.text, a["n"], len(wanted))
        if counted:
            assert a["total"] == {"n": len(wanted), "exact": True}, (what, riddle.text, a["total"], len(wanted))
        assert a["stale"] == [] and a["skipped"] == {}, (what, riddle.text, a)
        if a["more"] and rng.random() < 0.5:
            self.check_pages(riddle, case, members, a["page"], wanted[limit:], rng, what)

    def check_pages(self, riddle, case, members, page, rest, rng, what):
        """The rest comes page by page, without a gap and nothing twice."""
        for n in range(rng.choice([1, 3])):
            a, found = self.ask(riddle, case, page=page, **members)
            limit = members["limit"]
            if found != rest[:limit]:
                raise AssertionError(told(riddle, f"{what}, page {n + 2}", found, rest[:limit]))
            rest = rest[limit:]
            assert a["more"] == bool(rest), (what, riddle.text, n, a["more"], len(rest))
            if not rest:
                return
            page = a["page"]

    def check_spoilt(self, riddle, rng, what):
        """A question that nobody would write: answered or refused in one sentence."""
        s = riddle.text
        at = rng.randrange(len(s) + 1)
        s = s[:at] + rng.choice(SPOILERS) + s[at + rng.randrange(3):]
        try:
            a = self.c.ask("search", q=json_text(s), limit=10, count="exact")
            assert len(a["rows"]) == a["n"] <= 10 and a["total"]["n"] >= a["n"], (what, s, a)
        except Refused as e:
            assert e.code in ("bad-query", "limit", "too-long") and e.event["msg"] and "\n" not in e.event["msg"], (what, s, e)
            assert 1 <= e.event.get("pos", 1) <= len(s.encode("utf-8", "surrogateescape")) + 1, (what, s, e)


def make_trees(seed, t, u):
    hostile.make(t.path, 600, seed=seed)
    hostile.make(u.path, 150, seed=seed + 1)
    rng = random.Random(seed)
    for n, letters in enumerate(LETTERS):
        for m, form in enumerate((letters, letters.lower(), letters.upper(), letters.swapcase())):
            directory = rng.choice(["", "Letters/", form + "/"])
            t.write(f"{directory}{rng.choice(['', 'x', 'K'])}{form}{n}{m}{rng.choice(['', '.c', '.TXT'])}", "x")


def order_of(c):
    return [text_of(row[0]) for row in c.ask("search", q="", limit=0)["rows"]]


def world_of(c, trees):
    """The entries in the order of the index, with what find says of them."""
    order = order_of(c)
    listings = {os.fsencode(tree.path): (name, listing(tree.path)) for name, tree in trees.items()}
    assert sorted(order) == sorted(path for _, rows in listings.values() for path in rows)
    return World(order, listings)


def ask_one(asker, seed, i):
    """(whether it was a spoilt one, None or what is wrong)"""
    rng = random.Random(f"{seed} {i}")
    what = f"TRAWL_SEED={seed} TRAWL_QUERY={i}"
    riddle = Riddles(asker.world, rng).draw()
    spoilt = rng.random() < 0.05
    try:
        (asker.check_spoilt if spoilt else asker.check)(riddle, rng, what)
    except AssertionError as e:
        return spoilt, str(e)
    except Refused as e:
        return spoilt, f"{what}\n    {riddle.text!r}\n    {e}"
    return spoilt, None


def test_random_questions():
    asked = spoilt = rows = 0
    failures = []
    for n in range(TREES):
        seed = SEED + n
        with Tree() as t, Tree() as u:
            make_trees(seed, t, u)
            with Daemon({"t": t, "u": u}) as d, d.connect() as c:
                # Half of the indexes are what changes made of an earlier one.
                if seed % 2:
                    churn = Churn(t.path, seed)
                    churn.look()
                    churn.some(300)
                    d.rescan()
                asker = Asker(c, world_of(c, {"t": t, "u": u}))
                for i in range(FIRST, QUERIES // TREES):
                    was_spoilt, failure = ask_one(asker, seed, i)
                    if failure and order_of(c) != [e.path for e in asker.world.entries]:
                        # Segments were merged meanwhile: another order, and pages of the old one have expired.
                        asker = Asker(c, world_of(c, {"t": t, "u": u}))
                        was_spoilt, failure = ask_one(asker, seed, i)
                    failures += [failure] if failure else []
                    asked, spoilt = asked + (not was_spoilt), spoilt + was_spoilt
                    # Several at once show what they have in common.
                    assert len(failures) < 8, "\n  ".join(failures)
                rows += len(asker.world.entries)
    assert not failures, "\n  ".join(failures)
    print(f"  {asked} questions and {spoilt} spoilt ones about {TREES} pairs of trees of {rows} entries (seeds {SEED} to "
          f"{SEED + TREES - 1})")


main()
