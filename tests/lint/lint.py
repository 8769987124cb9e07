"""What the lints share: the sources of a tree, and how findings are told.

A lint is called as `LINT [ROOT [BUILD]]`, so that selftest can show it a tree with a planted fault.
"""
import os
import shlex
import shutil
import sys

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))


class Lint:
    def __init__(self):
        self.root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", ".."))
        self.build = sys.argv[2] if len(sys.argv) > 2 else os.path.join(self.root, "build", "dev")
        self.n_found = 0

    def files(self, folders, *endings):
        """Paths relative to the root of the files below `folders` that end in one of `endings`."""
        found = []
        for folder in folders:
            for at, dirs, names in os.walk(os.path.join(self.root, folder)):
                dirs.sort()
                found += [os.path.relpath(os.path.join(at, n), self.root)
                          for n in sorted(names) if not endings or n.endswith(endings)]
        return found

    def sources(self):
        return self.files(["lib", "daemon", "client", "helper", "tests", "bench"], ".c", ".h")

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="surrogateescape") as f:
            return f.read().splitlines()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def found(self, path, line, text):
        self.n_found += 1
        print(f"{path}:{line}: {text}" if line else f"{path}: {text}")

    def tool(self, *names):
        """The first of the programs that is installed; without any the lint is skipped."""
        for name in names:
            if shutil.which(name):
                return name
        self.skip(f"{names[0]} is not installed")

    @staticmethod
    def flags(entry):
        """What clang needs of an entry of compile_commands.json: without the compiler, its input and
        output, and what only gcc knows."""
        words, kept = shlex.split(entry["command"])[1:], []
        while words:
            w = words.pop(0)
            if w in ("-o", "-c", "-MF", "-MT"):
                words.pop(0)
            elif w != "-MD" and not w.endswith(".c"):
                kept.append(w)
        return kept + ["-Wno-unknown-warning-option"]

    def skip(self, why):
        print(f"skipped: lint/{os.path.basename(sys.argv[0])}: {why}")
        sys.exit(SKIPPED)

    def finish(self):
        if self.n_found:
            print(f"{self.n_found} found")
        sys.exit(1 if self.n_found else 0)
