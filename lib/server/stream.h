/**
 * stream: the way of a job's buffers from a worker to the loop.
 */
#pragma once

#include "server/job.h"

/** Loop: one buffer of a job has come; when it is the last, the job is freed. */
void job_received(struct job *j, struct strbuf *bytes, bool last);
/** Loop: the pool takes no more tasks, so the job ends here. */
void stream_refused(struct job *j);
