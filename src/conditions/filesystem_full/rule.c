#include <math.h>
#include <stdio.h>

#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"

#define RISK_PCT 98.0		 /* in use; FILESYSTEM_FULL_PCT is worth a note */
#define SOON_S (20 * 60.0)	 /* full within that time at the present pace */
#define NOTHING_LEFT 0.001	 /* of the whole: what is left serves nobody */
#define NOTHING_LEFT_BYTES 16e6	 /* … and no more than this: a promille of 10 TB is 10 GB */
#define RESERVED 0.03		 /* of the whole: ext4 keeps some blocks for itself that no option gives back */
#define MIN_GROWTH 1e-4		 /* of the whole, in the window: less is noise */

/* One of the two things that can run out. */
struct store {
	const char *what; /* "space", "inodes" */
	double total, used_pct, left, reserved;
	double growth; /* a second; NaN: unknown */
	double full_in_s; /* NaN: not growing */
};

static double left_before(const struct filesystem *before, bool inodes)
{
	return !before ? NAN : reading_value(inodes ? before->inodes_free : before->available_bytes);
}

static struct store measure(const struct window *w, const struct filesystem *fs, bool inodes)
{
	const struct filesystem *before = sample_filesystem(w->first, fs->major, fs->minor);
	struct store s = {
		.what = inodes ? "inodes" : "space",
		.total = reading_value(inodes ? fs->inodes : fs->total_bytes),
		.used_pct = inodes ? filesystem_inodes_used_pct(fs) : filesystem_used_pct(fs),
		.left = reading_value(inodes ? fs->inodes_free : fs->available_bytes),
		.reserved = inodes ? 0 : reading_value(fs->free_bytes) - reading_value(fs->available_bytes),
		.full_in_s = NAN,
	};

	s.growth = (left_before(before, inodes) - s.left) / w->seconds;
	if (s.growth * w->seconds > MIN_GROWTH * s.total)
		s.full_in_s = s.left / s.growth;
	return s;
}

static bool is_full(const struct store *s)
{
	return s->left <= NOTHING_LEFT * s->total && s->left <= NOTHING_LEFT_BYTES;
}

static bool is_soon(const struct store *s)
{
	return s->used_pct >= FILESYSTEM_FULL_PCT && s->full_in_s <= SOON_S;
}

static enum severity severity_of(const struct store *s)
{
	if (is_full(s))
		return SEVERITY_CRITICAL;
	return s->used_pct >= RISK_PCT || is_soon(s) ? SEVERITY_RISK : SEVERITY_NOTE;
}

static const char *bytes_text(double bytes, char *ret, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (bytes >= 1024 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	snprintf(ret, size, bytes < 10 && unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return ret;
}

static const char *duration_text(double s, char *ret, size_t size)
{
	if (s < 120)
		snprintf(ret, size, "%.0f s", s);
	else
		snprintf(ret, size, "%.0f minutes", s / 60);
	return ret;
}

static double deleted_bytes(const struct window *w, const struct filesystem *fs)
{
	double sum = 0;

	for (size_t i = 0; i < w->ndeleted_files; i++)
		if (w->deleted_files[i].major == fs->major && w->deleted_files[i].minor == fs->minor)
			sum += (double)w->deleted_files[i].bytes;
	return sum;
}

static void add_deleted_files(const struct window *w, const struct filesystem *fs, struct finding *f)
{
	char size[32];

	for (size_t i = 0; i < w->ndeleted_files; i++) {
		const struct deleted_file *d = &w->deleted_files[i];

		if (d->major != fs->major || d->minor != fs->minor)
			continue;
		finding_proof(f, "deleted, still open: %s in %s by %s (pid %d)",
			      bytes_text((double)d->bytes, size, sizeof size), d->path, d->comm, d->pid);
	}
}

static void add_evidence(const struct window *w, const struct filesystem *fs, const struct store *s,
			 const struct process_span *writer, struct finding *f)
{
	bool inodes = s->what[0] == 'i';
	const char *unit = inodes ? "inodes" : "bytes";
	double deleted = deleted_bytes(w, fs);

	finding_evidence(f, inodes ? "f_files - f_ffree" : "in use, of what users may have", s->used_pct, "%", ">= 90 %",
			 "statvfs %s", fs->mount);
	finding_evidence(f, inodes ? "f_ffree" : "f_bavail", s->left, unit, "", "statvfs %s", fs->mount);
	finding_evidence(f, inodes ? "f_files" : "f_blocks", s->total, unit, "", "statvfs %s", fs->mount);
	if (s->reserved > 0)
		finding_evidence(f, "f_bfree - f_bavail: reserved for root", s->reserved, unit, "", "statvfs %s", fs->mount);
	if (!isnan(s->full_in_s))
		finding_evidence(f, "growth", s->growth, inodes ? "inodes/s" : "bytes/s", "full within 20 minutes",
				 "statvfs %s", fs->mount);
	if (!inodes && deleted > 0)
		finding_evidence(f, "held by deleted files that are still open", deleted, "bytes", "", "/proc/*/fd");
	if (writer)
		finding_evidence(f, "write_bytes of the fastest writer of the host",
				 process_written_bytes(writer) / w->seconds, "bytes/s", "", "/proc/%d/io", writer->pid);
}

static void add_space_advice(const struct window *w, const struct filesystem *fs, const struct store *s,
			     struct finding *f)
{
	double deleted = deleted_bytes(w, fs);

	finding_confirm(f, "df -h '%s'; du -xh --max-depth=2 '%s' | sort -h | tail", fs->mount, fs->mount);
	finding_confirm(f, "lsof +L1 '%s'   # files that are deleted and still open: du does not see them", fs->mount);
	if (deleted > 0)
		finding_mend(f, "restart or signal (SIGHUP for logs) who holds the deleted files: their space comes back");
	if (strcmp(fs->type, "tmpfs") == 0)
		finding_mend(f, "mount -o remount,size=%.0fM '%s'   # twice the room, of memory; undo: size=%.0fM",
			     2 * s->total / 1048576, fs->mount, s->total / 1048576);
	else if (s->reserved > RESERVED * s->total && strncmp(fs->type, "ext", 3) == 0)
		finding_mend(f, "tune2fs -m 1 %s   # gives users most of what is reserved for root; undo: tune2fs -m 5 %s",
			     fs->source, fs->source);
	finding_mend(f, "find '%s' -xdev -type f -size +100M -mmin -60   # what grew in the last hour; then move or compress it",
		     fs->mount);
}

static void add_inode_advice(const struct filesystem *fs, struct finding *f)
{
	finding_confirm(f, "df -i '%s'", fs->mount);
	finding_confirm(f, "du -x --inodes '%s' | sort -n | tail   # the directories with the most files", fs->mount);
	if (strcmp(fs->type, "tmpfs") == 0)
		finding_mend(f, "mount -o remount,nr_inodes=%.0f '%s'   # twice as many; undo: the old number",
			     2 * reading_value(fs->inodes), fs->mount);
	finding_mend(f, "remove what made them (sessions, caches, mail queues): ext4 cannot get more inodes later");
}

static void name(const struct filesystem *fs, const struct store *s, struct finding *f)
{
	char when[32];
	bool inodes = s->what[0] == 'i';

	if (is_full(s))
		finding_title(f, inodes ? "%s has no inodes left" : "%s is full", fs->mount);
	else if (is_soon(s))
		finding_title(f, inodes ? "%s has no inodes left in %s" : "%s will be full in %s", fs->mount,
			      duration_text(s->full_in_s, when, sizeof when));
	else
		finding_title(f, inodes ? "%s has used %.0f %% of its inodes" : "%s is %.0f %% full", fs->mount, s->used_pct);
}

static void summarise(const struct window *w, const struct filesystem *fs, const struct store *s,
		      const struct process_span *writer, struct finding *f)
{
	bool inodes = s->what[0] == 'i';
	char left[32], total[32], reserved[80] = "", deleted[80] = "", by[80] = "", number[32];

	if (s->reserved > 0 && is_full(s))
		snprintf(reserved, sizeof reserved, " Root may still use %s.",
			 bytes_text(s->reserved, number, sizeof number));
	if (!inodes && deleted_bytes(w, fs) > 0)
		snprintf(deleted, sizeof deleted, " Deleted files that are still open hold %s.",
			 bytes_text(deleted_bytes(w, fs), number, sizeof number));
	if (writer)
		snprintf(by, sizeof by, " The fastest writer of the host is %s (pid %d).", writer->comm, writer->pid);
	if (inodes)
		finding_summary(f, "%.0f of %.0f inodes of %s (%s) are left. %s%s", s->left, s->total, fs->source, fs->type,
				is_full(s) ? "No file can be made there, though space may be left." : "", by);
	else
		finding_summary(f, "%s of %s (%s, %s) are left.%s%s%s%s", bytes_text(s->left, left, sizeof left),
				bytes_text(s->total, total, sizeof total), fs->source, fs->type,
				is_full(s) ? " Writes there fail with ENOSPC." : "", reserved, deleted, by);
}

/* Where a process writes cannot be seen; but one that writes a fair part of what the filesystem
 * grows by is worth a look. */
static const struct process_span *likely_writer(const struct window *w, const struct store *s)
{
	const struct process_span *p = window_top_group(w, process_written_bytes, NULL).top;

	if (!p || isnan(s->full_in_s) || s->what[0] == 'i')
		return NULL;
	return process_written_bytes(p) / w->seconds > s->growth / 4 ? p : NULL;
}

static void report(const struct window *w, const struct filesystem *fs, const struct store *s, struct verdict *v)
{
	const struct process_span *writer = likely_writer(w, s);
	struct finding *f = verdict_find(v, severity_of(s), is_full(s) || isnan(s->full_in_s) ? 0.98 : 0.8);

	name(fs, s, f);
	summarise(w, fs, s, writer, f);
	f->exhausted_in_s = is_full(s) ? 0 : s->full_in_s;
	actor_host(&f->victim);
	actor_named(&f->culprit, ACTOR_MOUNT, "%s", fs->mount);
	add_evidence(w, fs, s, writer, f);
	add_deleted_files(w, fs, f);
	if (s->what[0] == 'i')
		add_inode_advice(fs, f);
	else
		add_space_advice(w, fs, s, f);
}

struct survey {
	size_t measured, silent; /* silent: did not answer in time */
	double fullest;
	const struct filesystem *fs;
	const char *what;
};

static void look_at(const struct window *w, const struct filesystem *fs, struct survey *survey, struct verdict *v)
{
	survey->silent += fs->presence == UNREAD;
	if (fs->presence != PRESENT || fs->read_only)
		return;
	survey->measured++;
	for (int inodes = 0; inodes < 2; inodes++) {
		struct store s = measure(w, fs, inodes);

		if (s.used_pct >= FILESYSTEM_FULL_PCT)
			report(w, fs, &s, v);
		if (!survey->fs || s.used_pct > survey->fullest) {
			survey->fullest = number_or(s.used_pct, 0);
			survey->fs = fs;
			survey->what = s.what;
		}
	}
}

static void rule(const struct window *w, struct verdict *v)
{
	struct survey s = { 0 };
	char silent[64] = "";

	vec_each(fs, &w->last->filesystems)
		look_at(w, fs, &s, v);
	if (v->outcome != OUTCOME_NONE)
		return;
	if (s.silent)
		snprintf(silent, sizeof silent, "; %zu did not answer within 200 ms", s.silent);
	if (s.measured)
		verdict_clear(v, "the fullest of %zu writable filesystems, %s, has used %.0f %% of its %s (>= 90 %% counts)%s",
			      s.measured, s.fs->mount, s.fullest, s.what, silent);
	else if (w->last->filesystems.n == 0)
		verdict_unmeasured(v, "needs /proc/self/mountinfo and statvfs of what is mounted");
	else
		verdict_clear(v, "none of %zu filesystems is writable%s", w->last->filesystems.n, silent);
}

const struct condition_rule filesystem_full_rule = {
	.title = "A filesystem has no space or inodes left",
	.resource = "disk",
	.rule = rule,
};
