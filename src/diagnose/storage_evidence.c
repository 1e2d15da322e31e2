#include "diagnose/storage_evidence.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double process_disk_wait(const struct window *w, const struct process_span *p)
{
	uint32_t looks = w->abilities->bpf_tasks ? p->iowait : p->blocked;

	return p->kernel_thread || !w->task_looks ? 0 : (double)looks / w->task_looks;
}

double process_written_bytes(const struct process_span *p)
{
	return p->kernel_thread ? 0 : number_or(reading_value(p->write_bytes), 0);
}

double process_io_bytes(const struct process_span *p)
{
	return process_written_bytes(p) + (p->kernel_thread ? 0 : number_or(reading_value(p->read_bytes), 0));
}

double window_io_pressure(const struct window *w)
{
	return window_rate(w, WINDOW_DELTA(w, psi.io.some_ns)) / 1e9;
}

static const struct limit {
	size_t limit, passed; /* members of struct cgroup_io */
	const char *what, *unit, *v1_file, *v2_key;
} limits[] = {
#define LIMIT(limit, passed, ...) { offsetof(struct cgroup_io, limit), offsetof(struct cgroup_io, passed), __VA_ARGS__ }
	LIMIT(read_bytes_limit, read_bytes, "read", "bytes/s", "blkio.throttle.read_bps_device", "rbps"),
	LIMIT(write_bytes_limit, write_bytes, "write", "bytes/s", "blkio.throttle.write_bps_device", "wbps"),
	LIMIT(reads_limit, reads, "read", "requests/s", "blkio.throttle.read_iops_device", "riops"),
	LIMIT(writes_limit, writes, "write", "requests/s", "blkio.throttle.write_iops_device", "wiops"),
#undef LIMIT
};

static reading reading_in(const struct cgroup_io *io, size_t offset)
{
	return *(const reading *)((const char *)io + offset);
}

/* What passed until the start of the window. A device that is not yet in the list had none. */
static reading passed_before(const struct cgroup *before, const struct cgroup_io *now, size_t offset)
{
	for (size_t i = 0; i < before->nio; i++)
		if (before->io[i].major == now->major && before->io[i].minor == now->minor)
			return reading_in(&before->io[i], offset);
	return before->nio < CGROUP_MAX_DEVICES ? 0 : READING_ABSENT;
}

bool cgroup_io_throttling(const struct window *w, const struct cgroup *c, struct io_throttling *ret)
{
	const struct cgroup *before = c->nio ? sample_cgroup(w->first, c) : NULL;
	double nearest = -1;

	for (size_t d = 0; before && d < c->nio; d++) {
		const struct cgroup_io *io = &c->io[d];

		for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
			const struct limit *l = &limits[i];
			reading limit = reading_in(io, l->limit);

			if (!reading_ok(limit) || limit == CGROUP_UNLIMITED || limit == 0)
				continue;
			double rate = window_rate(w, reading_delta(passed_before(before, io, l->passed),
								   reading_in(io, l->passed)));
			if (!(rate / (double)limit > nearest))
				continue;
			nearest = rate / (double)limit;
			*ret = (struct io_throttling){ c, io->major, io->minor, l->what, l->unit,
						       c->v2 ? "io.max" : l->v1_file, c->v2 ? l->v2_key : NULL,
						       rate, (double)limit };
		}
	}
	return nearest >= 0;
}

void window_io_held_back(const struct window *w, struct io_held_back *ret)
{
	ret->n = 0;
	vec_each(c, &w->last->cgroups) {
		struct io_throttling t;

		if (ret->n < sizeof ret->v / sizeof ret->v[0] && c->nio && cgroup_io_throttling(w, c, &t) &&
		    io_throttling_near(&t))
			ret->v[ret->n++] = t;
	}
}

const struct io_throttling *io_held_back_by(const struct io_held_back *held, const struct window *w,
					    const struct process_span *p)
{
	const struct cgroup *own = held->n ? window_cgroup(w, p, TASK_CGROUP_IO) : NULL;

	for (size_t i = 0; own && i < held->n; i++) {
		const struct cgroup *c = held->v[i].cgroup;

		/* The limits of v1 do not reach the groups below. */
		if (c == own || (c->v2 && cgroup_holds(c, own)))
			return &held->v[i];
	}
	return NULL;
}

void window_disk_name(const struct window *w, uint32_t major, uint32_t minor, char *ret, size_t size)
{
	const struct disk *d = sample_disk(w->last, major, minor);

	if (d)
		snprintf(ret, size, "%s", d->name);
	else
		snprintf(ret, size, "%u:%u", major, minor);
}
