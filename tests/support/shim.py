"""Another answer of the operating system to a process: a library in front of the C library's."""

import os
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int refused(const char *call) {
    const char *error = getenv(call);
    if (error) errno = atoi(error);
    return error != NULL;
}

int fsync(int file) {
    struct stat found;
    if (!fstat(file, &found) && S_ISDIR(found.st_mode) && refused("SHIM_FSYNC_FOLDER")) return -1;
    return syscall(SYS_fsync, file);
}

int link(const char *from, const char *to) {
    if (refused("SHIM_LINK")) return -1;
    return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int flock(int file, int operation) {
    if (refused("SHIM_FLOCK")) return -1;
    return syscall(SYS_flock, file, operation);
}

int rename(const char *from, const char *to) {
    if (refused("SHIM_RENAME")) return -1;
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("SHIM_CLOCK");
    if (failed || clock != CLOCK_REALTIME || !path) return failed;
    char text[32] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, text, sizeof text - 1) > 0) now->tv_sec += atol(text);
        close(file);
    }
    return 0;
}
"""


def shim(folder: Path, *, clock: Path | None = None, **errors: int) -> dict[str, str]:
    """The environment of a process that is to get these answers, from a library made in `folder`.

    `errors` are what fsync_folder, link, flock and rename fail with; `clock` is a file with the
    seconds, which may change, by which its clock is wrong.
    """
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(_SOURCE)
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    env = {"LD_PRELOAD": str(library)}
    env |= {f"SHIM_{call.upper()}": str(error) for call, error in errors.items()}
    return env | ({"SHIM_CLOCK": os.fspath(clock)} if clock else {})
