"""Contents: content: and grep against rg(1) and grep(1), on the files they agree to call text."""
import json
import os
import subprocess

import hostile
from box import Daemon, Tree, find, main, need, same, scale, text_of

CONTENT = [  # query, options of rg
    ("content:kmalloc", ["-i", "-F", "kmalloc"]),
    ("content:Needle", ["-F", "Needle"]),
    ("content:needle", ["-i", "-F", "needle"]),
    ("case:yes content:needle", ["-F", "needle"]),
    ('content:"alpha beta"', ["-i", "-F", "alpha beta"]),
    ("content:/needle$/", ["-i", r"needle$"]),
    ("content:/^the/", ["-i", "^the"]),
    (r"content:/memory_\w+/", ["-i", r"memory_\w+"]),
    (r"content:/k(malloc|free)\b/", ["-i", r"k(malloc|free)\b"]),
    ('content:"foo(bar)"', ["-i", "-F", "foo(bar)"]),
    ("content:nosuchword_at_all", ["-F", "nosuchword_at_all"]),
    ("content:straße", ["-i", "-F", "straße"]),
    ("content:x1", ["-i", "-F", "x1"]),
]
RG = ["rg", "-uu", "--no-config", "--no-messages", "--no-encoding", "--no-mmap"]


def text_files(root):
    """Regular files without a NUL byte that are no links: the corpus both sides can speak of."""
    return {p for p in find(root, "-type", "f", "-size", "-9000000c") if b"\0" not in open(p, "rb").read()}


def rg(root, options):
    r = subprocess.run([*RG, "-l", "-0", *options, root], capture_output=True)
    return sorted(p for p in r.stdout.split(b"\0") if p)


def test_content_finds_the_files_that_rg_finds():
    need("rg")
    with Tree() as t:
        hostile.make(t.path, max(600, scale(50_000)), seed=21)
        texts = text_files(t.path)
        with Daemon({"t": {"path": t, "content_max_size": "100M"}}) as d, d.connect() as c:
            for q, options in CONTENT:
                got = [p for p in c.search(q, timeout_ms=60000) if p in texts]
                same(got, [p for p in rg(t.path, options) if p in texts], q)


def test_content_together_with_names_and_not():
    need("rg")
    with Tree() as t:
        hostile.make(t.path, 600, seed=22)
        texts = text_files(t.path)
        with Daemon({"t": t}) as d, d.connect() as c:
            with_word = set(rg(t.path, ["-i", "-F", "beta"]))
            c_files = set(find(t.path, "-iname", "?*.c", "-type", "f"))
            same([p for p in c.search("ext:c content:beta") if p in texts], sorted(with_word & c_files & texts), "and")
            same([p for p in c.search("type:f size:<1m -content:beta") if p in texts],
                 sorted(p for p in texts - with_word if os.path.getsize(p) < 1 << 20), "not")
            other = set(rg(t.path, ["-i", "-F", "kmalloc"]))
            same([p for p in c.search("content:beta | content:kmalloc") if p in texts],
                 sorted((with_word | other) & texts), "or")
            same([p for p in c.search("content:beta content:kmalloc") if p in texts],
                 sorted(with_word & other & texts), "both")


def rg_lines(root, options):
    """(path, line number, column of the first match in bytes, line) as rg prints them."""
    r = subprocess.run([*RG, "--json", *options, root], capture_output=True)
    found = []
    for line in r.stdout.splitlines():
        e = json.loads(line)
        if e["type"] != "match":
            continue
        data = e["data"]
        path, text = (v["text"].encode() if "text" in v else __import__("base64").b64decode(v["bytes"])
                      for v in (data["path"], data["lines"]))
        found.append((path, data["line_number"], data["submatches"][0]["start"] + 1, text.rstrip(b"\r\n")))
    return sorted(found)


def grep_lines(c, pattern, **more):
    fields = ["path", "line", "column", "text"]
    answer = c.ask("grep", q="*", pattern=pattern, limit=0, timeout_ms=60000, **more)
    return sorted((text_of(r[0]), r[1], r[2], text_of(r[3]).rstrip(b"\r")) for r in answer["rows"]), answer, fields


def test_grep_gives_the_lines_that_rg_gives():
    need("rg")
    with Tree() as t:
        hostile.make(t.path, max(400, scale(20_000)), seed=23)
        texts = text_files(t.path)
        with Daemon({"t": t}) as d, d.connect() as c:
            for pattern, more, options in [("kmalloc", {}, ["-i", "-F", "kmalloc"]), ("Needle", {}, ["-F", "Needle"]),
                                           ("foo(bar)", {}, ["-i", "-F", "foo(bar)"]),
                                           (r"mem\w+_order", {"regex": True}, ["-i", r"mem\w+_order"]),
                                           ("^the ", {"regex": True}, ["-i", "^the "])]:
                got, _, _ = grep_lines(c, pattern, **more)
                wanted = [x for x in rg_lines(t.path, options) if x[0] in texts]
                # Very long lines are cut around the match; their text is compared by what is left.
                short = [x for x in got if x[0] in texts and len(x[3]) < 3000]
                assert short == [x for x in wanted if len(x[3]) < 3000], \
                    f"{pattern}: {len(short)} lines, {len(wanted)} expected; first " \
                    f"{next((p for p in zip(short, wanted) if p[0] != p[1]), None)}"
                same([b"%s:%d" % x[:2] for x in got if x[0] in texts], [b"%s:%d" % x[:2] for x in wanted], pattern)


def test_what_was_not_looked_into_is_counted():
    with Tree() as t:
        t.write("text", "needle\n")
        t.write("binary", b"a\0needle\n")
        t.write("large", "needle\n" * 40000)
        skipped = {"too_large": 1, "binary": 1}
        for content in ("yes", "scan"):
            with Daemon({"t": {"path": t, "content": content, "content_max_size": "100k"}}) as d:
                a = d.ask("search", q="content:needle", limit=0)
                assert [text_of(r[0]) for r in a["rows"]] == [os.fsencode(t.at("text"))], a
                assert a["skipped"] == skipped, a
                # Under NOT the index cannot leave it out.
                a = d.ask("search", q="type:f -content:needle", limit=0)
                assert a["rows"] == [] and a["skipped"] == skipped, a
                a = d.ask("grep", q="type:f", pattern="needle", regex=False, limit=0)
                assert len(a["rows"]) == 1 and a["skipped"] == skipped, a
                a = d.ask("search", q="content:needle | name:binary", limit=0)
                assert len(a["rows"]) == 2 and a["skipped"] == {"too_large": 1}, a
                a = d.ask("grep", q="name:text", pattern="needle", regex=False, limit=0)
                assert len(a["rows"]) == 1 and not a["skipped"], a
        with Daemon({"t": {"path": t, "content": "no"}}) as d:
            a = d.ask("search", q="content:needle", limit=0)
            assert a["rows"] == [] and sum(a["skipped"].values()) == 3, a


def test_a_file_changed_since_the_walk_is_read_as_it_is_now():
    with Tree() as t:
        t.write("a", "needle here\n")
        t.write("b", "nothing here\n")
        with Daemon({"t": t}) as d:
            t.write("a", "no more, and another length\n")
            t.write("b", "now a needle came\n")
            assert d.search("content:needle") in ([os.fsencode(t.at("b"))], []), "a row that is no longer true"
            assert os.fsencode(t.at("a")) not in d.search("content:needle")
            d.rescan("t")
            assert d.search("content:needle") == [os.fsencode(t.at("b"))]


def test_a_link_put_in_the_place_of_a_file_is_not_followed():
    with Tree() as t, Tree() as secret:
        secret.write("s", "the secret needle\n")
        t.write("a", "needle\n")
        t.write("d/x", "needle\n")
        with Daemon({"t": t}) as d:
            os.unlink(t.at("a"))
            os.symlink(secret.at("s"), t.at("a"))
            os.rename(t.at("d"), t.at("e"))
            secret.write("x", "the secret needle\n")
            os.symlink(secret.path, t.at("d"))
            a = d.ask("grep", q="*", pattern="needle", limit=0)
            assert not [r for r in a["rows"] if b"secret" in text_of(r[3])], a


main()
