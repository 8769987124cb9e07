/**
 * spin: whether waiting awake can help at all. Internal to lib/sync.
 */
#pragma once

#include "sync/atomic.h"

/** The most pauses a wait may spend before it sleeps: 100, or 0 where the holder cannot run
 *  meanwhile because there is one CPU. Asked of the kernel once. */
uint32_t spin_max(void);
