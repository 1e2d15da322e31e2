#include "source/storage/disk.h"

#include <errno.h>
#include <stdio.h>

const struct field disk_fields[] = {
#define ROW(...) FIELD_ROW(struct disk, __VA_ARGS__)
	DISK_FIELDS(ROW)
#undef ROW
};
const size_t disk_nfields = sizeof disk_fields / sizeof disk_fields[0];

static uint64_t unit_scale(enum field_unit unit)
{
	return unit == UNIT_BYTES ? 512 : unit == UNIT_NS ? 1000000 : 1;
}

static reading parse_column(struct span word, enum field_unit unit)
{
	uint64_t v;

	if (!span_u64(word, &v) || __builtin_mul_overflow(v, unit_scale(unit), &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

static bool starts_any(struct span name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (span_starts(name, *prefixes))
			return true;
	return false;
}

int disk_parse(struct span line, struct disk *ret)
{
	static const char *const stacked[] = { "dm-", "md", "loop", "drbd", "bcache", NULL };
	struct disk d = { .queue_requests = READING_ABSENT };
	uint64_t major, minor;
	struct span word;

	if (!span_next_u64(&line, &major) || !span_next_u64(&line, &minor) || !span_word(&line, &word))
		return -EBADMSG;
	if (major > UINT32_MAX || minor > UINT32_MAX || word.n >= sizeof d.name)
		return -EBADMSG;
	d.major = (uint32_t)major;
	d.minor = (uint32_t)minor;
	span_copy(word, d.name, sizeof d.name);
	d.stacked = starts_any(word, stacked);
	fields_missing(disk_fields, disk_nfields, READING_ABSENT, &d);
	size_t i = 0;
	for (; i < disk_nfields && span_word(&line, &word); i++)
		*field_at(&disk_fields[i], &d) = parse_column(word, disk_fields[i].unit);
	if (i < 11) /* every kernel since 2.6.25 writes eleven columns, for partitions too */
		return -EBADMSG;
	*ret = d;
	return 0;
}

/* The kernel names partition N of "sda" sda<N>, and of a name that ends in a digit
 * ("nvme0n1") nvme0n1p<N>; they follow their disk in the file. */
static bool is_partition(const char *name, const char *disk)
{
	size_t n = strlen(disk);

	if (n == 0 || strncmp(name, disk, n) != 0)
		return false;
	name += n;
	if (disk[n - 1] >= '0' && disk[n - 1] <= '9' && *name++ != 'p')
		return false;
	if (!*name)
		return false;
	return name[strspn(name, "0123456789")] == '\0';
}

static void read_queue(struct host *h, struct buf *scratch, struct disk *d)
{
	char path[96];
	uint64_t v;

	snprintf(path, sizeof path, "/sys/block/%s/queue/nr_requests", d->name);
	int r = host_read(h, path, scratch);
	if (r < 0)
		d->queue_requests = reading_from_errno(r);
	else
		d->queue_requests = span_u64(span_trim(buf_span(scratch)), &v) ? v : READING_MALFORMED;
	snprintf(path, sizeof path, "/sys/block/%s/queue/rotational", d->name);
	d->rotational = host_read(h, path, scratch) == 0 && span_is(span_trim(buf_span(scratch)), "1");
}

static bool did_io(const struct disk *d)
{
	return reading_or(d->reads, 1) || reading_or(d->writes, 1) || reading_or(d->in_flight, 1);
}

int disks_parse(struct span text, disk_vec *ret)
{
	char whole[sizeof ret->v->name] = "";
	struct span line;
	struct disk d;

	ret->n = 0;
	while (span_line(&text, &line)) {
		if (disk_parse(line, &d) < 0 || is_partition(d.name, whole))
			continue;
		memcpy(whole, d.name, sizeof whole);
		if (!did_io(&d) || strncmp(d.name, "ram", 3) == 0)
			continue;
		struct disk *kept = vec_push(ret);
		if (!kept)
			return -ENOMEM;
		*kept = d;
	}
	return 0;
}

int disks_read(struct host *h, struct buf *scratch, disk_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/diskstats", scratch);

	ret->n = 0;
	*ret_presence = presence_from_errno(r);
	if (r < 0)
		return 0;
	r = disks_parse(buf_span(scratch), ret);
	if (r < 0)
		return r;
	vec_each(d, ret)
		read_queue(h, scratch, d);
	return 0;
}
