/**
 * cpus: how many CPUs the cgroup of this process may use. Internal to lib/sync: the rest asks
 * thread_cpus().
 */
#pragma once

#include "base/defs.h"

/** The least quota from the process's cgroup up to the root (v2 cpu.max, v1 cpu.cfs_*), rounded up
 *  to whole CPUs; 0 when there is none. `root` is put before /proc and /sys ("" but for tests). */
unsigned cpus_quota(const char *root);
