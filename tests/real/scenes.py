"""A stage that scenes are played on, and how a script of scenes is run: with packages of PyPI in a folder of its own."""

import argparse
import asyncio
import copy
import pathlib
import subprocess
import sys
import time
import venv

from harness import HERE, Scratch, table, wsgate_program


# What one scene may take, in seconds: each wait in it has a bound of its own too.
LONGEST = 300


class Stage:
    """What all scenes share: the program, an upstream, and the rows of what was found."""

    def __init__(self, scratch, program, options):
        self.scratch, self.program, self.options = scratch, program, options
        self.rows, self.started = [], []
        self.longest = LONGEST

    def expect(self, tried, found, expected):
        self.rows.append((tried, found, expected))

    async def all(self):
        """Plays the scenes."""
        raise NotImplementedError

    async def play(self, scene):
        from edge.wire import Upstream
        name = scene.__name__.lower()
        if self.options.scenes and name not in self.options.scenes:
            return
        began, own = time.monotonic(), copy.copy(self)
        try:
            # Of its own, because scenes are played beside each other.
            own.upstream = await Upstream().start()
            await asyncio.wait_for(scene(own).all(), self.longest)
        except Exception as error:  # one scene does not end the others
            self.expect(f"{name}: to its end", repr(error), "no error")
        print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)

    def end(self):
        for process in self.started:
            process.end()


def arguments(description, scenes):
    """What each script takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"some of: {', '.join(scenes)}")
    parser.add_argument("--scratch", help="a folder to keep; by default a temporary one")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


def run(script, stage, parser, scenes, requirements):
    """Runs the scenes that the command line names, with the interpreter that has the packages."""
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(scenes):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    if options.inside:
        sys.exit(inside(stage(pathlib.Path(options.inside), wsgate_program(), options)))
    with Scratch(options.scratch) as scratch:
        print("installing from PyPI …", file=sys.stderr, flush=True)
        if not (scratch / "pip").exists():
            venv.create(scratch / "pip", with_pip=True)
        python = scratch / "pip/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "edge" / requirements],
                       check=True, timeout=600, stdout=sys.stderr)
        sys.exit(subprocess.run([python, "-W", "ignore", script, *sys.argv[1:], "--inside", scratch]).returncode)


def inside(stage):
    """Plays the scenes and shows what was found; the exit code."""
    try:
        asyncio.run(stage.all())
    finally:
        stage.end()
    wrong = sum(found != expected for _, found, expected in stage.rows)
    print(table(["tried", "found", ""], [(tried, found, "=" if found == expected else f"**expected {expected}**")
                                         for tried, found, expected in stage.rows]))
    print(f"\n{len(stage.rows)} things tried, {wrong} wrong")
    return 1 if wrong or not stage.rows else 0
