/* A slow disk, for every program that is started with this in LD_PRELOAD: whatever is written under the folder
   SLOW_DISK takes 2 ms more a write, 20 ms a rename and 50 ms a flush, from C, Rust and SQLite as from Python.

   cc -shared -fPIC -o slow_disk.so slow_disk.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void delay(const char *path, long milliseconds) {
    const char *folder = getenv("SLOW_DISK");
    int before = errno;
    if (folder && !strncmp(path, folder, strlen(folder)))
        nanosleep(&(struct timespec){0, milliseconds * 1000000}, NULL);
    errno = before;
}

static void delay_file(int file, long milliseconds) {
    char link[32], path[4096];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    path[length < 0 ? 0 : length] = 0;
    delay(path, milliseconds);
}

ssize_t write(int file, const void *from, size_t bytes) {
    delay_file(file, 2);
    return REAL(write)(file, from, bytes);
}

ssize_t pwrite(int file, const void *from, size_t bytes, off_t at) {
    delay_file(file, 2);
    return REAL(pwrite)(file, from, bytes, at);
}

ssize_t pwrite64(int file, const void *from, size_t bytes, off64_t at) {
    delay_file(file, 2);
    return REAL(pwrite64)(file, from, bytes, at);
}

int fsync(int file) {
    delay_file(file, 50);
    return REAL(fsync)(file);
}

int fdatasync(int file) {
    delay_file(file, 50);
    return REAL(fdatasync)(file);
}

int rename(const char *from, const char *to) {
    delay(to, 20);
    return REAL(rename)(from, to);
}
