#include "proto/msg.h"

#include <errno.h>
#include <jansson.h>

#include "proto/json.h"

/* A struct msg is the json_t of the whole frame, a struct msg_val one inside it: both names exist
 * only so that nothing outside this file knows jansson. */

static const json_t *
json_of(const struct msg_val *v)
{
	return (const json_t *)(const void *)v;
}

static const struct msg_val *
val_of(const json_t *j)
{
	return (const struct msg_val *)(const void *)j;
}

/* Where inside a string brackets do not count. jansson recurses on each level, so depth is judged
 * before it sees the line: 0, or the 1-based column of the bracket that is one too many. */
static uint32_t
find_too_deep(struct span line)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.data[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MSG_MAX_DEPTH)
				return (uint32_t)i + 1;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

static int
parse_failed(struct err *err, const json_error_t *why)
{
	if (json_error_code(why) == json_error_out_of_memory)
		return err_set(err, -ENOMEM, "could not read the request: %s", err_reason(-ENOMEM));
	(void)err_set(err, -EPROTO, "cannot read the line as JSON: %s", why->text);
	if (err)
		err->pos = why->position > 0 ? (uint32_t)why->position : 1;
	return -EPROTO;
}

int
msg_parse(struct span line, struct msg **ret, struct err *err)
{
	uint32_t deep = find_too_deep(line);
	json_error_t why;
	json_t *root;

	if (deep > 0) {
		(void)err_set(err, -EPROTO, "cannot read the line: it is nested deeper than %u",
			MSG_MAX_DEPTH);
		if (err)
			err->pos = deep;
		return -EPROTO;
	}
	root = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (!root)
		return parse_failed(err, &why);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, -EPROTO, "a frame is one JSON object in one line");
	}
	*ret = (struct msg *)(void *)root;
	return 0;
}

void
msg_free(struct msg *m)
{
	json_decref((json_t *)(void *)m);
}

const struct msg_val *
msg_root(const struct msg *m)
{
	return (const struct msg_val *)(const void *)m;
}

const struct msg_val *
msg_get(const struct msg_val *object, const char *key)
{
	const json_t *j = json_object_get(json_of(object), key);

	return json_is_null(j) ? NULL : val_of(j);
}

size_t
msg_len(const struct msg_val *array)
{
	return json_array_size(json_of(array));
}

const struct msg_val *
msg_at(const struct msg_val *array, size_t i)
{
	return val_of(json_array_get(json_of(array), i));
}

const struct msg_val *
msg_member(const struct msg_val *object, size_t i, const char **ret_key)
{
	/* The iterator wants it not const, and changes nothing. */
	union {
		const struct msg_val *in;
		json_t *out;
	} object_of = {.in = object};
	json_t *j = object_of.out;
	void *it = json_object_iter(j);

	while (it && i-- > 0)
		it = json_object_iter_next(j, it);
	if (!it)
		return NULL;
	*ret_key = json_object_iter_key(it);
	return val_of(json_object_iter_value(it));
}

enum msg_kind
msg_kind(const struct msg_val *v)
{
	if (!v)
		return MSG_NULL;
	switch (json_typeof(json_of(v))) {
	case JSON_OBJECT:
		return MSG_OBJECT;
	case JSON_ARRAY:
		return MSG_ARRAY;
	case JSON_STRING:
		return MSG_STRING;
	case JSON_INTEGER:
		return MSG_INT;
	case JSON_REAL:
		return MSG_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return MSG_BOOL;
	case JSON_NULL:
		break;
	}
	return MSG_NULL;
}

int
msg_str(const struct msg_val *object, const char *key, struct span *ret)
{
	const json_t *j = json_of(msg_get(object, key));

	if (!j)
		return 0;
	if (!json_is_string(j))
		return -EINVAL;
	*ret = (struct span){json_string_value(j), json_string_length(j)};
	return 1;
}

int
msg_i64(const struct msg_val *object, const char *key, int64_t *ret)
{
	const json_t *j = json_of(msg_get(object, key));

	if (!j)
		return 0;
	if (!json_is_integer(j))
		return -EINVAL;
	*ret = json_integer_value(j);
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
	const json_t *j = json_of(msg_get(object, key));

	if (!j)
		return 0;
	if (!json_is_boolean(j))
		return -EINVAL;
	*ret = json_is_true(j);
	return 1;
}

int
msg_text(const struct msg_val *v, struct strbuf *scratch, struct span *ret)
{
	const json_t *j = json_of(v);
	struct span b64;
	int r;

	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (json_is_string(j)) {
		*ret = (struct span){json_string_value(j), json_string_length(j)};
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
	const json_t *j = json_of(v);

	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (json_is_string(j))
		return number_of_digits(
			(struct span){json_string_value(j), json_string_length(j)}, ret);
	if (!json_is_integer(j))
		return -EINVAL;
	*ret = json_integer_value(j);
	return 1;
}

int
msg_real(const struct msg_val *v, double *ret)
{
	if (msg_kind(v) == MSG_NULL)
		return 0;
	if (!json_is_number(json_of(v)))
		return -EINVAL;
	*ret = json_number_value(json_of(v));
	return 1;
}

static int
append_text(const char *text, size_t len, void *out)
{
	return strbuf_add(out, text, len);
}

int
msg_print(const struct msg_val *v, struct strbuf *out)
{
	size_t start = out->len;

	if (!v)
		return strbuf_puts(out, "null");
	if (json_dump_callback(json_of(v), append_text, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
		return 0;
	if (!out->failed)
		strbuf_truncate(out, start);
	return -ENOMEM;
}
