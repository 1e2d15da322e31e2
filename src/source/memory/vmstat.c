#include "source/memory/vmstat.h"

const struct field vmstat_fields[] = {
#define ROW(...) FIELD_ROW(struct vmstat, __VA_ARGS__)
	VMSTAT_FIELDS(ROW)
#undef ROW
};
const size_t vmstat_nfields = sizeof vmstat_fields / sizeof vmstat_fields[0];

void vmstat_parse(struct span text, struct vmstat *ret)
{
	fields_parse(text, vmstat_fields, vmstat_nfields, 1, ret);
	/* Kernels built without CONFIG_VM_EVENT_COUNTERS have no pgfault. */
	ret->presence = reading_ok(ret->faults) ? PRESENT : MALFORMED;
}

void vmstat_read(struct host *h, struct buf *scratch, struct vmstat *ret)
{
	int r = host_read_kept(h, "/proc/vmstat", scratch);

	if (r < 0) {
		fields_missing(vmstat_fields, vmstat_nfields, reading_from_errno(r), ret);
		ret->presence = presence_from_errno(r);
	} else {
		vmstat_parse(buf_span(scratch), ret);
	}
}
