/* Makes every fsync and fdatasync of a process a millisecond longer, or as long as SLOW_FSYNC_MICROSECONDS says: a disk
 * that takes its time, for the benchmark of credit alone. Preloaded into the benchmark and the PostgreSQL it starts:
 *
 *     cc -shared -fPIC -O2 -o slow-fsync.so slow-fsync.c -ldl
 *     LD_PRELOAD=$PWD/slow-fsync.so program
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

typedef int (*sync_call)(int);

static void wait_for_the_disk(void)
{
    const char *said = getenv("SLOW_FSYNC_MICROSECONDS");
    long microseconds = said ? strtol(said, NULL, 10) : 1000;
    struct timespec left = { microseconds / 1000000, microseconds % 1000000 * 1000 };
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

int fsync(int file)
{
    static sync_call real;
    if (!real) {
        real = (sync_call)dlsym(RTLD_NEXT, "fsync");
    }
    wait_for_the_disk();
    return real(file);
}

int fdatasync(int file)
{
    static sync_call real;
    if (!real) {
        real = (sync_call)dlsym(RTLD_NEXT, "fdatasync");
    }
    wait_for_the_disk();
    return real(file);
}
