#include "watch/watch_event.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Fields of the kernel are in the machine's byte order and aligned as it likes. */
static int
take(struct bytes *b, void *ret, size_t len)
{
	struct span s;
	int r = bytes_slice(b, len, &s);

	if (r == 0)
		memcpy(ret, s.data, len);
	return r;
}

/* Behind the record's head: the file system, the handle, the name with its NUL and padding. */
static int
parse_object(struct span record, struct fan_event *ev)
{
	struct bytes b = bytes_of(record.data, record.len);
	uint32_t handle_bytes;
	int r = take(&b, &ev->fsid, sizeof(ev->fsid));

	if (r == 0)
		r = take(&b, &handle_bytes, sizeof(handle_bytes));
	if (r == 0)
		r = take(&b, &ev->handle_type, sizeof(ev->handle_type));
	if (r == 0)
		r = bytes_slice(&b, handle_bytes, &ev->handle);
	if (r < 0)
		return r;
	ev->name = (struct span){(const char *)b.at, strnlen((const char *)b.at, bytes_left(&b))};
	return 0;
}

/* A directory says more than the file in it does. */
static int
parse_record(uint8_t type, struct span record, struct fan_event *ev)
{
	bool dir = type == FAN_EVENT_INFO_TYPE_DFID_NAME || type == FAN_EVENT_INFO_TYPE_DFID;
	bool file = type == FAN_EVENT_INFO_TYPE_FID && !ev->has_dir;

	if (!dir && !file)
		return 0;
	ev->has_dir = dir;
	ev->has_file = file;
	return parse_object(record, ev);
}

static int
parse_records(struct bytes b, struct fan_event *ev)
{
	while (bytes_left(&b) > 0) {
		struct fanotify_event_info_header head;
		struct span record;
		int r = take(&b, &head, sizeof(head));

		if (r < 0 || head.len < sizeof(head))
			return -EBADMSG;
		r = bytes_slice(&b, head.len - sizeof(head), &record);
		if (r < 0)
			return r;
		r = parse_record(head.info_type, record, ev);
		if (r < 0)
			return r;
	}
	return 0;
}

int
fan_next(struct bytes *b, struct fan_event *ret)
{
	struct fanotify_event_metadata head;
	struct fan_event ev = {0};
	struct span records = {0};
	struct bytes body;
	int r;

	if (bytes_left(b) == 0)
		return 0;
	r = take(b, &head, sizeof(head));
	if (r < 0 || head.vers != FANOTIFY_METADATA_VERSION || head.metadata_len < sizeof(head) ||
		head.event_len < head.metadata_len)
		return -EBADMSG;
	r = bytes_slice(b, head.event_len - sizeof(head), &records);
	if (r < 0)
		return r;
	body = bytes_of(records.data, records.len);
	r = bytes_skip(&body, head.metadata_len - sizeof(head));
	if (r == 0)
		r = parse_records(body, &ev);
	if (r < 0)
		return r;
	ev.mask = head.mask;
	*ret = ev;
	return 1;
}

int
ino_next(struct bytes *b, struct ino_event *ret)
{
	struct inotify_event head;
	struct span name = {0};
	int r;

	if (bytes_left(b) == 0)
		return 0;
	r = take(b, &head, sizeof(head));
	if (r == 0)
		r = bytes_slice(b, head.len, &name);
	if (r < 0)
		return r;
	name.len = strnlen(name.data, name.len);
	*ret = (struct ino_event){head.mask, head.wd, name};
	return 1;
}
