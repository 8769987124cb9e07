"""The source of Linux 6.1: names, metadata and contents, exactly what find and rg give.

$TRAWL_CORPUS names an unpacked one; the long tier unpacks Debian's linux-source-6.1 otherwise.
"""
import os
import statistics
import subprocess

from box import BUILD, TIER, Daemon, Skip, find, main, need, same

ARCHIVE = "/usr/src/linux-source-6.1.tar.xz"
FIND = [
    ("*", []), ("type:f", ["-type", "f"]), ("type:d", ["-type", "d"]), ("type:l", ["-type", "l"]),
    ("ext:c", ["-iname", "?*.c", "!", "-type", "d"]), ("ext:h", ["-iname", "?*.h", "!", "-type", "d"]),
    ("ext:c,h,s", ["(", "-iname", "?*.c", "-o", "-iname", "?*.h", "-o", "-iname", "?*.s", ")", "!", "-type", "d"]),
    ("name:Makefile", ["-name", "*Makefile*"]), ("name:/^Makefile$/", ["-name", "Makefile"]),
    ("name:makefile*", ["-iname", "makefile*"]), ("name:Kconfig", ["-name", "*Kconfig*"]),
    ("name:*.dts*", ["-iname", "*.dts*"]), ("name:?chan*.[ch]", ["-iname", "?chan*.[ch]"]),
    ("name:sched", ["-iname", "*sched*"]), ("name:README", ["-name", "*README*"]),
    ("size:>1m", ["-size", "+1048576c"]), ("size:0 type:f", ["-size", "0c", "-type", "f"]),
    ("type:f size:10k..20k", ["-type", "f", "-size", "+10239c", "-size", "-20481c"]),
    ("type:f size:<100", ["-type", "f", "-size", "-100c"]),
    ("type:f perm:/111", ["-type", "f", "-perm", "/111"]), ("perm:755 type:f", ["-type", "f", "-perm", "755"]),
    ("depth:1", ["-mindepth", "1", "-maxdepth", "1"]), ("depth:>8", ["-mindepth", "9"]),
    ("depth:2 type:d", ["-mindepth", "2", "-maxdepth", "2", "-type", "d"]), ("empty:yes", ["-empty"]),
    ("links:>2 type:d", ["-links", "+2", "-type", "d"]), ("type:f links:1", ["-type", "f", "-links", "1"]),
    ("-type:f", ["!", "-type", "f"]), ("ext:rst size:>50k", ["-iname", "?*.rst", "-size", "+51200c", "!", "-type", "d"]),
    ("mtime:>3650d", ["!", "-newermt", "3650 days ago"]),
]
WORDS = [
    (lambda p: b"sched" in p.lower(), "sched"), (lambda p: b"sched" in p.lower() and p.lower().endswith(b".c"), "ext:c sched type:f"),
    (lambda p: b"/net/" in p and b"wireless" in p, '"/net/" wireless'), (lambda p: b"Documentation" in p, "Documentation"),
    (lambda p: b"arm64" in p and b"boot" in p and b"dts" not in p, "arm64 boot -dts"),
    (lambda p: b"xfs" in p or b"ext4" in p, "xfs | ext4"), (lambda p: b"zzzzzzqq" in p, "zzzzzzqq"),
    (lambda p: b"init_pool" in p, "init_pool"), (lambda p: b"_32." in p, "_32."), (lambda p: b"q" in p.lower(), "q"),
]
RG = [
    ("content:memory_order", ["-i", "-F", "memory_order"]), ("content:do_sys_openat2", ["-i", "-F", "do_sys_openat2"]),
    ("content:copy_from_user", ["-i", "-F", "copy_from_user"]), ("content:TASK_UNINTERRUPTIBLE", ["-F", "TASK_UNINTERRUPTIBLE"]),
    ("case:yes content:kmalloc ext:c", ["-F", "kmalloc", "--iglob", "*.c"]), ("content:Torvalds", ["-F", "Torvalds"]),
    ('content:"out of memory"', ["-i", "-F", "out of memory"]), ("content:/^int main\\(/", ["-i", r"^int main\("]),
    (r"content:/spin_lock_irq(save)?\(/ ext:h", ["-i", r"spin_lock_irq(save)?\(", "--iglob", "*.h"]),
    (r"content:/\bwant_\w+_page\b/", ["-i", r"\bwant_\w+_page\b"]), ("content:nosuchword_at_all", ["-F", "nosuchword_at_all"]),
    ("content:qz", ["-i", "-F", "qz"]), ("content:ΜΑΧ", ["-F", "ΜΑΧ"]), ("content:/[0-9]{12}/ ext:txt", ["-i", "[0-9]{12}", "--iglob", "*.txt"]),
    (r"content:/WARN_ON.*once/", [r"WARN_ON.*once"]), ("content:EXPORT_SYMBOL_GPL ext:h", ["-F", "EXPORT_SYMBOL_GPL", "--iglob", "*.h"]),
    ("content:\"Jürgen\"", ["-F", "Jürgen"]), (r"content:/#define\s+PAGE_SIZE/", [r"#define\s+PAGE_SIZE"]),
    ("content:rcu_read_lock ext:c size:<4k", ["-i", "-F", "rcu_read_lock", "--iglob", "*.c", "--max-filesize", "4095"]),
]


def corpus():
    given = os.environ.get("TRAWL_CORPUS")
    if given:
        return os.path.realpath(given)
    if TIER != "long":
        raise Skip("TRAWL_CORPUS is not set and this is not the long tier")
    path = os.path.join(os.path.dirname(BUILD), "corpus", "linux-source-6.1")
    if not os.path.isdir(path):
        if not os.path.exists(ARCHIVE):
            raise Skip("the package linux-source-6.1 is not installed")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["tar", "-xJf", ARCHIVE, "-C", os.path.dirname(path)], check=True)
    return path


def with_nul(root):
    r = subprocess.run(["rg", "-uuu", "--no-config", "-l", "-0", "-a", r"\x00", root], capture_output=True)
    return {p for p in r.stdout.split(b"\0") if p}


def test_names_metadata_and_contents():
    need("rg")
    root = corpus()
    with Daemon({"linux": {"path": root, "content_max_size": "1G"}}) as d, d.connect(patience=600) as c:
        everything = find(root)
        for q, expression in FIND:
            same(c.search(q, timeout_ms=60000), find(root, *expression), q)
        for wanted, q in WORDS:
            same(c.search(q), [p for p in everything if wanted(p[len(root):])], q)
        binary = with_nul(root)
        for q, options in RG:
            r = subprocess.run(["rg", "-uu", "--no-config", "--no-encoding", "-l", "-0", *options, root], capture_output=True)
            wanted = sorted(p for p in r.stdout.split(b"\0") if p and p not in binary)
            same([p for p in c.search(q, timeout_ms=60000) if p not in binary], wanted, q)
        print(f"  {len(FIND) + len(WORDS) + len(RG)} queries over {len(everything)} entries agree")


def test_a_name_query_is_fast():
    root = corpus()
    with Daemon({"linux": {"path": root}}) as d, d.connect() as c:
        took = [c.ask("search", q="name:sched", limit=100)["took_us"] for _ in range(50)]
        print(f"  took_us of name:sched, 100 of them: median {statistics.median(took):.0f}, worst {max(took)}")


main()
