"""Run a Dockerfile's lines without Docker: ``python scripts/dockerfile.py``.

A temporary folder stands for the image's root, a fresh virtual environment for its Python; only files that
.dockerignore lets through get in. COPY, ENV, RUN and CMD lines are carried out, the last as the Dockerfile's
user where this process may change users; then the HEALTHCHECK must succeed. What cannot be done here is said
line by line. The base image itself (its system libraries, its accounts) is not seen by this.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile_read import Broken, Instruction, context, parse

HANDED_ON = re.compile(r"PIP_\w+|(https?|no)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE", re.IGNORECASE)
VENV = ("-m", "venv")


@dataclass
class Image:
    """The image as far as it is made: a folder, an environment, accounts, and what CMD and HEALTHCHECK say."""

    root: Path
    source: Path
    tops: str
    workdir: str = "/"
    user: str = "root"
    uids: dict[str, int] = field(default_factory=lambda: {"root": 0})
    env: dict[str, str] = field(default_factory=dict)
    told: dict[str, Instruction] = field(default_factory=dict)
    may_change: bool = os.geteuid() == 0

    def inside(self, path: str) -> Path:
        """Return where a path of the image lies."""
        return self.root / (Path(self.workdir) / path).relative_to("/")

    def moved(self, text: str) -> str:
        """Write the image's own absolute paths in a text as they are here."""
        return re.sub(rf"(?<![\w.:/])(?=/({self.tops})\b)", str(self.root), text) if self.tops else text

    def uid(self, name: str) -> int:
        """Return an account's number."""
        if not name.isdigit() and name not in self.uids:
            raise Broken(f"there is no account '{name}'")
        return int(name) if name.isdigit() else self.uids[name]

    def process(self, words: list[str], **options: object) -> subprocess.Popen:
        """Start a program as the image's user, in its folder, with its environment and nothing else."""
        if self.may_change and (uid := self.uid(self.user)):
            options |= {"user": uid, "group": uid, "extra_groups": ()}
        home = self.inside("/root" if self.user == "root" else f"/home/{self.user}")
        env = {"HOME": str(home), "LANG": "C.UTF-8"} | self.env | options.pop("more", {})
        # A shell's background jobs ignore SIGINT, and their children would, too; in a container nothing does.
        return subprocess.Popen(
            words, cwd=self.inside("."), env=env, stderr=subprocess.STDOUT, preexec_fn=_hear_interrupts, **options
        )

    def whom(self) -> str:
        """Say as whom programs run."""
        return f"as uid {self.uid(self.user)}" if self.may_change else f"as uid {os.geteuid()}, not as {self.user}"

    def do_from(self, it: Instruction) -> str:
        """Make the virtual environment that stands for the base image."""
        wanted, here = re.fullmatch(r"python:(\d+\.\d+)\S*", it.rest), ".".join(map(str, sys.version_info[:2]))
        if not wanted or wanted[1] != here:
            raise Broken(f"{it.rest} cannot be stood for by Python {here}: start this script with the image's Python")
        python, self.env = Path(sys.executable).resolve(), {"PATH": f"{self.root}/venv/bin:/usr/bin:/bin"}
        if self.may_change and not all(part.stat().st_mode & 0o001 for part in python.parents):
            # The image's user could not reach an interpreter in somebody's home.
            copy = self.root / "usr" / "local"
            unwanted = shutil.ignore_patterns("site-packages", "test", "__pycache__", "share")
            shutil.copytree(sys.base_prefix, copy, symlinks=True, ignore=unwanted)
            python = copy / python.relative_to(Path(sys.base_prefix).resolve())
            self.env["LD_LIBRARY_PATH"] = str(copy / "lib")
        subprocess.run([python, *VENV, self.root / "venv"], check=True)
        return f"stood for by a fresh virtual environment of Python {sys.version.split()[0]}"

    def do_workdir(self, it: Instruction) -> str:
        """Change the folder."""
        self.workdir = str(Path(self.workdir) / it.rest)
        self.inside(".").mkdir(parents=True, exist_ok=True)
        return "done"

    def do_env(self, it: Instruction) -> str:
        """Set variables."""
        for word in it.words():
            name, equals, value = word.partition("=")
            if not equals:
                raise Broken(f"'{word}' is not NAME=value")
            self.env[name] = self.moved(value)
        return "done"

    def do_copy(self, it: Instruction) -> str:
        """Copy what .dockerignore lets through."""
        *sources, target = it.words()
        there, number = context(self.source), 0
        for source in sources:
            plain = os.path.normpath(source)
            names = [name for name in there if plain in (".", name) or name.startswith(f"{plain}/")]
            if not names:
                raise Broken(f"there is no '{source}', or .dockerignore holds it back")
            for name in names:
                within = Path(name).relative_to(plain) if plain != name else Path(Path(name).name)
                new = self.inside(target) / within if plain != name or target[-1] in "./" else self.inside(target)
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.source / name, new)
                if self.may_change and "chown" in it.options:
                    os.chown(new, self.uid(it.options["chown"]), -1)
            number += len(names)
        return f"{number} file{'s' * (number != 1)}"

    def do_run(self, it: Instruction) -> str:
        """Run a shell line, command by command."""
        told = []
        for command in it.rest.split(" && "):
            words = shlex.split(command)
            if words[0] == "useradd":
                number = dict(zip(words, words[1:], strict=False)).get("--uid", "1000")
                self.uids[words[-1]] = int(number)
                home = self.inside(f"/home/{words[-1]}")
                home.mkdir(parents=True)
                if self.may_change:
                    os.chown(home, int(number), int(number))
                told.append(f"useradd NOT RUN: it would change this machine's accounts; its uid {number} is used")
                continue
            if words[0] == "chown":
                if not self.may_change:
                    told.append("chown NOT RUN: this process may not")
                    continue
                command = command.replace(f" {words[1]} ", f" {self.uid(words[1])} ", 1)
            more = {name: value for name, value in os.environ.items() if HANDED_ON.fullmatch(name)}
            own = Path.home() / ".config" / "pip" / "pip.conf"
            if own.is_file():
                more.setdefault("PIP_CONFIG_FILE", str(own))
            began = time.monotonic()
            with tempfile.TemporaryFile("w+") as log:
                if self.process(["/bin/sh", "-c", self.moved(command)], stdout=log, more=more).wait():
                    log.seek(0)
                    raise Broken(f"'{command}' failed:\n{log.read()}")
            handed = f", handed on: {', '.join(sorted(more))}" if words[0] == "pip" and more else ""
            told.append(f"{words[0]} ran {self.whom()}, {time.monotonic() - began:.0f} s{handed}")
        return "; ".join(told)

    def do_user(self, it: Instruction) -> str:
        """Change the user."""
        self.uid(it.rest)
        self.user = it.rest
        return "done" if self.may_change else f"NOT DONE: programs run {self.whom()}"

    def do_volume(self, it: Instruction) -> str:
        """Check that the user may write where volumes will lie."""
        for path in it.words():
            if self.process(["test", "-w", str(self.inside(path))]).wait():
                raise Broken(f"'{path}' is no folder that {self.user} may write to")
        return f"no volume is made; the folders can be written to {self.whom()}"

    def do_expose(self, it: Instruction) -> str:
        """Note it."""
        return "NOT DONE: nothing to do without a container"

    def do_cmd(self, it: Instruction) -> str:
        """Keep it for the end; the last one counts."""
        self.told[it.word] = it
        return "see below"

    do_healthcheck = do_stopsignal = do_cmd

    def serve(self, beside: str = "") -> Iterator[str]:
        """Run CMD until HEALTHCHECK succeeds, then ``beside``; stop CMD; yield what happened."""
        for word in ("CMD", "HEALTHCHECK"):
            if word not in self.told:
                raise Broken(f"there is no {word}")
        check = self.told["HEALTHCHECK"]
        words = [self.moved(word) for word in json.loads(check.rest.removeprefix("CMD ").strip())]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.env["GRADIO_SERVER_PORT"] = str(free.getsockname()[1])
        yield f"GRADIO_SERVER_PORT={self.env['GRADIO_SERVER_PORT']} instead, as docker run -e would set it"
        patience = _seconds(check.options.get("start-period", "0s")) + 3 * _seconds(
            check.options.get("interval", "30s")
        )
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as log:
            server = self.process([self.moved(word) for word in self.told["CMD"].words()], stdout=log)
            try:
                while self.process(words, stdout=subprocess.DEVNULL).wait():
                    ended = server.poll() is not None
                    if ended or time.monotonic() - began > patience:
                        log.seek(0)
                        how = f"CMD ended with {server.returncode}" if ended else f"not healthy after {patience:.0f} s"
                        raise Broken(f"{how}:\n{log.read()}")
                    time.sleep(0.5)
                yield f"CMD runs, HEALTHCHECK succeeds after {time.monotonic() - began:.1f} s, both {self.whom()}"
                if beside and self.process(["/bin/sh", "-c", beside]).wait():
                    raise Broken(f"'{beside}' failed beside it")
                began = time.monotonic()
                name = self.told["STOPSIGNAL"].rest if "STOPSIGNAL" in self.told else "SIGTERM"
                server.send_signal(getattr(signal, name))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(10)
                    yield f"{name} ends it after {time.monotonic() - began:.1f} s, exit status {server.returncode}"
                if server.returncode is None:
                    raise Broken(f"{name} did not end it within 10 s")
            finally:
                server.kill()
                server.wait()


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def run(source: Path, beside: str = "") -> Iterator[str]:
    """Carry out a folder's Dockerfile and yield a line about each instruction.

    ``beside`` is a shell line to run in the image while it serves.

    Raises:
        Broken: it does not work.
    """
    instructions = parse((source / "Dockerfile").read_text(encoding="utf-8"))
    paths = [word for it in instructions if it.word in ("WORKDIR", "VOLUME") for word in it.words()]
    tops = "|".join(sorted({re.escape(path.split("/")[1]) for path in paths if path.startswith("/")}))
    with tempfile.TemporaryDirectory(prefix="image-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        image = Image(Path(folder), source, tops)
        for it in instructions:
            try:
                if not hasattr(image, f"do_{it.word.lower()}"):
                    raise Broken("is not known to this script")
                done = getattr(image, f"do_{it.word.lower()}")(it)
            except (Broken, OSError, subprocess.CalledProcessError) as error:
                raise Broken(f"line {it.line}: {it.word}: {error}") from error
            yield f"{it.line:3} {f'{it.word} {it.rest}'[:60]:60} {done}"
        yield from (f"{'':64} {line}" for line in image.serve(beside))


def main() -> None:
    """Run the lines and say what happened; exit with 1 where the Dockerfile is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1], help="with a Dockerfile")
    parser.add_argument("--exec", default="", metavar="LINE", help="a shell line to run beside CMD, as docker exec")
    options = parser.parse_args()
    try:
        for line in run(options.folder.resolve(), options.exec):
            print(line, flush=True)
    except Broken as error:
        sys.exit(f"BROKEN: {error}")


if __name__ == "__main__":
    main()
