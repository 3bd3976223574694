/*
 * Loaded into a Redis server (LD_PRELOAD): tells what its disk holds for certain, and makes that disk slow.
 *
 *   RIVULET_SYNCED         file: one line "<size> <path>" for each fdatasync that succeeded
 *   RIVULET_FSYNC_SLOW_MS  each fdatasync takes so much longer
 *
 * A power cut keeps of a file what the last successful fdatasync began with: what was written while it ran may be lost.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void stand_still(const char *ms) {
  if (!ms) return;
  long left = atol(ms);
  struct timespec time = {left / 1000, (left % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static void tell(const char *file, int fd, long long size) {
  char link[64], path[1024], line[1200];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!file || length < 0) return;
  path[length] = 0;
  int bytes = snprintf(line, sizeof line, "%lld %s\n", size, path);
  int to = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (to < 0 || write(to, line, bytes) != bytes) abort();
  close(to);
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  struct stat before;
  if (fstat(fd, &before) != 0) return real(fd);
  stand_still(getenv("RIVULET_FSYNC_SLOW_MS"));
  int result = real(fd);
  if (result == 0) tell(getenv("RIVULET_SYNCED"), fd, before.st_size);
  return result;
}
