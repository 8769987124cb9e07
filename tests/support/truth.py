"""truth: what find(1) says of a tree, beside what the index says: every field that both know.

    same_rows(indexed(d), listing(t.path), "after the rescan")

A listing is {path: row}, a row a tuple in the order of FIELDS. Times are nanoseconds.
"""
import os
import subprocess

from box import text_of

# Name in the protocol, directive of find -printf.
COLUMNS = [("type", "%y"), ("size", "%s"), ("blocks", "%b"), ("mtime", "%T@"), ("ctime", "%C@"), ("mode", "%m"),
           ("uid", "%U"), ("gid", "%G"), ("inode", "%i"), ("links", "%n"), ("depth", "%d")]
FIELDS = [name for name, _ in COLUMNS]
AT = {name: i for i, name in enumerate(FIELDS)}
FORMAT = r"\0".join(["%p", *(directive for _, directive in COLUMNS)]) + r"\0"


def nanoseconds(text):
    # Before 1970 the fraction counts forward, too: find prints both parts as the kernel has them.
    seconds, _, fraction = text.partition(b".")
    return int(seconds) * 10**9 + int(fraction[:9] or b"0")


def listing(root):
    out = subprocess.run(["find", root, "-printf", FORMAT], capture_output=True, check=True).stdout.split(b"\0")
    n = len(COLUMNS) + 1
    return {out[i]: (out[i + 1].decode(), int(out[i + 2]), int(out[i + 3]), nanoseconds(out[i + 4]),
                     nanoseconds(out[i + 5]), int(out[i + 6], 8), *map(int, out[i + 7:i + n]))
            for i in range(0, len(out) - 1, n)}


def row_of(values):
    """A row of the protocol, asked for with FIELDS, as one of a listing."""
    row = list(values)
    row[AT["mtime"]], row[AT["ctime"]] = int(row[AT["mtime"]]), int(row[AT["ctime"]])
    return tuple(row)


def told(c, q="", **members):
    """What a Daemon or a Connection answers: the answer, and its rows as a listing."""
    answer = c.ask("search", q=q, **{"limit": 0, "fields": ["path", *FIELDS], **members})
    rows = answer["rows"]
    found = {text_of(row[0]): row_of(row[1:]) for row in rows}
    assert len(found) == len(rows), "some path is there twice"
    return answer, found


def indexed(c, q="", **members):
    return told(c, q, **members)[1]


def differences(got, wanted):
    """Up to a dozen lines that say what differs."""
    lines = [f"missing: {path[-120:]!r} {wanted[path]}" for path in sorted(set(wanted) - set(got))[:4]]
    lines += [f"too many: {path[-120:]!r} {got[path]}" for path in sorted(set(got) - set(wanted))[:4]]
    unlike = [path for path, row in wanted.items() if path in got and got[path] != row]
    for path in sorted(unlike)[:4]:
        fields = ", ".join(f"{name} {a}, not {b}" for name, a, b in zip(FIELDS, got[path], wanted[path]) if a != b)
        lines.append(f"differs: {path[-120:]!r}: {fields}")
    return lines


def same_rows(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: the index has {len(got)} entries, find {len(wanted)}\n    "
                             + "\n    ".join(differences(got, wanted)))


def sums(rows, top):
    """{directory: (size, blocks, entries)} of all at and below it, an inode with several links once, as du counts."""
    seen, total = set(), {path: [0, 0, 0] for path, row in rows.items() if row[0] == "d"}
    for path, row in rows.items():
        at = path if row[0] == "d" else os.path.dirname(path)
        while len(at) >= len(top):
            total[at][2] += 1
            if row[AT["links"]] == 1 or row[0] == "d" or (at, row[AT["inode"]]) not in seen:
                seen.add((at, row[AT["inode"]]))
                total[at][0] += row[AT["size"]]
                total[at][1] += row[AT["blocks"]]
            at = os.path.dirname(at)
    return {path: tuple(t) for path, t in total.items()}
