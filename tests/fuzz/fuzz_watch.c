/* What the kernel's queues give: fanotify's events, or inotify's with the first byte's lowest bit.
 * Each event lies within the bytes and takes some of them, and its handle is decoded. */
#include "fuzz.h"

#include <errno.h>

#include "watch/watch_event.h"
#include "watch/watch_handle.h"

static unsigned n_reached;

unsigned
fuzz_n_reached(void)
{
	return n_reached;
}

static void
check_within(struct span all, struct span part)
{
	assert(part.len == 0 ||
		(part.data >= all.data && part.data + part.len <= all.data + all.len));
	assert(!memchr(part.data ? part.data : "", '\0', part.data ? part.len : 0));
}

static int
next_fan(struct bytes *b, struct span all)
{
	struct fan_event ev;
	struct handle_id id;
	int r = fan_next(b, &ev);

	if (r != 1)
		return r;
	check_within(all, ev.name);
	assert(!(ev.has_dir && ev.has_file));
	assert(ev.handle.len == 0 || (ev.handle.data >= all.data &&
					     ev.handle.data + ev.handle.len <= all.data + all.len));
	assert(ev.has_dir || ev.has_file || ev.handle.len == 0);
	n_reached += handle_decode(ev.handle_type, ev.handle, &id) == 0;
	return r;
}

static int
next_ino(struct bytes *b, struct span all)
{
	struct ino_event ev;
	int r = ino_next(b, &ev);

	if (r != 1)
		return r;
	check_within(all, ev.name);
	n_reached += ev.name.len > 0;
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data + 1, size - 1};
	struct bytes b;
	int r = 1;

	if (size == 0)
		return 0;
	b = bytes_of(all.data, all.len);
	while (r == 1) {
		size_t left = bytes_left(&b);

		r = data[0] & 1 ? next_ino(&b, all) : next_fan(&b, all);
		assert(r == 0 || r == 1 || r == -EBADMSG);
		assert(r != 1 || bytes_left(&b) < left);
	}
	return 0;
}
