"""Processes, installs and settings: what `run` and `beside` share. Only Python's own library."""

import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


class Scratch:
    """A folder outside of the repository, which is gone at the end unless the caller named it."""

    def __init__(self, named):
        self.named = named
        self.path = pathlib.Path(named or tempfile.mkdtemp(prefix="wsgate-real-")).resolve()
        self.path.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        if not self.named:
            shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """A process of ours: its lines of output are read as they come, and it ends with its group."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.lines = queue.Queue()
        self.log = open(log, "w")
        self.child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True, env={**os.environ, **(environment or {})},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.log:
            for line in self.child.stdout:
                self.log.write(line)
                self.log.flush()
                self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait_for(self, pattern, seconds):
        """The first match of `pattern` in the output, within a deadline."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"{self.name}: nothing like {pattern} after {seconds} s, see {self.log.name}")
            if line is None:
                raise RuntimeError(f"{self.name} ended with {self.child.wait()}, see {self.log.name}")
            if found := re.search(pattern, line):
                return found

    def rest(self, seconds):
        """All lines until the process ends, within a deadline."""
        lines, deadline = [], time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                return lines + [f"the client\tnot at its end after {seconds} s"]
            if line is None:
                return lines
            lines.append(line)

    def end(self):
        """Ends the process and what it started, by its process group."""
        for sent, wait in [(signal.SIGTERM, 3), (signal.SIGKILL, 3)]:
            try:
                os.killpg(self.child.pid, sent)
            except ProcessLookupError:
                break
            try:
                self.child.wait(timeout=wait)
            except subprocess.TimeoutExpired:
                pass


def wsgate_program():
    """The program of $WSGATE, or one that cargo builds."""
    if given := os.environ.get("WSGATE"):
        return str(pathlib.Path(given).resolve())
    subprocess.run(["cargo", "build", "--locked", "--bin", "wsgate"], cwd=REPOSITORY, check=True, timeout=1800)
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return str(pathlib.Path(target).resolve() / "debug" / "wsgate")


def recipe_settings(page, language="toml"):
    """The first block of a language of a recipe."""
    block = re.search(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    if block is None:
        raise RuntimeError(f"{page} has no settings")
    return block.group(1)


def with_addresses(settings, ports):
    """The settings with a free port to listen on, and the ports of the applications in their order."""
    settings = re.sub(r'^address = "[^"]*"', 'address = "127.0.0.1:0"', settings, count=1, flags=re.MULTILINE)
    left = list(ports)
    settings = re.sub(r"(ws|http)://127\.0\.0\.1:\d+", lambda found: f"{found[1]}://127.0.0.1:{left.pop(0)}", settings)
    if left:
        raise RuntimeError(f"the settings have {len(left)} servers too few")
    return settings


def start_wsgate(program, settings, scratch, name):
    """A gate with these settings, and its port."""
    file = scratch / f"{name}.toml"
    file.write_text(settings)
    gate = Process(f"wsgate for {name}", [program, "run", str(file)], scratch / f"{name}.gate.log")
    try:
        return gate, int(gate.wait_for(r"listening address=127\.0\.0\.1:(\d+)", 20)[1])
    except RuntimeError:
        gate.end()
        raise


def table(header, rows):
    """A table of Markdown."""
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])
