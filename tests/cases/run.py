#!/usr/bin/env python3
"""Runs the cases of a folder, each in a process of its own, and prints a line for each.

    HACHECK_BIN_DIR=FOLDER run.py [-j N] [--pending] [--list] [NAME...]

NAME is a case, or a file of cases without its .py; without one all are run. Those that the file `pending` lists are left out, unless
they are named themselves; with --pending they alone are run. Exit code 1 when one fails, 2 for wrong usage.
"""
import argparse, ast, concurrent.futures, os, pathlib, secrets, signal, subprocess, sys, time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = 90     # seconds; a case takes a few


def cases_of(folder):
    """The cases of each file, in their order: functions marked with `@case`."""
    found = {}
    for file in sorted(folder.glob("*.py")):
        marks = lambda f: [d.func if isinstance(d, ast.Call) else d for d in f.decorator_list]
        names = [f.name for f in ast.parse(file.read_text()).body
                 if isinstance(f, ast.FunctionDef) and any(isinstance(d, ast.Name) and d.id == "case" for d in marks(f))]
        if names:
            found[file] = names
    return found


def run(file, name):
    mark = secrets.token_hex(8)
    environment = dict(os.environ, HACHECK_CASE=mark, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1")
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, str(file), name], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = child.communicate(timeout=DEADLINE)[0]
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)       # it cleans up
        try:
            said = child.communicate(timeout=15)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            said = ""
            for pid in left_behind(mark):
                os.kill(pid, signal.SIGKILL)
            child.wait()
        said = f"FAIL an end within {DEADLINE} s | none; {said}"
        child.returncode = 1
    lines = said.strip().splitlines() or ["FAIL a line that says why | nothing was said"]
    word = {0: "ok  ", 77: "SKIP"}.get(child.returncode, "FAIL")
    why = "" if word == "ok  " else "  " + lines[-1].removeprefix(word).strip()
    return word, f"{word} {file.stem}.{name} ({time.monotonic() - began:.1f} s){why}"


def pending():
    """The cases of what is still to be built."""
    lines = (HERE / "pending").read_text().splitlines() if (HERE / "pending").exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def left_behind(mark):
    sys.path.insert(0, str(HERE))
    import lib
    return lib.marked(mark)


def main():
    parser = argparse.ArgumentParser(usage="HACHECK_BIN_DIR=FOLDER run.py [-j N] [--pending] [--list] [NAME...]")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="so many at a time (1)")
    parser.add_argument("--pending", action="store_true", help="only those that are listed as pending")
    parser.add_argument("--list", action="store_true", help="show the names, run nothing")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    every, later = cases_of(HERE), pending()
    known = {n for file, names in every.items() for name in names for n in (file.stem, name, f"{file.stem}.{name}")}
    if unknown := [name for name in [*options.names, *sorted(later)] if name not in known]:
        parser.error(f"no case or file is called {', '.join(unknown)}; --list shows them")

    def is_chosen(file, name):
        full = f"{file.stem}.{name}"
        if not options.pending and {name, full} & set(options.names):
            return True
        return (full in later) == options.pending and (not options.names or bool({file.stem, name, full} & set(options.names)))

    chosen = [(file, name) for file, names in every.items() for name in names if is_chosen(file, name)]
    if options.list:
        print("\n".join(f"{file.stem}.{name}" for file, name in chosen))
        return 0
    binary = pathlib.Path(os.environ.get("HACHECK_BIN_DIR") or "/nonexistent") / "hacheck"
    if not binary.exists():
        parser.error("HACHECK_BIN_DIR must name a folder with hacheck and its links (`hacheck install FOLDER`)")
    counts = {"ok  ": 0, "FAIL": 0, "SKIP": 0}
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for word, line in pool.map(lambda pair: run(*pair), chosen):
            counts[word] += 1
            print(line, flush=True)
    print(f"{counts['ok  ']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
