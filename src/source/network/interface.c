#include "source/network/interface.h"

#include <errno.h>
#include <stdio.h>

const struct field interface_fields[] = {
#define ROW(...) FIELD_ROW(struct interface, __VA_ARGS__)
	INTERFACE_FIELDS(ROW)
#undef ROW
};
const size_t interface_nfields = sizeof interface_fields / sizeof interface_fields[0];

/* "  eth0: 652157311 13623 …"; kernels before 2.6.39 put no blank behind the colon. */
int interface_parse(struct span line, struct interface *ret)
{
	struct interface parsed;
	struct span name, word;

	if (!span_until(&line, ':', &name))
		return -EBADMSG;
	name = span_trim(name);
	if (name.n == 0 || name.n >= sizeof parsed.name || memchr(name.p, 0, name.n))
		return -EBADMSG;
	span_copy(name, parsed.name, sizeof parsed.name);
	for (size_t i = 0; i < interface_nfields; i++) {
		uint64_t v;

		if (!span_word(&line, &word))
			return -EBADMSG;
		*field_at(&interface_fields[i], &parsed) =
			span_u64(word, &v) && reading_ok(v) ? v : READING_MALFORMED;
	}
	*ret = parsed;
	return 0;
}

static int parse_all(struct span text, interface_vec *ret)
{
	struct interface parsed;
	struct span line;

	while (span_line(&text, &line)) {
		if (interface_parse(line, &parsed) < 0)
			continue; /* the two headers */
		struct interface *interface = vec_push(ret);
		if (!interface)
			return -ENOMEM;
		*interface = parsed;
	}
	return 0;
}

int interfaces_read(struct host *h, int pid, struct buf *scratch, interface_vec *ret,
		    enum presence *ret_presence)
{
	char path[64] = "/proc/net/dev";

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/net/dev", pid);
	ret->n = 0;
	int r = host_read(h, path, scratch);
	*ret_presence = presence_from_errno(r);
	if (r < 0)
		return 0;
	r = parse_all(buf_span(scratch), ret);
	/* Every namespace has at least lo. */
	if (r == 0 && ret->n == 0)
		*ret_presence = MALFORMED;
	return r;
}
