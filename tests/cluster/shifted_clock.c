/* A library for LD_PRELOAD that shifts the wall clock of a program by the seconds in a file, which may change at any
   time. The monotonic clock stays: that is what a machine sees whose clock is set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *offset;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("SHIFTED_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) offset = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec shifted;
    int failed = clock_gettime(CLOCK_REALTIME, &shifted);
    if (!failed) now->tv_sec = shifted.tv_sec, now->tv_usec = shifted.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *result) {
    struct timespec shifted;
    clock_gettime(CLOCK_REALTIME, &shifted);
    if (result) *result = shifted.tv_sec;
    return shifted.tv_sec;
}
