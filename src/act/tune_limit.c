/* Advice on tasks, the scheduler and open files: sizes of tables against their use, mostly. */
#include <math.h>
#include <stdio.h>

#include "act/tune.h"
#include "base/units.h"

#define NEAR 0.8 /* of a limit: raise it before it is met */

/* `used` against the limit: raised to a power of two at least twice as large. */
struct use {
	double used, most;   /* `most`: the largest value the kernel takes; 0: any */
	const char *what;    /* "threads exist" */
	const char *field, *source;
	const char *failure; /* what happens at the limit */
};

static void advise_use(const struct tune_case *c, const struct use *u, struct tune_advice *ret)
{
	double now = tune_number(c->value);
	char value[24];

	if (isnan(u->used)) {
		tune_keep(ret, "how much is in use could not be read");
	} else if (u->used >= NEAR * now && (u->most == 0 || now < u->most)) {
		double wanted = 2 * now;

		if (u->most > 0 && wanted > u->most)
			tune_whole(u->most, value);
		else
			tune_power(wanted, value);
		tune_change(ret, value, "%.0f %s, %.0f %% of the limit: at the limit %s", u->used, u->what, 100 * u->used / now,
			    u->failure);
		tune_proof(ret, u->field, u->used, "", "> 80 % of the limit", "%s", u->source);
		tune_effect(ret, "room for twice as many; when the number keeps growing it is a leak, and "
			    "only later the same");
	} else {
		tune_keep(ret, "%s %s, %.2g %% of the limit", number_text(u->used).text, u->what, 100 * u->used / now);
	}
}

TUNE_ADVISE(pid_max)
{
	struct use u = { reading_value(c->seen->now.threads), 4194304, "threads exist", "threads",
		    "/proc/loadavg",
			 "fork and clone fail with EAGAIN" };

	advise_use(c, &u, ret);
}

TUNE_ADVISE(threads_max)
{
	struct use u = { reading_value(c->seen->now.threads), 0, "threads exist", "threads", "/proc/loadavg",
			 "fork and clone fail with EAGAIN" };

	advise_use(c, &u, ret);
}

TUNE_ADVISE(sched_autogroup)
{
	double now = tune_number(c->value);

	if (now == 1 && c->seen->cpu_saturated && c->seen->nice_user.pid) {
		tune_change(ret, "0", "the CPUs are saturated and %s (pid %d) takes %.1f of them though its "
			    "nice value is %.0f: autogroups weigh nice values only within one session", c->seen->nice_user.comm,
			    c->seen->nice_user.pid, c->seen->nice_user.value, c->seen->nice_user.other);
		tune_proof(ret, "CPU time of the nice process", c->seen->nice_user.value, "CPUs", "> 0.5",
			    "/proc/%d/stat",
			   c->seen->nice_user.pid);
		tune_proof(ret, "its nice value", c->seen->nice_user.other, "", "> 0", "/proc/%d/stat", c->seen->nice_user.pid);
		tune_effect(ret, "nice values count across sessions, for programs that start from then on");
	} else {
		tune_keep(ret, now == 1 ? "no nice process takes CPU time that others wait for" :
			    "nice values count across sessions");
	}
}

TUNE_ADVISE(numa_balancing)
{
	double faults = tune_rate(c, c->seen->numa_hint_faults), local = tune_grown(c->seen->numa_hint_local);
	double share = local / tune_grown(c->seen->numa_hint_faults);

	if (tune_number(c->value) == 0 || c->seen->nodes < 2) {
		tune_keep(ret, c->seen->nodes < 2 ? "there is one node: it has no effect" : "off");
	} else if (faults > 20000 * (double)c->seen->cpus / 8 && share > 0.95) {
		tune_change(ret, "0", "%.0f page faults a second are made to look for far memory, and %.0f %% "
			    "of them find it local already",
			    faults, 100 * share);
		tune_proof(ret, "numa_hint_faults", faults, "/s", "", "/proc/vmstat");
		tune_proof(ret, "numa_hint_faults_local", 100 * share, "%", "> 95 %", "/proc/vmstat");
		tune_proof(ret, "numa_pages_migrated", tune_rate(c, c->seen->numa_migrated), "/s", "",
			    "/proc/vmstat");
		tune_effect(ret, "those page faults end; system time falls");
	} else {
		tune_keep(ret, "%s hinting faults a second", number_text(faults).text);
	}
}

TUNE_ADVISE(task_delayacct)
{
	if (tune_number(c->value) == 0 && c->seen->disk_saturated) {
		tune_change(ret, "1", "a disk is saturated, and without delay accounting the kernel does not "
			    "tell which tasks wait for it, and for how long");
		tune_proof(ret, "busy time of the disk", 100 * c->seen->worst_disk_busy, "%",
			    "the doctor found disk_saturated",
			   "/proc/diskstats %s", c->seen->worst_disk);
		tune_effect(ret, "the next `osprey doctor` names who waits for the disk, among tasks that "
			    "start from then on");
	} else {
		tune_keep(ret, tune_number(c->value) == 0 ? "no disk is saturated: nobody asks for it" :
			    "delays are counted");
	}
}

TUNE_ADVISE(panic_on_oom)
{
	double now = tune_number(c->value), panic = reading_value(c->seen->now.panic_seconds);

	if (now == 2 || (now == 1 && panic == 0)) {
		tune_danger(ret, "0", "%s%s", now == 2 ? "any cgroup that meets its limit takes the whole "
			    "machine down" :
			    "when memory ends the machine panics",
			    panic == 0 ? ", and as kernel.panic is 0 it then hangs until somebody comes" : "");
		tune_proof(ret, "oom_kill since boot", tune_total(c->seen->oom_kills), "",
			    "each would have been a panic",
			   "/proc/vmstat");
		tune_effect(ret, "the OOM killer kills one process in place of all");
	} else {
		tune_keep(ret, now == 0 ? "one process is killed, not all" : "the machine boots again by "
			    "kernel.panic");
	}
}

TUNE_ADVISE(hung_task_timeout)
{
	if (tune_number(c->value) == 0 && c->seen->stuck.pid) {
		tune_change(ret, "120", "%s (pid %d) was in uninterruptible sleep at each look, and the "
			    "kernel's report of hung tasks is off",
			    c->seen->stuck.comm, c->seen->stuck.pid);
		tune_proof(ret, "looks in state D", c->seen->stuck.value, "", "all", "/proc/%d/stat", c->seen->stuck.pid);
		tune_effect(ret, "after two minutes the kernel log shows where it hangs");
	} else {
		tune_keep(ret, tune_number(c->value) == 0 ? "off, and no task was in state D all the time" :
			    "hung tasks are reported");
	}
}

TUNE_ADVISE(sched_rt_runtime)
{
	if (c->value->negative) {
		tune_danger(ret, "950000", "real-time tasks may take a CPU for ever; one in a loop takes the "
			    "kernel's own threads of that CPU with it");
		tune_effect(ret, "5 %% of each second stay for all others");
	} else {
		tune_keep(ret, "real-time tasks leave the rest of each period to others");
	}
}

/* ---- files ---- */

TUNE_ADVISE(file_max)
{
	struct use u = { c->seen->files_open, 0, "files are open", "open files", "/proc/sys/fs/file-nr",
			 "open, socket and accept fail with ENFILE (\"too many open files in system\")" };

	advise_use(c, &u, ret);
}

TUNE_ADVISE(nr_open)
{
	double now = tune_number(c->value), used = c->seen->fd_user.value, limit = c->seen->fd_user.other;
	char value[24];

	if (limit >= now && used >= NEAR * now) {
		tune_change(ret, tune_power(2 * now, value), "%s (pid %d) has %.0f descriptors open, and its "
			    "limit is as high as this lets it be", c->seen->fd_user.comm, c->seen->fd_user.pid, used);
		tune_proof(ret, "open descriptors", used, "", "> 80 % of the limit", "/proc/%d/fd", c->seen->fd_user.pid);
		tune_effect(ret, "its RLIMIT_NOFILE can then be raised: prlimit --pid %d --nofile=%s", c->seen->fd_user.pid,
			    ret->value);
	} else if (used >= NEAR * limit && limit > 0) {
		tune_elsewhere(ret, "%s (pid %d) is near its own limit: %.0f of %.0f descriptors; that is "
			    "RLIMIT_NOFILE, not this (prlimit --nofile)",
			       c->seen->fd_user.comm, c->seen->fd_user.pid, used, limit);
		tune_proof(ret, "open descriptors", used, "", "", "/proc/%d/fd", c->seen->fd_user.pid);
	} else if (used > 0) {
		tune_keep(ret, "nearest to its own limit is %s (pid %d): %.0f of %.0f", c->seen->fd_user.comm, c->seen->fd_user.pid,
			  used, limit);
	} else {
		tune_keep(ret, "no process's descriptors could be counted");
	}
}

TUNE_ADVISE(aio_max_nr)
{
	struct use u = { reading_value(c->seen->now.aio_requests), 0, "requests are set up", "aio-nr",
		    "/proc/sys/fs/aio-nr",
			 "io_setup fails with EAGAIN" };

	advise_use(c, &u, ret);
}

static void advise_inotify(const struct tune_case *c, double used, uint32_t uid, const char *what, const char *failure,
			   struct tune_advice *ret)
{
	char told[64];
	struct use u = { used, 0, told, what, "inotify lines of /proc/PID/fdinfo", failure };

	snprintf(told, sizeof told, "%s belong to user %u", what, uid);
	if (isnan(used))
		tune_keep(ret, "nobody uses any, as far as osprey may look");
	else
		advise_use(c, &u, ret);
}

TUNE_ADVISE(inotify_instances)
{
	advise_inotify(c, reading_value(c->seen->inotify_instances.instances), c->seen->inotify_instances.uid,
		    "instances",
		       "inotify_init fails with EMFILE (\"too many open files\")", ret);
}

TUNE_ADVISE(inotify_watches)
{
	advise_inotify(c, reading_value(c->seen->inotify_watches.watches), c->seen->inotify_watches.uid,
		    "watches",
		       "inotify_add_watch fails with ENOSPC (\"no space left on device\")", ret);
}
