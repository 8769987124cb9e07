"""--explain: the plan of a query, and what each step cost."""
import json

from box import Daemon, Tree, find, main


def make():
    t = Tree()
    for i in range(300):
        t.write(f"dir{i % 7}/name{i}.{'c' if i % 3 else 'h'}", "x" * (i * 10))
    return t


def plan(d, *args):
    r = d.trawl("--explain", "--json", *args)
    assert r.returncode in (0, 1) and not r.stderr, r
    return json.loads(r.stdout)


def test_steps_stand_in_their_order_with_what_they_took():
    with make() as t, Daemon({"t": t}) as d:
        p = plan(d, "name:name1 size:>1000 in:dir3")
        n_in = len(find(t.at("dir3"))) - 1
        assert [(s["depth"], s["term"]) for s in p["steps"]] == [
            (0, "and"), (1, "(in dir3)"), (1, "(size 1001..)"), (1, "(name name1)")], p["steps"]
        assert p["entries"] == n_in and p["of"] == len(find(t.path)), p
        assert [(r["root"], r["entries"]) for r in p["ranges"]] == [("t", n_in)], p["ranges"]
        large = len(find(t.at("dir3"), "-mindepth", "1", "-size", "+1000c"))
        both = len(find(t.at("dir3"), "-mindepth", "1", "-size", "+1000c", "-name", "*name1*"))
        size, name = p["steps"][2:]
        assert (size["asked"], size["hits"], name["asked"], name["hits"]) == (n_in, large, large, both), p
        assert size["exact"] and size["estimate"] == large
        assert p["run"]["n"] == both and not p["run"]["more"], p["run"]


def test_a_sort_tells_its_keys_and_what_it_kept():
    with make() as t, Daemon({"t": t}) as d:
        p = plan(d, "-n", "5", "--sort", "size:desc,name", "type:f")
        assert p["sort"]["keys"] == [{"field": "size", "descending": True}, {"field": "name", "descending": False}], p
        assert p["run"]["n"] == 5 and p["run"]["more"] and p["sort"]["kept"] == 6, p
        p = plan(d, "content:xxxxx", "ext:c")
        assert p["content"] and p["run"]["files_read"] > 0 and p["run"]["bytes_read"] > 0, p


def test_for_people_it_is_a_table_and_mistakes_are_sentences():
    with make() as t, Daemon({"t": t}) as d:
        r = d.trawl("--explain", "ext:c", "size:>100")
        lines = r.stdout.decode().splitlines()
        assert r.returncode == 0 and lines[0] == "understood  (and (ext c) (size 101..))", r
        assert any(x.startswith("    (ext c)") for x in lines), lines
        assert lines[-1].startswith(f"answers     {len(find(t.path, '-name', '*.c', '-size', '+100c'))} in "), lines
        r = d.trawl("--explain", "size:big")
        assert r.returncode == 2 and b"not a size" in r.stderr and not r.stdout, r
        assert d.trawl("--explain", "name:zzz").returncode == 1


def test_without_run_nothing_is_counted():
    with make() as t, Daemon({"t": t}) as d:
        answer = d.ask("explain", q="ext:c")
        assert "run" not in answer and "asked" not in answer["steps"][0], answer
        assert answer["steps"][0]["estimate"] == 200, answer


def test_a_grep_tells_what_its_index_was_asked_for():
    with make() as t, Daemon({"t": t}) as d:
        t.write("needle", "a needle\n" * 3)
        d.rescan()
        r = d.trawl("grep", "--explain", "--json", "nee+dle", "type:f")
        assert r.returncode == 0 and not r.stderr, r
        p = json.loads(r.stdout)
        assert p["pattern"]["term"] == "(grep nee+dle)" and p["run"]["n"] == 3, p
        assert p["pattern"]["estimate"] >= 1 and "need" not in p["pattern"]["grams"].split(), p
        assert p["run"]["files_read"] <= p["pattern"]["estimate"] < 20, p
        lines = d.trawl("grep", "--explain", "--limit=2", "needle").stdout.decode().splitlines()
        assert any(x.startswith("lines       (grep needle)") for x in lines), lines
        assert any(x.startswith("    grams ") for x in lines) and any(x.startswith("ranked by") for x in lines), lines
        assert d.trawl("grep", "--explain", "(").returncode == 2


main()
