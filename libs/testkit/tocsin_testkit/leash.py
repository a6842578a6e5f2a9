"""Run as a script in front of a server: ask the kernel to kill it when its parent dies, then become it.

    python -I -S leash.py PARENT_PID COMMAND [ARGUMENT ...]

A test that is killed cannot tidy up; the kernel can. Only Linux has prctl(2); elsewhere the command is run without
the leash and what survives a killed test has to be ended by hand. The pid stays the same through exec.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        tie_to_parent(parent)
    os.execv(command[0], command)  # noqa: S606  # no shell: the command is a list


def tie_to_parent(parent: int) -> None:
    """Die with the parent, also when it died before we could ask."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(f"leash: the parent {parent} is gone")


if __name__ == "__main__":
    main()
