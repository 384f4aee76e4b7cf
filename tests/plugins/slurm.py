"""A real SLURM cluster of four machines, each a network of its own with its own name, addresses, /dev/shm and /tmp/ray.

They are namespaces of this machine, so they share its disk and its cores. Needs root, iproute2 and SLURM.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

NEEDED = ("ip", "nsenter", "unshare", "munged", "slurmctld", "slurmd", "sbatch", "sinfo")
NETWORK = "10.213.77"
CONTROLLER = f"{NETWORK}.254"
NODES = {f"node{number}": f"{NETWORK}.{number}" for number in range(1, 5)}
BRIDGE = "maxi-slurm"
CONFIGURATION = f"""\
ClusterName=lone
SlurmctldHost={{host}}({CONTROLLER})
AuthType=auth/munge
AuthInfo=socket={{folder}}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
SlurmctldPidFile={{folder}}/controller.pid
SlurmdPidFile={{folder}}/%n.pid
SlurmdSpoolDir={{folder}}/spool.%n
SlurmUser=root
StateSaveLocation={{folder}}/state
SwitchType=switch/none
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
GresTypes=gpu
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
MACHINE = """
hostname "$1"
mount --bind "$2/hosts" /etc/hosts
mount -t tmpfs tmpfs /dev/shm
mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray
exec slurmd -D -N "$1"
"""


def lacks() -> str:
    """Return what is not there that a cluster needs."""
    missing = [name for name in NEEDED if shutil.which(name, path=path_with_daemons()) is None]
    return ", ".join([*missing, *(["root"] if os.geteuid() else [])])


def path_with_daemons() -> str:
    """Return where commands are looked for."""
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


@contextmanager
def slurm(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run a cluster; yield the environment in which its commands find it."""
    write_files(folder)
    env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": path_with_daemons()}
    files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files]
    with ExitStack() as daemons:
        daemons.enter_context(network())
        daemons.enter_context(running(munged, folder / "munged.out", env))
        daemons.enter_context(running(["slurmctld", "-D"], folder / "slurmctld.out", env))
        for name in NODES:
            machine = ["nsenter", f"--net=/run/netns/{name}", "unshare", "--mount", "--uts", "bash", "-c", MACHINE]
            daemons.enter_context(running([*machine, "-", name, str(folder)], folder / f"{name}.out", env))
        wait_until_idle(env)
        yield env


def write_files(folder: Path) -> None:
    """Write what SLURM reads."""
    text = CONFIGURATION.format(folder=folder, host=socket.gethostname())
    for name, address in NODES.items():
        (folder / f"spool.{name}").mkdir()
        text += f"NodeName={name} NodeAddr={address} CPUs=64 RealMemory=4000 Gres=gpu:8\n"
    (folder / "slurm.conf").write_text(text)
    (folder / "state").mkdir()
    for number in range(8):
        (folder / f"gpu{number}").touch()  # SLURM looks whether the devices are there
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-7]\n")
    (folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in NODES.items()))
    with (folder / "hosts").open("a") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{CONTROLLER} {socket.gethostname()}\n")
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)


@contextmanager
def network() -> Iterator[None]:
    """Join networks of their own by a bridge."""
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{CONTROLLER}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for number, (name, address) in enumerate(NODES.items()):
            ip("netns", "add", name)
            outside = f"{BRIDGE}{number}"
            ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", outside, "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "route", "add", "default", "via", CONTROLLER)
        yield
    finally:
        for name in NODES:  # with whatever a job has left there
            left = subprocess.run(["ip", "netns", "pids", name], check=False, capture_output=True, text=True).stdout
            for pid in left.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


def ip(*words: str) -> None:
    """Change the network."""
    subprocess.run(["ip", *words], check=True, capture_output=True, env={"PATH": path_with_daemons()})


@contextmanager
def running(command: list[str], out: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Keep a daemon running; what it says goes into a file."""
    with out.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said, env=env) as daemon:
        try:
            yield
        finally:
            daemon.terminate()


def wait_until_idle(env: Mapping[str, str]) -> None:
    """Wait until all nodes take work."""
    until, said = time.monotonic() + 60, ""
    while time.monotonic() < until:
        sinfo = subprocess.run(
            ["sinfo", "--noheader", "--Node", "--format=%T"], capture_output=True, text=True, env=env, check=False
        )
        said = sinfo.stdout + sinfo.stderr
        if sinfo.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.5)
    raise AssertionError(said)
