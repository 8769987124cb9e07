"""No room for the index of contents: questions go on, status says what is wrong, and it resumes by itself."""
import os
import random
import subprocess

from box import TIER, Daemon, Skip, Tree, main, need_root, until


class Small:
    """A file system of so many bytes over a directory."""

    def __init__(self, path, megabytes):
        os.makedirs(path, exist_ok=True)
        self.path = path
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", path], capture_output=True).returncode:
            raise Skip("may not mount here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    def fill(self, leave):
        """Take all room but so many bytes."""
        s = os.statvfs(self.path)
        with open(os.path.join(self.path, "ballast"), "wb") as f:
            f.write(b"x" * max(s.f_bavail * s.f_frsize - leave, 0))

    def clear(self):
        os.unlink(os.path.join(self.path, "ballast"))


def many_words(tree, n, seed):
    rng = random.Random(seed)
    for i in range(n):
        words = ("".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9)) for _ in range(600))
        tree.write(f"{seed}/f{i}", " ".join(words) + f" mark{seed}x{i}end\n")


def content(d):
    return d.roots()["t"]["content"]


def found(d, word):
    return d.search(f"content:{word}", timeout_ms=30000)


def test_a_full_disk_while_contents_are_written():
    need_root()
    with Tree() as t, Tree() as box, Small(box.at("state"), 24) as disk:
        many_words(t, 200, 1)
        with Daemon({"t": t}, state=disk.path) as d:
            assert content(d)["state"] == "ready"
            disk.fill(300_000)
            many_words(t, 200, 2)
            d.ask("rescan")
            until(lambda: content(d)["state"] == "failed", f"it says so: {d.log()[-500:]}")
            said = content(d)
            assert "no space left" in said["error"], said
            # One may be there while names are tried again.
            until(lambda: not [n for n in os.listdir(os.path.join(d.state, "segments")) if n.endswith(".tmp")], "none is left behind")
            # What is known is found by the index, and the rest by reading it.
            assert found(d, "mark1x7end") == [os.fsencode(t.at("1/f7"))]
            assert found(d, "mark2x7end") == [os.fsencode(t.at("2/f7"))]
            r = d.trawl("wait")
            # Of the contents, or of the names that came meanwhile.
            assert r.returncode == 3 and b"no space left" in r.stderr, r
            assert b"no space left" in d.trawl("status").stdout
            disk.clear()
            # The names may have wanted for room, too: those that came before are ready sooner.
            until(lambda: content(d)["state"] == "ready" and content(d)["files_done"] == 400, "it goes on by itself", 60)
            assert "error" not in content(d), content(d)
            assert found(d, "mark2x199end") == [os.fsencode(t.at("2/f199"))]
            assert d.trawl("wait").returncode == 0


def events_until(c, request, done):
    """Events of a subscription, up to the first for which done() says so."""
    got = []
    for e in c.events(request):
        got.append(e)
        if done(e):
            return got


def test_a_subscriber_hears_of_what_was_left_out():
    """Of a file too large to be read by each question, once it is indexed: that changes nothing, so no clock says so."""
    if TIER != "long":
        raise Skip("300 MB are written and read")
    need_root()
    with Tree() as t, Tree() as box, Small(box.at("state"), 24) as disk:
        many_words(t, 20, 1)
        with open(t.at("large"), "w") as f:
            for n in range(300):
                f.write(f"{n} is a line of it\n" * 60_000)
            f.write("mark1x3end in it\n")
        with Daemon({"t": {"path": t, "content_max_size": "1M"}}, state=disk.path) as d:
            disk.fill(0)
            d.write_config({"t": t})
            d.reload()
            until(lambda: content(d)["state"] == "failed", f"it says so: {d.log()[-500:]}")
            with d.connect(patience=60) as c:
                asked = c.ask("search", q="content:mark1x3end", timeout_ms=30000)
                assert len(asked["rows"]) == 1 and asked["skipped"]["pending"] == 1, asked
                s = c.send("subscribe", q="content:mark1x3end", clock=asked["clock"], fields=["name"], timeout_ms=30000)
                first = events_until(c, s, lambda e: e["ev"] == "clock")
                assert not [e for e in first if e.get("rows") or e["ev"] == "gap"], first
                disk.clear()
                then = events_until(c, s, lambda e: e["ev"] == "clock" and e["fresh"])
                assert [e for e in then if e["ev"] == "gap"], then
                assert sorted(r[2] for e in then for r in e.get("rows", [])) == ["f3", "large"], then


def test_a_full_disk_while_names_are_written():
    need_root()
    with Tree() as t, Tree() as box, Small(box.at("state"), 24) as disk:
        many_words(t, 20, 1)
        with Daemon({"t": t}, state=disk.path) as d:
            disk.fill(0)
            many_words(t, 200, 2)
            d.ask("rescan")
            until(lambda: d.roots()["t"]["state"] == "failed", "it says so")
            assert "no space left" in d.roots()["t"]["error"], d.roots()
            assert found(d, "mark1x7end") == [os.fsencode(t.at("1/f7"))]
            disk.clear()
            until(lambda: d.is_done(d.roots()["t"]) and d.roots()["t"]["state"] == "ready", "it goes on by itself", 60)
            assert found(d, "mark2x199end") == [os.fsencode(t.at("2/f199"))]


def test_a_full_disk_while_contents_are_merged():
    need_root()
    with Tree() as t, Tree() as box, Small(box.at("state"), 24) as disk:
        many_words(t, 300, 1)
        with Daemon({"t": t}, state=disk.path) as d:
            until(lambda: content(d)["segments"] == 1, "one segment")
            size = content(d)["segment_bytes"]
            # Room for what is new, and not for both together.
            many_words(t, 280, 2)
            disk.fill(int(size * 1.4))
            d.rescan()
            until(lambda: "error" in content(d) or content(d)["segments"] == 1, "merging is tried")
            said = content(d)
            # Files that are found while others are still written make a segment more.
            assert said["state"] == "ready" and said["segments"] > 1 and "no space left" in said["error"], said
            assert found(d, "mark1x7end") and found(d, "mark2x7end")
            assert d.trawl("wait").returncode == 0  # all is there
            disk.clear()
            until(lambda: content(d)["segments"] == 1 and "error" not in content(d), "merged by itself", 60)
            assert found(d, "mark1x7end") and found(d, "mark2x7end")


main()
