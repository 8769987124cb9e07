/**
 * event: the bytes of the kernel's two queues as events.
 *
 * Kernels add fields and kinds of records: lengths are the kernel's, each is held against what was
 * read, and what is not known is stepped over.
 *
 * Ownership: spans point into the buffer.
 */
#pragma once

#include "base/bytes.h"

struct fan_event {
	uint64_t mask; /* FAN_* */
	bool has_dir;  /* a record that names a directory was there */
	bool has_file; /* none was, but one of a file: the handle is the file's, and there is no
	                  name */
	uint64_t fsid;
	int handle_type;
	struct span handle; /* of the directory */
	struct span name;   /* in it; empty or ".": the directory itself */
};

struct ino_event {
	uint32_t mask; /* IN_* */
	int wd;
	struct span name; /* may be empty */
};

/** 1 the next event, 0 the end, -EBADMSG: the rest is no events. */
int fan_next(struct bytes *b, struct fan_event *ret);
int ino_next(struct bytes *b, struct ino_event *ret);
