# SPDX-License-Identifier: MIT
"""What the races over HTTP share: their settings, a turn of wrk, how a report is worded,
and that nothing is left behind."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile

from contestants import HERE, Failure

ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = int(os.environ.get("SECONDS") or 1)
SEED = 20150611


def say(text=""):
    print(text, flush=True)


def load_with_wrk(contestant, name, path, form, body_path, seconds, connections, *options, method="POST"):
    """
    What wrk.lua's done() says, with requests per second and the contestant's own processor time a request.
    `name` is the case's, for messages; `options` are wrk.lua's.
    """
    command = ["wrk", "-t", str(min(2, connections)), "-c", str(connections), "-d", str(seconds), "--timeout", "60s",
               "-s", os.path.join(HERE, "wrk.lua"), f"http://127.0.0.1:{contestant.port}{path}", "--", method, form,
               body_path, *options]
    before = contestant.processor_s()
    done = subprocess.run(command, capture_output=True, text=True)
    used = contestant.processor_s() - before  # what settling uses is for requests that are not counted
    if done.returncode != 0:
        raise Failure(f"wrk failed on {contestant.name}, {name}:\n{done.stdout}{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["socket_errors"] or result["timeouts"] or result["refused"] or not result["requests"]:
        raise Failure(f"{name}: {contestant.name} failed under load: {result}\n{contestant.log()}")
    return {**result, "rate": rate(result), "processor_us": used / result["requests"] * 1e6}


def run_wrk(contestant, *load, **options):
    """One turn: load_with_wrk(), after which the contestant is idle again."""
    result = load_with_wrk(contestant, *load, **options)
    contestant.settle()
    return result


def rate(result):
    return result["requests"] / result["duration_us"] * 1e6


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def processor():
    with open("/proc/cpuinfo") as f:
        names = [line.partition(":")[2].strip() for line in f if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.machine()


def interrupted(signal_number, frame):
    raise KeyboardInterrupt


def run(name, kinds, compete):
    """
    Calls compete(directory, contestants) with a contestant of each of `kinds`, and returns the program's exit code. The
    contestants are stopped and the directory is removed whatever happens.
    """
    signal.signal(signal.SIGTERM, interrupted)
    directory = tempfile.mkdtemp(prefix="normd-bench-")
    contestants = [kind(directory) for kind in kinds]
    try:
        compete(directory, contestants)
        return 0
    except Failure as e:
        print(f"{name}: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    finally:
        for contestant in contestants:
            contestant.stop()
        shutil.rmtree(directory, ignore_errors=True)
