/**
 * stream: the way of a job's buffers from a worker to the loop.
 */
#pragma once

#include "server/job.h"

/** Loop: a buffer of a job has come, in a copy of its chunk; when it is the last, the job is freed.
 */
void job_received(struct job *j, struct chunk *k);
/** Loop: the pool takes no more tasks, so the job ends here. */
void stream_refused(struct job *j);
