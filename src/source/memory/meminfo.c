#include "source/memory/meminfo.h"

const struct field meminfo_fields[] = {
#define ROW(...) FIELD_ROW(struct meminfo, __VA_ARGS__)
	MEMINFO_FIELDS(ROW)
#undef ROW
};
const size_t meminfo_nfields = sizeof meminfo_fields / sizeof meminfo_fields[0];

void meminfo_parse(struct span text, struct meminfo *ret)
{
	fields_parse(text, meminfo_fields, meminfo_nfields, 1, ret);
	ret->presence = reading_ok(ret->total_bytes) ? PRESENT : MALFORMED;
}

void meminfo_read(struct host *h, struct buf *scratch, struct meminfo *ret)
{
	int r = host_read_kept(h, "/proc/meminfo", scratch);

	if (r < 0) {
		fields_missing(meminfo_fields, meminfo_nfields, reading_from_errno(r), ret);
		ret->presence = presence_from_errno(r);
	} else {
		meminfo_parse(buf_span(scratch), ret);
	}
}
