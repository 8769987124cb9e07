#include "proto/msg_impl.h"

#include <errno.h>

#include "proto/json.h"

void
msg_free(struct msg *m)
{
	if (!m)
		return;
	arena_fini(&m->arena);
	free(m);
}

const struct msg_val *
msg_root(const struct msg *m)
{
	return &m->root;
}

const struct msg_val *
msg_get(const struct msg_val *object, const char *key)
{
	struct span want = span_of(key);
	size_t n = msg_kind(object) == MSG_OBJECT ? object->len : 0;

	for (size_t i = 0; i < n; i++) {
		const struct msg_val *v = &object->item[2 * i];

		if (span_eq((struct span){v->text, v->len}, want))
			return v[1].kind == MSG_NULL ? NULL : v + 1;
	}
	return NULL;
}

size_t
msg_len(const struct msg_val *array)
{
	return msg_kind(array) == MSG_ARRAY ? array->len : 0;
}

const struct msg_val *
msg_at(const struct msg_val *array, size_t i)
{
	return i < msg_len(array) ? &array->item[i] : NULL;
}

const struct msg_val *
msg_member(const struct msg_val *object, size_t i, const char **ret_key)
{
	if (msg_kind(object) != MSG_OBJECT || i >= object->len)
		return NULL;
	*ret_key = object->item[2 * i].text;
	return &object->item[2 * i + 1];
}

enum msg_kind
msg_kind(const struct msg_val *v)
{
	return v ? v->kind : MSG_NULL;
}

int
msg_str(const struct msg_val *object, const char *key, struct span *ret)
{
	const struct msg_val *v = msg_get(object, key);

	if (!v)
		return 0;
	if (v->kind != MSG_STRING)
		return -EINVAL;
	*ret = (struct span){v->text, v->len};
	return 1;
}

int
msg_i64(const struct msg_val *object, const char *key, int64_t *ret)
{
	const struct msg_val *v = msg_get(object, key);

	if (!v)
		return 0;
	if (v->kind != MSG_INT)
		return -EINVAL;
	*ret = v->integer;
	return 1;
}

int
msg_u64(const struct msg_val *object, const char *key, uint64_t *ret)
{
	int64_t v;
	int r = msg_i64(object, key, &v);

	if (r <= 0)
		return r;
	if (v < 0)
		return -EINVAL;
	*ret = (uint64_t)v;
	return 1;
}

int
msg_bool(const struct msg_val *object, const char *key, bool *ret)
{
	const struct msg_val *v = msg_get(object, key);

	if (!v)
		return 0;
	if (v->kind != MSG_BOOL)
		return -EINVAL;
	*ret = v->truth;
	return 1;
}

int
msg_text(const struct msg_val *v, struct strbuf *scratch, struct span *ret)
{
	struct span b64;
	int r;

	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (v->kind == MSG_STRING) {
		*ret = (struct span){v->text, v->len};
		return 1;
	}
	if (msg_str(v, "b64", &b64) != 1)
		return -EINVAL;
	strbuf_reset(scratch);
	r = base64_decode(scratch, b64);
	if (r < 0)
		return r;
	*ret = strbuf_view(scratch);
	return 1;
}

static int
number_of_digits(struct span s, int64_t *ret)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	uint64_t v;

	if (negative)
		s = (struct span){s.data + 1, s.len - 1};
	if (parse_u64(s, &v) < 0 || v > (uint64_t)INT64_MAX + negative)
		return -EINVAL;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 1;
}

int
msg_number(const struct msg_val *v, int64_t *ret)
{
	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (v->kind == MSG_STRING)
		return number_of_digits((struct span){v->text, v->len}, ret);
	if (v->kind != MSG_INT)
		return -EINVAL;
	*ret = v->integer;
	return 1;
}

int
msg_real(const struct msg_val *v, double *ret)
{
	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (v->kind != MSG_INT && v->kind != MSG_REAL)
		return -EINVAL;
	*ret = v->kind == MSG_INT ? (double)v->integer : v->real;
	return 1;
}

static void
print(struct json *j, const struct msg_val *v)
{
	switch (msg_kind(v)) {
	case MSG_NULL:
		json_null(j);
		break;
	case MSG_BOOL:
		json_bool(j, v->truth);
		break;
	case MSG_INT:
		json_i64(j, v->integer);
		break;
	case MSG_REAL:
		json_double(j, v->real);
		break;
	case MSG_STRING:
		json_str(j, (struct span){v->text, v->len});
		break;
	case MSG_ARRAY:
		json_open(j, '[');
		for (uint32_t i = 0; i < v->len; i++)
			print(j, &v->item[i]);
		json_close(j, ']');
		break;
	case MSG_OBJECT:
		json_open(j, '{');
		for (size_t i = 0; i < v->len; i++) {
			json_key(j, v->item[2 * i].text);
			print(j, &v->item[2 * i + 1]);
		}
		json_close(j, '}');
		break;
	}
}

int
msg_print(const struct msg_val *v, struct strbuf *out)
{
	struct json j = json_to(out);
	size_t start = out->len;

	print(&j, v);
	if (!out->failed)
		return 0;
	strbuf_truncate(out, start);
	return -ENOMEM;
}
