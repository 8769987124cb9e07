#include "shown_path.h"

#include <errno.h>

int
operands_add(struct operands *o, const char *typed)
{
	AUTO(strbuf_fini) struct strbuf path = {0};
	struct operand one = {.typed = typed};
	int r = span_ends(span_of(typed), SPAN_LIT("/")) ? directory_path(typed, &path)
	                                                 : absolute_path(typed, &path);

	if (r < 0)
		return -ENOMEM;
	one.absolute = strbuf_take(&path);
	if (!one.absolute || VEC_PUSH(&o->all, one) < 0) {
		free(one.absolute);
		return -ENOMEM;
	}
	return 0;
}

void
operands_fini(struct operands *o)
{
	VEC_EACH (&o->all, one)
		free(one->absolute);
	VEC_FINI(&o->all);
}

/* What of `path` is below the operand, with its slash; false when it is another's. */
static bool
below(const struct operand *o, struct span path, struct span *ret)
{
	struct span top = span_of(o->absolute);

	if (top.len == 1) /* "/" */
		top.len = 0;
	if (!span_starts(path, top) || (path.len > top.len && path.data[top.len] != '/'))
		return false;
	*ret = (struct span){path.data + top.len, path.len - top.len};
	return true;
}

void
operands_show(struct operands *o, struct span path, struct out *out)
{
	for (size_t i = o->next; i < o->all.len; i++) {
		const struct operand *one = &o->all.data[i];
		struct span typed = span_of(one->typed), rest;

		if (!below(one, path, &rest))
			continue;
		if (rest.len <= (path.len == 1 ? 1u : 0u))
			o->next = i + 1;
		if (rest.len > 0 && span_ends(typed, SPAN_LIT("/"))) {
			rest.data++;
			rest.len--;
		}
		out_name(out, typed);
		out_name(out, rest);
		return;
	}
	out_name(out, path);
}
