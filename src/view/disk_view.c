#include "view/disk_view.h"

#include <errno.h>
#include <stdlib.h>

#include "source/storage/disk.h"
#include "source/storage/filesystem.h"

/* Formulas: iostat(1) of sysstat, Documentation/admin-guide/iostats.rst of the kernel. */
struct disk_row {
	const struct disk *now; /* gauges and names */
	struct disk growth;	/* its counters */
	double seconds;
};

struct disk_state {
	struct host *host;
	struct buf scratch;
	disk_vec now, before;
	enum presence presence;
	struct filesystem_reader *filesystem_reader;
	filesystem_vec filesystems;
	bool wants_filesystems;
	struct host_time last;
	struct view_span span;
	VEC(struct disk_row) rows;
};

#define DISK ((const struct disk_row *)row)
#define GET(name, value) \
	static struct cell get_##name(const void *row) { return value; }
#define RATE_OF(name, member) GET(name, cell_rate(DISK->growth.member, DISK->seconds))

/* `part` for each of `count`; nothing where there were none. */
static struct cell each(reading part, reading count, double unit)
{
	if (!reading_ok(part) || !reading_ok(count))
		return cell_reading(reading_ok(part) ? count : part);
	return count ? cell_real((double)part / (double)count / unit) : cell_nothing();
}

GET(disk, cell_text(DISK->now->name))
RATE_OF(reads, reads)
RATE_OF(writes, writes)
RATE_OF(read_bytes, read_bytes)
RATE_OF(write_bytes, write_bytes)
RATE_OF(reads_merged, reads_merged)
RATE_OF(writes_merged, writes_merged)
RATE_OF(discards, discards)
RATE_OF(discard_bytes, discard_bytes)
RATE_OF(flushes, flushes)
GET(read_ms, each(DISK->growth.read_ns, DISK->growth.reads, 1e6))
GET(write_ms, each(DISK->growth.write_ns, DISK->growth.writes, 1e6))
GET(discard_ms, each(DISK->growth.discard_ns, DISK->growth.discards, 1e6))
GET(flush_ms, each(DISK->growth.flush_ns, DISK->growth.flushes, 1e6))
GET(read_size, each(DISK->growth.read_bytes, DISK->growth.reads, 1))
GET(write_size, each(DISK->growth.write_bytes, DISK->growth.writes, 1))
GET(queue, cell_rate(DISK->growth.queue_ns, DISK->seconds * 1e9))
GET(busy, cell_share(DISK->growth.busy_ns, DISK->seconds * 1e9))
GET(in_flight, cell_reading(DISK->now->in_flight))
GET(queue_requests, cell_reading(DISK->now->queue_requests))
GET(kind, cell_text(DISK->now->stacked ? "stacked" : DISK->now->rotational ? "rotating" : "solid"))

#define STATS "/proc/diskstats"
static const struct column disk_columns[] = {
	COLUMN(1100, disk, "DISK", TEXT, LABEL, get_disk, 0, STATS, "name of the device"),
	COLUMN(1101, reads_per_s, "READ/s", PER_S, RATE, get_reads, 1, STATS, "reads completed"),
	COLUMN(1102, writes_per_s, "WRITE/s", PER_S, RATE, get_writes, 1, STATS, "writes completed"),
	COLUMN(1103, read_bytes_per_s, "RBYTE/s", BYTES_PER_S, RATE, get_read_bytes, 0, STATS, "bytes read"),
	COLUMN(1104, write_bytes_per_s, "WBYTE/s", BYTES_PER_S, RATE, get_write_bytes, 0, STATS, "bytes written"),
	COLUMN(1105, read_ms, "R-MS", MS, RATE, get_read_ms, 1, STATS, "time of a read, queue included (r_await)"),
	COLUMN(1106, write_ms, "W-MS", MS, RATE, get_write_ms, 1, STATS, "time of a write, queue included (w_await)"),
	COLUMN(1107, queue_length, "QUEUE", COUNT, RATE, get_queue, 0, STATS, "requests in the queue and the device, on average (aqu-sz)"),
	COLUMN(1108, busy_pct, "BUSY%", PCT, RATE, get_busy, 0, STATS,
	       "time with at least one request under way (%util); a disk that serves several at once may be far from full"),
	COLUMN(1109, read_size_bytes, "R-SIZE", BYTES, RATE, get_read_size, 5, STATS, "size of a read"),
	COLUMN(1110, write_size_bytes, "W-SIZE", BYTES, RATE, get_write_size, 5, STATS, "size of a write"),
	COLUMN(1111, reads_merged_per_s, "R-MERGE/s", PER_S, RATE, get_reads_merged, 7, STATS, "reads merged with others"),
	COLUMN(1112, writes_merged_per_s, "W-MERGE/s", PER_S, RATE, get_writes_merged, 7, STATS, "writes merged with others"),
	COLUMN(1113, flushes_per_s, "FLUSH/s", PER_S, RATE, get_flushes, 4, STATS, "flushes of the device's cache (5.5)"),
	COLUMN(1114, flush_ms, "F-MS", MS, RATE, get_flush_ms, 6, STATS, "time of a flush"),
	COLUMN(1115, discards_per_s, "DISC/s", PER_S, RATE, get_discards, 8, STATS, "discards (4.18)"),
	COLUMN(1116, discard_bytes_per_s, "DBYTE/s", BYTES_PER_S, RATE, get_discard_bytes, 9, STATS, "bytes discarded"),
	COLUMN(1117, discard_ms, "D-MS", MS, RATE, get_discard_ms, 9, STATS, "time of a discard"),
	COLUMN(1118, in_flight, "NOW", COUNT, GAUGE, get_in_flight, 6, STATS, "requests under way now"),
	COLUMN(1119, queue_requests, "NRREQ", COUNT, GAUGE, get_queue_requests, 8, "/sys/block/*/queue/nr_requests", "places in the queue"),
	COLUMN(1120, kind, "KIND", TEXT, LABEL, get_kind, 7, "/sys/block", "rotating, solid, or stacked upon others (dm, md)"),
};

const struct entity entity_disk = {
	.name = "disk",
	.help = "a whole disk that has done I/O since boot; partitions are in their disk",
	COLUMNS(disk_columns),
	.shown = "disk,reads_per_s,writes_per_s,read_bytes_per_s,write_bytes_per_s,read_ms,write_ms,queue_length,busy_pct,"
		 "read_size_bytes,write_size_bytes,flushes_per_s,discards_per_s,reads_merged_per_s,writes_merged_per_s",
};

#undef GET
#define FS ((const struct filesystem *)row)
#define GET(name, value) \
	static struct cell get_##name(const void *row) { return value; }

/* What did not answer in time has no numbers, and not because the kernel lacks them. */
static struct cell space(const struct filesystem *fs, reading r)
{
	return fs->presence == PRESENT ? cell_reading(r) : (struct cell){ .kind = CELL_MISSING, .missing = READING_MALFORMED };
}
static reading used(reading total, reading left)
{
	return reading_ok(total) && reading_ok(left) && total >= left ? total - left : READING_ABSENT;
}
GET(mount, cell_text(FS->mount))
GET(source, cell_text(FS->source))
GET(type, cell_text(FS->type))
GET(size, space(FS, FS->total_bytes))
GET(used, space(FS, used(FS->total_bytes, FS->free_bytes)))
GET(available, space(FS, FS->available_bytes))
GET(used_pct, cell_real(filesystem_used_pct(FS)))
GET(inodes, space(FS, FS->inodes))
GET(inodes_used, space(FS, used(FS->inodes, FS->inodes_free)))
GET(inodes_pct, cell_real(filesystem_inodes_used_pct(FS)))
GET(read_only, cell_text(FS->read_only ? "ro" : "rw"))

static const struct column filesystem_columns[] = {
	COLUMN_ELASTIC(1130, source, "SOURCE", TEXT, LABEL, get_source, 3, "/proc/self/mountinfo", "device"),
	COLUMN(1131, type, "TYPE", TEXT, LABEL, get_type, 4, "/proc/self/mountinfo", "kind of filesystem"),
	COLUMN(1132, size_bytes, "SIZE", BYTES, GAUGE, get_size, 1, "statvfs f_blocks", "all its room"),
	COLUMN(1133, used_bytes, "USED", BYTES, GAUGE, get_used, 2, "statvfs f_blocks - f_bfree", "in use"),
	COLUMN(1134, available_bytes, "AVAIL", BYTES, GAUGE, get_available, 0, "statvfs f_bavail", "left for ordinary users"),
	COLUMN(1135, used_pct, "USE%", PCT, GAUGE, get_used_pct, 0, "statvfs", "of what ordinary users may have, as df tells it"),
	COLUMN(1136, inodes, "INODES", COUNT, GAUGE, get_inodes, 7, "statvfs f_files", "inodes; 0: made as they are needed"),
	COLUMN(1137, inodes_used, "IUSED", COUNT, GAUGE, get_inodes_used, 6, "statvfs f_files - f_ffree", "inodes in use"),
	COLUMN(1138, inodes_used_pct, "IUSE%", PCT, GAUGE, get_inodes_pct, 5, "statvfs", "inodes in use"),
	COLUMN(1139, mode, "MODE", TEXT, LABEL, get_read_only, 6, "/proc/self/mountinfo", "rw or ro"),
	COLUMN_ELASTIC(1140, mount, "MOUNT", TEXT, LABEL, get_mount, 0, "/proc/self/mountinfo", "where it is mounted"),
};

const struct entity entity_filesystem = {
	.name = "filesystem",
	.help = "a mounted filesystem with room of its own",
	COLUMNS(filesystem_columns),
	.shown = "source,type,size_bytes,used_bytes,available_bytes,used_pct,inodes_used_pct,mode,mount",
};

/* ---- collecting ---- */

static int disk_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		     struct note *note)
{
	struct disk_state *s = calloc(1, sizeof *s);
	int r = s ? filesystem_reader_new(h, &s->filesystem_reader) : -ENOMEM;

	(void)options;
	if (r < 0) {
		free(s);
		return note_set(note, r, "out of memory");
	}
	s->host = h;
	vec_each(c, &wanted->columns)
		for (size_t i = 0; i < sizeof filesystem_columns / sizeof filesystem_columns[0]; i++)
			s->wants_filesystems = s->wants_filesystems || *c == &filesystem_columns[i];
	*ret_state = s;
	return 0;
}

static const struct disk *disk_before(const struct disk_state *s, const struct disk *like)
{
	vec_each(d, &s->before)
		if (d->major == like->major && d->minor == like->minor)
			return d;
	return NULL;
}

static void grow(struct disk_row *row, const struct disk *before)
{
	for (size_t i = 0; i < disk_nfields; i++) {
		const struct field *f = &disk_fields[i];
		reading now = *field_at(f, (void *)row->now);

		*field_at(f, &row->growth) = reading_delta(before ? *field_at(f, (void *)before) : 0, now);
	}
}

static int make_rows(struct disk_state *s)
{
	s->rows.n = 0;
	vec_each(d, &s->now) {
		struct disk_row *row = vec_push(&s->rows);

		if (!row)
			return -ENOMEM;
		row->now = d;
		row->seconds = s->span.seconds;
		grow(row, s->span.since_boot ? NULL : disk_before(s, d));
	}
	return 0;
}

static int disk_look(void *state, struct note *note)
{
	struct disk_state *s = state;
	disk_vec old = s->before;
	int r;

	s->before = s->now;
	s->now = old;
	view_span_next(host_time(s->host), &s->last, &s->span);
	r = disks_read(s->host, &s->scratch, &s->now, &s->presence);
	if (r == 0)
		r = make_rows(s);
	if (r == 0 && s->wants_filesystems && (r = filesystems_read(s->filesystem_reader, &s->filesystems)) != -ENOMEM)
		r = 0;
	if (r < 0)
		return note_set(note, r, "out of memory");
	if (s->presence != PRESENT && s->filesystems.n == 0)
		return note_set(note, -ENOENT, "/proc/diskstats cannot be read: is /proc mounted?");
	return 0;
}

static int disk_rows(void *state, row_vec *ret)
{
	struct disk_state *s = state;

	return row_push_each(ret, &s->rows);
}

static int filesystem_rows(void *state, row_vec *ret)
{
	struct disk_state *s = state;

	return row_push_each(ret, &s->filesystems);
}

static void disk_close(void *state)
{
	struct disk_state *s = state;

	vec_free(&s->now);
	vec_free(&s->before);
	vec_free(&s->rows);
	vec_free(&s->filesystems);
	filesystem_reader_free(s->filesystem_reader);
	buf_deinit(&s->scratch);
	free(s);
}

static const struct view_span *disk_span(const void *state)
{
	return &((const struct disk_state *)state)->span;
}

static const struct view_section sections[] = {
	{ .name = "disks", .title = "disks", .entity = &entity_disk, .rows = disk_rows },
	{ .name = "filesystems", .title = "filesystems", .entity = &entity_filesystem, .rows = filesystem_rows },
};

const struct view view_disk = {
	SECTIONS(sections), .open = disk_open, .look = disk_look, .close = disk_close, .span = disk_span,
};
