"""How long the light commands take, in seconds of user + system time, beside a bare interpreter.

python -m benchmarks.startup [--rounds 7] [--json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

GOALS = {"maxi --help": 0.3, "maxi plugins": 0.5}
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "maxi --help": [sys.executable, "-m", "maxi_cli", "--help"],
    "maxi plugins": [sys.executable, "-m", "maxi_cli", "plugins"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def cpu_seconds(command: list[str]) -> float:
    """Run a command and return its user + system seconds."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_ in range(arguments.rounds + 1):  # the first, with cold files, is not counted
        for name, command in COMMANDS.items():
            seconds = cpu_seconds(command)
            if round_:
                times[name].append(seconds)
    if arguments.json:
        print(json.dumps({"schema": 1, "cpu_seconds": times, "goals": GOALS}))
        return
    print(f"{'command':16} {'median':>7} {'min':>7} {'max':>7}   goal")
    for name, seconds in times.items():
        goal = f"{GOALS[name]:.1f}" if name in GOALS else "-"
        print(f"{name:16} {statistics.median(seconds):7.3f} {min(seconds):7.3f} {max(seconds):7.3f}   {goal}")


if __name__ == "__main__":
    main()
