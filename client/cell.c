#include "cell.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "proto/json.h"

int
cell_number(const struct msg_val *v, int64_t *ret)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0}, text = {0};
	struct span s;
	char *end;

	if (!v)
		return 0;
	if (msg_number(v, ret) > 0)
		return 1;
	if (msg_text(v, &scratch, &s) <= 0 || s.len == 0 || strbuf_span(&text, s) < 0)
		return 0;
	*ret = text.data[0] == '-' ? strtoll(text.data, &end, 10)
	                           : (int64_t)strtoull(text.data, &end, 10);
	return *end == '\0';
}

int64_t
row_number(const struct msg_val *row, size_t i)
{
	int64_t n = 0;

	return cell_number(msg_at(row, i), &n) > 0 ? n : 0;
}

struct span
row_text(const struct msg_val *row, size_t i, struct strbuf *scratch)
{
	struct span s = {"", 0};

	strbuf_reset(scratch);
	(void)msg_text(msg_at(row, i), scratch, &s);
	return s;
}

const char *
time_text(int64_t ns, bool exact, char buf[64])
{
	int64_t nsec = ns % NSEC_PER_SEC;
	time_t sec = (time_t)((ns - nsec) / NSEC_PER_SEC);
	struct tm tm;
	size_t len;

	if (nsec < 0) {
		nsec += NSEC_PER_SEC;
		sec--;
	}
	if (!localtime_r(&sec, &tm)) {
		(void)snprintf(buf, 64, "%lld", (long long)ns);
		return buf;
	}
	len = strftime(buf, 64, exact ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	if (exact)
		(void)snprintf(buf + len, 64 - len, ".%09u", (unsigned)nsec);
	return buf;
}

const char *
mode_text(char type, unsigned mode, char buf[11])
{
	static const char letters[] = "rwxrwxrwx";

	buf[0] = type == 'f' ? '-' : type;
	for (unsigned i = 0; i < 9; i++)
		buf[i + 1] = mode & (0400u >> i) ? letters[i] : '-';
	if (mode & 04000u)
		buf[3] = buf[3] == 'x' ? 's' : 'S';
	if (mode & 02000u)
		buf[6] = buf[6] == 'x' ? 's' : 'S';
	if (mode & 01000u)
		buf[9] = buf[9] == 'x' ? 't' : 'T';
	buf[10] = '\0';
	return buf;
}

static bool
ends_in(const char *word, const char *end)
{
	return span_ends(span_of(word), span_of(end));
}

void
out_cell(struct out *o, const char *field, const struct msg_val *v)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct span s;
	int64_t n;
	char buf[64];

	if (!v)
		return;
	if (ends_in(field, "time") && cell_number(v, &n) > 0) {
		out_puts(o, time_text(n, true, buf));
	} else if (strcmp(field, "mode") == 0 && msg_number(v, &n) > 0) {
		(void)strbuf_printf(&o->buf, "%04o", (unsigned)n);
	} else if (msg_text(v, &scratch, &s) > 0) {
		out_name(o, s);
	} else {
		strbuf_reset(&scratch);
		(void)msg_print(v, &scratch);
		out_text(o, strbuf_view(&scratch));
	}
}

bool
cell_is_frame(const char *key)
{
	static const char *const keys[] = {"id", "ev", "took_us"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

void
out_json(struct out *o, const struct msg_val *v)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct json j = json_to(&o->buf);
	const struct msg_val *member;
	const char *key = NULL;

	json_open(&j, '{');
	for (size_t i = 0; (member = msg_member(v, i, &key)); i++) {
		if (msg_get(v, "ev") && cell_is_frame(key))
			continue;
		strbuf_reset(&scratch);
		(void)msg_print(member, &scratch);
		json_key(&j, key);
		json_raw(&j, strbuf_view(&scratch));
	}
	json_close(&j, '}');
	out_putc(o, '\n');
}

void
out_json_row(struct out *o, const struct msg_val *row, const char *const *keys, size_t n)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct json j = json_to(&o->buf);

	json_open(&j, '{');
	for (size_t i = 0; i < n; i++) {
		strbuf_reset(&scratch);
		if (!msg_at(row, i) || msg_print(msg_at(row, i), &scratch) < 0)
			continue;
		json_key(&j, keys[i]);
		json_raw(&j, strbuf_view(&scratch));
	}
	json_close(&j, '}');
}
