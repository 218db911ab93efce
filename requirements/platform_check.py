"""Says clearly on which machines the engines' wheels exist, before pip says it unclearly. Standard library only."""

import platform
import sys


def trouble() -> str | None:
    system, machine = platform.system(), platform.machine()
    if system == "Darwin":
        return None if machine == "arm64" else f"macOS on {machine}: only Apple silicon (arm64) is supported."
    if system != "Linux" or machine not in {"x86_64", "aarch64"}:
        return f"{system} on {machine}: supported are Linux (x86_64, aarch64) and macOS (arm64)."
    libc, version = platform.libc_ver()
    if libc != "glibc":
        return "This Linux does not use glibc (Alpine, for instance): the engines' programs need glibc 2.31 or later."
    if tuple(int(part) for part in version.split(".")[:2]) < (2, 31):
        return f"glibc {version} is too old: the engines' programs need 2.31 or later."
    return None


if __name__ == "__main__":
    problem = trouble()
    sys.exit(f"Rathaus does not run here. {problem}" if problem else 0)
