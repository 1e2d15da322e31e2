/* The captures replayed: taken while a condition's scenario ran, each names its condition first
 * and its culprit; taken of healthy machines, none names anything above a note. Runs from the
 * root of the tree. */
#include <glob.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/doctor.h"

#define MAX_LABELS 64

/* One line of a .labels file: "kind pid comm name", "-" for none, pid 0: none. */
struct label {
	char kind[16];
	int pid;
	char comm[16];
	char name[256];
};

static size_t read_labels(const char *capture, struct label *ret)
{
	char path[512], line[512];
	size_t n = 0;

	snprintf(path, sizeof path, "%.*s.labels", (int)(strlen(capture) - strlen(".capture")), capture);
	FILE *file = fopen(path, "re");
	while (file && n < MAX_LABELS && fgets(line, sizeof line, file)) {
		struct label *l = &ret[n];

		n += sscanf(line, "%15s %d %15s %255[^\n]", l->kind, &l->pid, l->comm, l->name) == 4;
	}
	if (file)
		fclose(file);
	return n;
}

/* A process is told by its pid, anything else by its name. */
static bool is_labelled(const struct actor *a, const struct label *l)
{
	if (!a->kind)
		return false;
	if (l->pid)
		return a->pid == l->pid;
	return strcmp(a->kind, l->kind) == 0 && strcmp(a->name, l->name) == 0;
}

static bool right_culprit(const struct finding *f, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_labelled(&f->culprit, &labels[i]))
			return true;
	return false;
}

static void diagnose_capture(const char *path, struct doctor_report *ret)
{
	struct doctor_options options = { .window_ns = 3600 * NS_PER_S };
	struct note note = { "" };
	struct host *h = NULL;
	size_t n;
	const struct condition *const *all = conditions_all(&n);
	int r = host_open_capture(path, &h, &note);

	if (r == 0)
		r = doctor_run(h, all, n, &options, ret, &note);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", path, note.text);
	CHECK(r == 0);
	host_free(h);
}

static void write_actor(const struct actor *a, struct buf *out)
{
	CHECK(buf_printf(out, " %s %d/%d %s %s |%s|", a->kind ? a->kind : "nobody", (int)a->pid, (int)a->tid, a->comm,
			 a->name, a->command) == 0);
}

/* All that a diagnosis says, to be compared. */
static void write_down(const struct diagnosis *d, struct buf *out)
{
	vec_each(f, &d->findings) {
		CHECK(buf_printf(out, "%s %s %g %g %s %s %d", f->condition->id, severity_name(f->severity),
				 f->confidence, f->lost_task_s_per_s, f->title, f->summary, (int)f->absorbed_by) == 0);
		write_actor(&f->culprit, out);
		write_actor(&f->victim, out);
		for (size_t i = 0; i < f->nevidence; i++)
			CHECK(buf_printf(out, " [%s %s %g]", f->evidence[i].source, f->evidence[i].field,
					 f->evidence[i].value) == 0);
		CHECK(buf_append(out, "\n", 1) == 0);
	}
	vec_each(r, &d->cleared)
		CHECK(buf_printf(out, "cleared %s: %s\n", r->condition->id, r->text) == 0);
	vec_each(r, &d->unmeasured)
		CHECK(buf_printf(out, "unmeasured %s: %s\n", r->condition->id, r->text) == 0);
}

static void check_deterministic(const char *path, const struct diagnosis *first)
{
	cleanup(buf_deinit) struct buf one = { 0 }, two = { 0 };
	struct doctor_report again = { 0 };

	diagnose_capture(path, &again);
	write_down(first, &one);
	write_down(&again.diagnosis, &two);
	CHECK_STR(one.data ? one.data : "", two.data ? two.data : "");
	doctor_report_deinit(&again);
}

/* Where a root finding of the condition stands; d->nroots: nowhere. */
static size_t rank_of(const struct diagnosis *d, const char *id)
{
	for (size_t i = 0; i < d->nroots; i++)
		if (strcmp(d->findings.v[i].condition->id, id) == 0)
			return i;
	return d->nroots;
}

static void tell(const char *path, const struct diagnosis *d)
{
	fprintf(stderr, "%s:\n", path);
	vec_each(f, &d->findings)
		fprintf(stderr, "  %s%s %s: %s; culprit %s %d %s %s\n", f->absorbed_by >= 0 ? "(absorbed) " : "",
			severity_name(f->severity), f->condition->id, f->title,
			f->culprit.kind ? f->culprit.kind : "nobody", (int)f->culprit.pid, f->culprit.comm,
			f->culprit.name);
	vec_each(r, &d->cleared)
		fprintf(stderr, "  cleared %s: %s\n", r->condition->id, r->text);
	vec_each(r, &d->unmeasured)
		fprintf(stderr, "  unmeasured %s: %s\n", r->condition->id, r->text);
}

/* At weak strength another finding may be worse, as long as this one is told beside it. */
static void check_fixture(const char *path)
{
	char id[64] = "", strength[16] = "";
	struct label labels[MAX_LABELS];
	struct doctor_report report = { 0 };
	size_t n = read_labels(path, labels);
	int before = check_failures;

	CHECK(sscanf(path, "src/conditions/%63[^/]/fixtures/%15[^.]", id, strength) == 2);
	CHECK(n > 0);
	diagnose_capture(path, &report);
	const struct diagnosis *d = &report.diagnosis;
	size_t rank = rank_of(d, id);
	CHECK(rank < d->nroots);
	CHECK(rank == 0 || strcmp(strength, "weak") == 0);
	if (rank < d->nroots)
		CHECK(right_culprit(&d->findings.v[rank], labels, n));
	check_deterministic(path, d);
	if (check_failures > before)
		tell(path, d);
	doctor_report_deinit(&report);
}

static void check_healthy(const char *path)
{
	struct doctor_report report = { 0 };
	int before = check_failures;

	diagnose_capture(path, &report);
	vec_each(f, &report.diagnosis.findings)
		CHECK(f->severity == SEVERITY_NOTE);
	CHECK(report.diagnosis.cleared.n > 0);
	check_deterministic(path, &report.diagnosis);
	if (check_failures > before)
		tell(path, &report.diagnosis);
	doctor_report_deinit(&report);
}

static size_t check_all(const char *pattern, void (*check)(const char *path))
{
	glob_t found = { 0 };
	size_t n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;

	for (size_t i = 0; i < n; i++)
		check(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

int main(void)
{
	size_t n = check_all("src/conditions/*/fixtures/*.capture", check_fixture);

	n += check_all("tests/hosts/*.capture", check_healthy);
	if (n == 0)
		check_skip("no captures here: run from the root of the tree");
	return check_exit();
}
