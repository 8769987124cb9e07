"""`trawl grep` prints what rg(1) prints, byte for byte, option by option and in combinations.

The same options go to both, but for what trawl(1) says is different: rg is told -n and -S, which are defaults here, -L
is called --files-without-match there, and lines beyond 4 KiB are not cut (-M 0).
Paths are sorted by their bytes, there name by name: no directory of the tree is called as another name begins.
"""
import json
import os
import subprocess

from box import SANITIZED, TIER, Daemon, Skip, Tree, main, need

RG = ["rg", "-uu", "--no-config", "--no-messages", "--sort", "path"]
TREE = "/usr/include/linux"
STEP = 1 if TIER == "long" else 16 if SANITIZED else 4

# Options and pattern, one line each; {d} is a folder for files of patterns.
CASES = [
    ["EINVAL"], ["-i", "einval"], ["einval"], ["-s", "einval"], ["-S", "Einval"], ["-w", "page"], ["-x", "};"],
    ["-F", "a->"], ["-F", "("], ["-wF", "u8"], ["-v", "-x", ".*"], ["-v", "-m", "3", "e"], ["-vc", "[a-z]"], ["-vl", "e"],
    ["-o", r"u\d+"], ["-o", "-b", "--column", r"\bu\d+\b"], ["-on", "x*y"], ["-o", "-C1", "kernel"], ["-o", "-I", "GPL"],
    ["-c", "struct"], ["--count-matches", "struct"], ["-co", "e"], ["-c", "-m", "2", "struct"], ["--count-matches", "-m2", "e"],
    ["-l", "struct page"], ["--files-without-match", "struct"], ["--files-without-match", "-v", "e"], ["-0", "-l", "ioctl"],
    ["-0c", "ioctl"], ["-0", "ioctl"], ["-I", "ioctl"], ["-N", "ioctl"], ["-Ic", "ioctl"], ["-b", "ioctl"],
    ["--column", "-b", "ioctl"], ["--column", "-v", "-m1", "e"], ["-A2", "EPERM"], ["-B2", "EPERM"], ["-C3", "EPERM"],
    ["-C2", "-v", "[a-z]"], ["-A1", "-B3", "ioctl"], ["--heading", "ioctl"], ["--heading", "-C1", "-b", "ioctl"],
    ["--heading", "-0", "ioctl"], ["--heading", "-I", "ioctl"], ["--vimgrep", r"\bint\b"], ["--vimgrep", "-C1", "EPERM"],
    ["--vimgrep", "-v", "-m2", "e"], ["--trim", "ioctl"], ["--trim", "--column", "-C1", "EPERM"], ["-M", "60", "ioctl"],
    ["-M40", "-C1", "EPERM"], ["-M", "5", "-o", r"ioctl\w*"], ["-e", "EPERM", "-e", "EINTR"], ["-F", "-e", "u8", "-e", "u16"],
    ["-we", "u8", "-e", "__le.."], ["-xe", r"\{", "-e", r"\}"], ["-f", "{d}/patterns"], ["-F", "-f", "{d}/texts", "-e", "ENXIO"],
    ["-oe", "EP", "-e", "EPERM"], ["-oe", "EPERM", "-e", "EP"], ["-g", "*.h", "EPERM"], ["-g", "e*.h", "int"],
    ["-g", "!*.h", "e"], ["-g", "*.h", "-g", "!a*", "int"], ["-g", "!can_", "-l", "int"], ["-g", "{a,b}*.h", "-c", "int"],
    ["-g", "!netfilter_/", "-l", "nf_"], ["-tc", "-c", "EPERM"], ["-Tc", "-c", "e"], ["-tpy", "e"], ["-tcpp", "-tmake", "-c", "x"],
    ["-U", "-c", r"\{\n\s*int"], ["-U", r"struct \w+ \{\n\s+int"], ["-Un", "-b", r"\)\n#"], ["-U", "--column", r"/\*\n \* \w+ "],
    ["-Uo", "-b", r"enum \w+ \{[^}]*\}"], ["-U", "--multiline-dotall", r"EPERM.{1,80}EINTR"], ["-U", "-C1", r"\*/\n\n#ifdef"],
    ["-Uv", "-m4", r"\n\n"], ["-U", "--heading", r";\n\}"], ["-Ul", r"\{\n\}"], ["-U", "EPERM"], ["-U", r"EPERM\s"],
    [r"^\s*int\s"], [r"\s$"], [r"^$"], ["^"], ["$"], ["."], [r"[^a-z]EPERM"], [r"(?i)eperm"], [r"EPERM|EINTR|ENOENT"],
    ["nothing has this text at all"], ["-c", "nothing has this text at all"], ["--files-without-match", "."],
    [r"\w+_t\b.*;"], ["-c", ""], ["-o", "-m1", ""], ["-x", ""], ["é"], ["-c", r"[^\x00-\x7f]"], [r"__u[0-9]+"],
]
COLORED = [["ioctl"], ["-n", "--column", "-b", "ioctl"], ["--heading", "-C1", "EPERM"], ["-c", "EPERM"], ["-l", "EPERM"],
           ["-o", "-b", r"E[A-Z]+"], ["--vimgrep", "int"], ["-v", "-m1", "e"], ["--trim", "EPERM"], ["-U", r"\)\n#"],
           ["-0", "EPERM"], ["-m3", "e|x"], ["--files-without-match", "e"], ["-w", "u8"]]


class Headers(Tree):
    """A copy of TREE, or of part of it, in which no name begins with that of a directory."""

    def __init__(self):
        if not os.path.isdir(TREE):
            raise Skip(f"{TREE} is not there")
        super().__init__()
        for folder, _, names in os.walk(TREE):
            to = "".join(x + "_/" for x in os.path.relpath(folder, TREE).split("/") if x != ".")
            for name in sorted(names)[::STEP]:
                with open(os.path.join(folder, name), "rb") as f:
                    self.write(to + name, f.read())


def ours(d, options):
    renamed = ["-L" if x == "--files-without-match" else x for x in options]
    return d.trawl("grep", *([] if "-M" in str(options) else ["-M", "0"]), "--sort=path", *renamed)


def theirs(options, root):
    line_number = [] if "-N" in options else ["-n"]
    case = [] if {"-i", "-s", "-S"} & set(options) else ["-S"]
    r = subprocess.run([*RG, *line_number, *case, *options, root], capture_output=True)
    return r.stdout, r.returncode


def first_difference(a, b):
    for n, (x, y) in enumerate(zip(a.splitlines(), b.splitlines()), 1):
        if x != y:
            return f"line {n}: {x!r}, expected {y!r}"
    return f"{len(a.splitlines())} lines, expected {len(b.splitlines())}"


def compare(d, options, root):
    r = ours(d, options)
    want, code = theirs(options, root)
    assert r.stdout == want, f"{' '.join(options)}: {first_difference(r.stdout, want)}; {r.stderr[:300]}"
    assert r.returncode == code, f"{' '.join(options)}: exit {r.returncode}, expected {code}; {r.stderr[:300]}"


def test_what_rg_prints():
    need("rg")
    with Tree() as files, Headers() as t, Daemon({"t": t}) as d:
        files.write("patterns", "EPERM\nE(INTR|IO)\\b\n")
        files.write("texts", "u8 \n->\n")
        for case in CASES:
            compare(d, [x.replace("{d}", files.path) for x in case], t.path)


def test_colours():
    need("rg")
    with Headers() as t, Daemon({"t": t}) as d:
        for case in COLORED:
            compare(d, ["--color=always", *case], t.path)


def test_ends_of_lines_and_of_files():
    need("rg")
    with Tree() as t:
        t.write("a", "foo bar foo\nxx\nfoo\nyy\nzz\n\nq foo")
        t.write("b", "one\r\ntwo foo\r\n   foo  bar\n")
        t.write("d/c", "foo (\nbar) foo\nbaz\nlast (foo\nx\nbar)\n")
        t.write("d/empty", "")
        t.write("d/lf", "\n")
        t.write("latin", b"caf\xe9 foo\nfoo \xff\xfe foo\n")
        t.write("utf", "ä foo ö\n日本 foo\n")
        with Daemon({"t": t}) as d:
            for options in (["foo"], ["-v", "foo"], ["-c", "$"], ["-b", "foo"], ["-bo", "foo"], ["-o", "."], ["-w", "foo"],
                            ["-x", "foo"], ["-C1", "foo"], ["-U", r"\([^)]*\n[^)]*\)"], ["-Uob", r"\([^)]*\n[^)]*\)"],
                            ["-Uc", r"o \(\nbar|z"], ["-U", r"foo\r?\n"], ["-Uv", r"\([^)]*\n[^)]*\)"], ["-U", r"\n"],
                            ["-U", "--column", r"\([^)]*\n[^)]*\) foo|baz"], ["-c", ""], ["-vc", "q"],
                            ["--files-without-match", "foo"], ["--files-without-match", "x"]):
                compare(d, options, t.path)
                compare(d, ["--color=always", *options], t.path)


def messages(data):
    """rg's messages without what a client cannot know: times and bytes of searches."""
    found = []
    for line in data.splitlines():
        m = json.loads(line)
        if m["type"] in ("begin", "match", "context"):
            found.append(m)
        if m["type"] == "end":
            s = m["data"]["stats"]
            found.append((m["data"]["path"], s["matched_lines"], s["matches"]))
        if m["type"] == "summary":
            s = m["data"]["stats"]
            found.append((s["matched_lines"], s["matches"], s["searches_with_match"]))
    return found


def test_json_is_that_of_rg():
    need("rg")
    with Headers() as t, Daemon({"t": t}) as d:
        for options in (["ioctl"], ["-C2", "EPERM"], ["-v", "-m2", "e"], ["-U", r"\)\n#"], ["-U", "-A1", r"\{\n\s+int"], ["-m1", "é|x"]):
            got = messages(ours(d, ["--json", *options]).stdout)
            want = messages(subprocess.run([*RG, "--json", "-S", *options, t.path], capture_output=True).stdout)
            assert got == want, f"{options}: {next((p for p in zip(got, want) if p[0] != p[1]), (len(got), len(want)))}"


def test_json_of_files_and_counts_is_an_object_each():
    with Tree() as t:
        t.write("a", "foo foo\nfoo\n")
        with Daemon({"t": t}) as d:
            assert json.loads(d.trawl("grep", "--json", "-l", "foo").stdout) == {"path": t.at("a")}
            assert json.loads(d.trawl("grep", "--json", "--count-matches", "foo").stdout) == {"path": t.at("a"), "count": 3}


def test_the_whole_file_decides_with_content_terms():
    with Tree() as t:
        t.write("both", "a\nb\n")
        t.write("all", "a\nb\nc\n")
        t.write("one", "a\n")
        t.write("notc", "b\nd a\n")
        with Daemon({"t": t}) as d:
            r = d.trawl("grep", "-l", "a", "--", "content:b -content:c")
            assert sorted(r.stdout.splitlines()) == sorted(os.fsencode(t.at(x)) for x in ("both", "notc")), r
            r = d.trawl("grep", "-c", "a", "--", "content:c | NOT content:b")
            assert sorted(r.stdout.splitlines()) == sorted(os.fsencode(t.at(x)) + b":1" for x in ("all", "one")), r


def test_quiet_and_exit_codes():
    with Tree() as t:
        t.write("a", "foo\n")
        with Daemon({"t": t}) as d:
            for options, code in ((["-q", "foo"], 0), (["-q", "bar"], 1), (["-qv", "foo"], 1), (["-q", "-L", "bar"], 0),
                                  (["-q", "-L", "foo"], 1), (["-t", "nosuch", "foo"], 2), (["-f", "/nosuch", "foo"], 2), (["-q", "("], 2)):
                r = d.trawl("grep", *options)
                assert (r.returncode, r.stdout) == (code, b""), (options, r)


def test_a_wrong_pattern_is_shown_with_its_column():
    with Tree() as t, Daemon({"t": t}) as d:
        for options, said in ((["a(b"], b"wrong at column 4"), (["-e", "x", "-e", "(y"], b"pattern 2 is wrong at column 3"),
                              (["-w", "[z"], b"column 3"), (["-F", "-e", "a", "-e", "b\nc"], b"pattern 2 is wrong at column 2")):
            r = d.trawl("grep", *options)
            assert r.returncode == 2 and said in r.stderr, r
        r = d.trawl("grep", "-e", "x", "-e", "(y")
        assert b"\n    (y\n      ^\n" in r.stderr, r.stderr


def test_a_catastrophic_pattern_ends_at_its_limit():
    with Tree() as t:
        t.write("a", "a" * 5000 + "!\n")
        t.write("b", "x\n")
        with Daemon({"t": t}) as d:
            for pattern in (r"(a+)+$", r"(a|aa)+b?$", r"(.*a){25}x", r"^(([a-z])+.)+[A-Z]([a-z])+$"):
                for more in ([], ["-U"], ["-c"], ["-o"], ["-v"], ["-e", r"(x+x+)+y"]):
                    r = d.trawl("grep", "--strict", "--timeout=20", "--stats", "-s", "-e", pattern, *more)
                    assert r.returncode in (0, 1, 3), (pattern, more, r)
            r = d.trawl("grep", "--strict", r"^(([a-z])+.)+[A-Z]([a-z])+$", "-s")
            assert r.returncode == 3 and b"1 limit" in r.stderr, r


main()
