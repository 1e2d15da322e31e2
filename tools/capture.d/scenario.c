/* Runs a scenario of the lab and the doctor together, for tools/capture-scenario.
 *
 *     scenario NAME STRENGTH SECONDS CAPTURE LABELS
 *
 * Writes what the doctor read to CAPTURE and who was at fault to LABELS ("kind pid comm name", "-" for
 * none), and prints what the doctor found. 0: done; 3: the scenario could not run here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/doctor.h"
#include "lab/healthy.h"
#include "lab/run.h"

static const char *const strengths[] = { "weak", "medium", "strong" };

static const struct scenario *find(const char *name)
{
	const struct condition *c = condition_find(name);
	size_t n;
	const struct scenario *const *healthy = healthy_all(&n);

	for (size_t i = 0; !c && i < n; i++)
		if (strcmp(healthy[i]->name, name) == 0)
			return healthy[i];
	return c ? c->scenario : NULL;
}

static int fail(const char *what, int error, const struct note *note)
{
	fprintf(stderr, "scenario: %s: %s\n", what, note->text[0] ? note->text : strerror(-error));
	return 3;
}

static void print(const struct diagnosis *d)
{
	vec_each(f, &d->findings)
		printf("%s%s %s: %s; culprit %s %d %s %s\n", f->absorbed_by >= 0 ? "  " : "", severity_name(f->severity),
		       f->condition->id, f->title, f->culprit.kind ? f->culprit.kind : "nobody", (int)f->culprit.pid,
		       f->culprit.comm, f->culprit.name);
}

static int capture(const char *path, unsigned seconds, struct note *note)
{
	struct doctor_options options = { .window_ns = seconds * NS_PER_S };
	struct doctor_report report = { 0 };
	struct host *h;
	size_t n;
	const struct condition *const *all = conditions_all(&n);
	int r = host_open_live("/", &h, note);

	if (r < 0)
		return r;
	r = host_capture_to(h, path, note);
	if (r == 0)
		r = doctor_run(h, all, n, &options, &report, note);
	if (r == 0)
		print(&report.diagnosis);
	int written = host_capture_end(h);
	doctor_report_deinit(&report);
	host_free(h);
	return r < 0 ? r : written;
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static int write_labels(struct lab_run *run, const char *path)
{
	size_t n;
	const struct lab_label *labels = lab_run_labels(run, &n);
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	for (size_t i = 0; i < n; i++)
		fprintf(file, "%s %d %s %s\n", labels[i].kind, (int)labels[i].pid, or_dash(labels[i].comm),
			or_dash(labels[i].name));
	return fclose(file) == 0 ? 0 : -errno;
}

static void say(const char *line)
{
	fprintf(stderr, "scenario: %s\n", line);
}

static int strength_of(const char *word)
{
	for (int i = 0; i < 3; i++)
		if (strcmp(strengths[i], word) == 0)
			return i;
	return -1;
}

int main(int argc, char *argv[])
{
	struct note note = { "" };
	struct lab_run *run;

	if (argc != 6 || !find(argv[1]) || strength_of(argv[2]) < 0 || atoi(argv[3]) < 1) {
		fputs("usage: scenario NAME weak|medium|strong SECONDS CAPTURE LABELS\n", stderr);
		return 2;
	}
	unsigned seconds = (unsigned)atoi(argv[3]);
	struct lab_options how = { .strength = (enum strength)strength_of(argv[2]), .limit_s = seconds + 60, .say = say };
	int r = lab_start_with(find(argv[1]), &how, &run, &note);
	if (r < 0)
		return fail(argv[1], r, &note);
	/* The fault settles; workers that are starved tell their names late. */
	(void)!clock_sleep_until(clock_mono_ns() + 500 * NS_PER_MS);
	r = capture(argv[4], seconds, &note);
	struct note early = { "" };
	bool alive = lab_run_alive(run, &early);
	if (r == 0)
		r = write_labels(run, argv[5]);
	int stopped = lab_stop(run, r == 0 ? &note : NULL);
	if (!alive)
		return fail("the scenario ended early", -ETIME, &early);
	if (r < 0 || stopped < 0)
		return fail(argv[1], r < 0 ? r : stopped, &note);
	return 0;
}
