"""A machine of its own for cases that need what this one's kernel lacks: Debian's user-mode-linux is a kernel that runs as a process
without any right. It sees the files of this machine, read-only, and has no network but its own.

`runs_case` boots it, and ends when it has; inside, `boot` (this file as a program) is what the kernel starts.
"""
import ctypes, glob, os, pathlib, shlex, signal, subprocess, sys

import lib
from lib import Failed, Skipped, folder

HERE = pathlib.Path(__file__).resolve().parent
MODULES = "lib/crc-ccitt net/ipv6/ipv6 net/ipv4/netfilter/nf_defrag_ipv4 net/ipv6/netfilter/nf_defrag_ipv6 net/netfilter/nf_conntrack " \
    "net/netfilter/ipvs/ip_vs net/netfilter/ipvs/ip_vs_rr drivers/net/veth"
POWER_OFF = 0x4321FEDC
FINIT_MODULE = 313


def kernel():
    """The files of the package: where it is installed, or where tests/balancers/run has unpacked it."""
    for root in (os.environ.get("HACHECK_UML", ""), "/"):
        found = glob.glob(f"{root}/usr/lib/uml/modules/*/kernel/net/netfilter/ipvs/ip_vs.ko") if root else []
        if found and os.path.exists(f"{root}/usr/bin/linux.uml"):
            return os.path.abspath(f"{root}/usr/bin/linux.uml"), os.path.abspath(found[0].split("/net/")[0])
    raise Skipped("SKIP a kernel with IPVS is missing: apt-get install user-mode-linux, or tests/balancers/run unpacks it into target/uml")


def runs_case(file, name, seconds=300):
    """Runs a case of a file in this folder in a machine of its own."""
    program, modules = kernel()
    shared = folder()
    init = shared / "init"
    init.write_text(script(shared, modules, file, name))
    init.chmod(0o755)
    argv = [program, "mem=256M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}", "quiet", "con=null", "con0=null,fd:1", f"uml_dir={shared}/", "umid=guest"]
    with open(shared / "console", "wb") as console:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env={"TMPDIR": str(shared), "HOME": str(shared)}, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Processes of the guest are such of this machine too: they are in the group that the kernel leads.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    outcome(shared, seconds)


def outcome(shared, seconds):
    """What the case in the guest has said is what this one says."""
    said = (shared / "said").read_text(errors="replace").strip() if (shared / "said").exists() else ""
    code = (shared / "code").read_text().strip() if (shared / "code").exists() else None
    if code == "77":
        raise Skipped(said)
    if code != "0":
        console = " ".join((shared / "console").read_text(errors="replace").split())
        raise Failed(said or f"FAIL the case ends within {seconds} s in its own kernel | {console[-500:]}")


def script(shared, modules, file, name):
    """What the guest's kernel starts: folders that can be written to, and the case."""
    values = {
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin",
        "HACHECK_BIN_DIR": lib.binaries(),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": 1,
        "TMPDIR": "/run",
    }
    exports = "\n".join(f"export {key}={shlex.quote(str(value))}" for key, value in values.items())
    words = shlex.join([sys.executable, str(HERE / "guest.py"), modules, str(shared), sys.executable, str(HERE / file), name])
    return f"""#!/bin/sh
{exports}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t hostfs -o {shlex.quote(str(shared))} shared {shlex.quote(str(shared))}
exec {words}
"""


def boot(modules, shared, *argv):
    """The guest's first process: loads the modules, runs the case, and turns the machine off, whatever happens."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        for module in MODULES.split():
            with open(f"{modules}/{module}.ko", "rb") as file:
                if libc.syscall(FINIT_MODULE, file.fileno(), b"", 0):
                    print(f"{module}: {os.strerror(ctypes.get_errno())}", flush=True)
        with open(f"{shared}/said", "wb") as said:
            code = subprocess.call(argv, stdout=said, stderr=said)
        pathlib.Path(shared, "code").write_text(str(code))
    finally:
        os.sync()
        libc.reboot(POWER_OFF)


if __name__ == "__main__":
    boot(*sys.argv[1:])
