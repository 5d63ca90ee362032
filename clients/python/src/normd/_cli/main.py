# SPDX-License-Identifier: MIT
"""The commands. Each reads, and returns the document and the text that show what it found."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import threading
from typing import Any, Callable, Mapping, Optional, Sequence

from .. import Client, Layer, Retries, __version__
from ..errors import Error, Unauthenticated
from ..types import Comparison, Drift, Report, Statistics
from . import data
from .progress import Progress
from .table import cell, counted, printable_lines, table, values_a_feature
from .watch import watch

#: What a command shows: a document for --json, and text.
Shown = tuple[Any, str]
EXIT_FAILED, EXIT_USAGE, EXIT_DRIFT = 1, 2, 3
#: Somebody waits for the answer: a daemon that is not there is said soon.
ATTEMPTS = 4
_VERDICTS = {"possible": ("possible", "drift"), "drift": ("drift",)}


def _plain(value: Any) -> Any:
    """Arrays as lists, for JSON."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value.tolist() if hasattr(value, "tolist") else value


def _layer(client: Client, args: argparse.Namespace) -> Layer:
    return client.model(args.model).layer(args.layer)


def models(client: Client, args: argparse.Namespace) -> Shown:
    if args.model is None:
        names = list(client.models())
        return {"models": names}, "\n".join(map(cell, names)) or "there are no models"
    layers = list(client.model(args.model).layers())
    rows = [[entry["name"], entry["definition"]["kind"], entry["revision"], entry["frozen"]] for entry in layers]
    return {"layers": layers}, table(["layer", "kind", "revision", "frozen"], rows)


def statistics(client: Client, args: argparse.Namespace) -> Shown:
    found: Statistics = _layer(client, args).statistics(version=args.version)
    rows = [[i, float(mean), float(var)] for i, (mean, var) in enumerate(zip(found.running_mean, found.running_var))]
    shown = rows[:args.top] if args.top else rows
    count = "" if found.count is None else ", " + values_a_feature(found.count)
    left_out = len(rows) - len(shown)
    more = f"\n({counted(left_out, 'more feature', 'more features')}; --top 0 shows all)" if left_out else ""
    batches = counted(found.num_batches_tracked, "batch", "batches")
    return _plain(found), (f"revision {found.revision}, {batches}{count}\n{found.digest}\n\n"
                           + table(["feature", "running mean", "running variance"], shown) + more)


def _compare(args: argparse.Namespace) -> dict[str, Any]:
    return {"version": args.version, "top": args.top, "possible": args.possible, "drift": args.drift,
            "min_count": args.min_count}


def _scores(found: Comparison, features: Sequence[Mapping[str, Any]], more: Sequence[str],
            names: Optional[Sequence[str]]) -> str:
    heads = ["verdict", "divergence", "mean_shift", "variance_ratio", *more]
    rows = [[names[f["index"]] if names else f["index"], *(f[head] for head in heads)] for f in features]
    return f"{found['verdict']}: {values_a_feature(found['count'])}\n\n" + table(
        ["feature", *(head.replace("_", " ") for head in heads)], rows)


def drift(client: Client, args: argparse.Namespace) -> Shown:
    found: Drift = _layer(client, args).drift(**_compare(args))
    return found, _scores(found, found["features"], (), None)


def report(client: Client, args: argparse.Namespace) -> Shown:
    values, names = data.read(args.file)
    found: Report = _layer(client, args).report(values, **_compare(args))
    return found, _scores(found, found["features"], ("nan", "infinite", "min", "max", "beyond_3"), names)


def export(client: Client, args: argparse.Namespace) -> Shown:
    with Progress(os.path.basename(args.file)) as progress:
        done = client.model(args.model).export_file(args.file, version=args.version, datatype=args.datatype,
                                                    progress=progress)
    return _plain(done), f"{args.file}: {done.bytes:,} bytes of version {done.version}"


def import_(client: Client, args: argparse.Namespace) -> Shown:
    with Progress(os.path.basename(args.file)) as progress:
        done = client.model(args.model).import_file(args.file, progress)
    rows = [[layer["name"], layer["created"], layer["revision"]] for layer in done["layers"]]
    left_out = len(done["left_out"])
    return done, table(["layer", "created", "revision"], rows) + (
        f"\nleft out, of other layers: {counted(left_out, 'tensor', 'tensors')}" if left_out else "")


def watch_(client: Client, args: argparse.Namespace) -> Shown:
    watch(_layer(client, args), args.interval, args.top, args.looks)
    return None, ""


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError("must be above 0, and finite")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _add_common(parser: argparse.ArgumentParser, before_command: bool) -> None:
    """The options of all commands. They may stand before the command, where their defaults are, or after it."""
    group = parser.add_argument_group("options of all commands")
    url = os.environ.get("NORMD_URL") or "http://127.0.0.1:8080"

    def add(name: str, default: Any, text: str, **settings: Any) -> None:
        group.add_argument(name, default=default if before_command else argparse.SUPPRESS, help=text, **settings)

    add("--url", url, f"the daemon's address (NORMD_URL; {url})".replace("%", "%%"))
    add("--token-file", None, "a file whose first line is the token", metavar="FILE")
    add("--ca-certs", None, "certificates to trust instead of the system's", metavar="FILE")
    add("--timeout", 60.0, "for each call as a whole (60)", type=_positive, metavar="SECONDS")
    add("--json", False, "print JSON instead of text", action="store_true")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m normd", description="Looks at a normd, and moves its state.",
                                     epilog="A token is read from NORMD_TOKEN, or from the file of --token-file.")
    _add_common(parser, before_command=True)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Client, argparse.Namespace], Shown], text: str,
                *places: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        added.set_defaults(run=run)
        _add_common(added, before_command=False)
        for place in places:
            added.add_argument(place)
        return added

    def version(added: argparse.ArgumentParser) -> None:
        added.add_argument("--version", metavar="VERSION", help="a version's number, an alias, or live")

    def compared(added: argparse.ArgumentParser) -> None:
        version(added)
        added.add_argument("--top", type=_count, metavar="N", help="how many features to show, the worst first (10)")
        added.add_argument("--possible", type=float, metavar="D", help="divergence from which on it may be drift (0.1)")
        added.add_argument("--drift", type=float, metavar="D", help="divergence from which on it is drift (0.25)")
        added.add_argument("--min-count", type=_count, metavar="N", help="values below which nothing is said (100)")
        added.add_argument("--fail-on", choices=sorted(_VERDICTS),
                           help=f"exit with {EXIT_DRIFT} if the verdict is this or worse")

    command("models", models, "list the models, or a model's layers").add_argument("model", nargs="?")
    added = command("statistics", statistics, "show a layer's running statistics", "model", "layer")
    version(added)
    added.add_argument("--top", type=_count, default=20, metavar="N", help="how many features to show; 0: all (20)")
    compared(command("drift", drift, "compare what inference has read with the running statistics", "model", "layer"))
    added = command("report", report, "compare a file's data with the running statistics", "model", "layer")
    added.add_argument("file", metavar="FILE.csv|FILE.npy")
    compared(added)
    added = command("export", export, "write a model's state as a safetensors file", "model", "file")
    version(added)
    added.add_argument("--datatype", choices=("FP32", "FP64"), help="FP64, the default, loses nothing")
    command("import", import_, "read a model's state from a safetensors file", "model", "file")
    added = command("watch", watch_, "show a layer's statistics and drift as they change", "model", "layer")
    added.add_argument("--interval", type=_positive, default=2.0, metavar="SECONDS", help="(%(default)g)")
    added.add_argument("--top", type=_count, default=5, metavar="N", help="how many features to show (%(default)d)")
    added.add_argument("--looks", type=_count, default=0, metavar="N", help="end after so many views (0: never)")
    return parser


def _token(args: argparse.Namespace) -> Optional[str]:
    if args.token_file is None:
        return os.environ.get("NORMD_TOKEN") or None
    with open(args.token_file, encoding="ascii", errors="replace") as file:
        return file.readline().strip()


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs a command, and returns the exit code: 0, 1 (it failed), 2 (it was called wrongly) or 3 (--fail-on)."""
    args = _parser().parse_args(argv)
    try:
        retries = Retries(timeout_s=args.timeout, attempts=ATTEMPTS)
        with Client(args.url, token=_token(args), retries=retries, ca_certs=args.ca_certs) as client:
            document, text = args.run(client, args)
        if document is not None:
            print(json.dumps(document, indent=2) if args.json else printable_lines(text))
        sys.stdout.flush()
    except (Error, OSError, ValueError, TypeError, data.BadFile) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
            return 0
        hint = "; give one in NORMD_TOKEN or with --token-file" if isinstance(error, Unauthenticated) else ""
        print(f"normd: {cell(str(error))}{hint}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 0 if args.command == "watch" else 130
    failing = _VERDICTS.get(getattr(args, "fail_on", None) or "", ())
    return EXIT_DRIFT if document is not None and failing and document["verdict"] in failing else 0
