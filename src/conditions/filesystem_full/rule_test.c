#include "base/check.h"
#include "conditions/conditions.h"
#include "diagnose/window_build.h"

#define GIB (UINT64_C(1) << 30)

/* 100 GiB with `available` left to users and `reserved` besides. */
static struct filesystem *mounted(struct window_build *b, const char *mount, uint64_t available, uint64_t reserved)
{
	struct filesystem *before = vec_push(&b->first.filesystems), *fs = vec_push(&b->last.filesystems);

	if (!before || !fs)
		abort();
	fs->major = 8;
	fs->minor = (uint32_t)b->last.filesystems.n;
	snprintf(fs->mount, sizeof fs->mount, "%s", mount);
	snprintf(fs->type, sizeof fs->type, "ext4");
	snprintf(fs->source, sizeof fs->source, "/dev/sda%u", fs->minor);
	fs->total_bytes = 100 * GIB;
	fs->available_bytes = available;
	fs->free_bytes = available + reserved;
	fs->inodes = 1000000;
	fs->inodes_free = 900000;
	*before = *fs;
	return fs;
}

static void expect(struct window_build *b, enum outcome outcome)
{
	window_build_judge(b, filesystem_full_rule.rule);
	CHECK_U64(b->verdict.outcome, outcome);
}

static void expect_found(struct window_build *b, enum severity severity)
{
	expect(b, OUTCOME_FOUND);
	CHECK_U64(b->findings.n, 1);
	if (b->findings.n)
		CHECK_U64(b->findings.v[0].severity, severity);
}

/* Root could still write; nobody else. */
static void test_full(void)
{
	struct deleted_file deleted[] = { { 8, 1, 42, "logger", 30 * GIB, "/var/log/x" },
					  { 8, 9, 43, "other", 40 * GIB, "/elsewhere" } };
	struct window_build b;

	window_build_init(&b, 5, 2);
	mounted(&b, "/var", 0, 5 * GIB);
	b.window.deleted_files = deleted;
	b.window.ndeleted_files = 2;
	expect_found(&b, SEVERITY_CRITICAL);
	const struct finding *f = b.findings.v;
	CHECK_STR(f->culprit.kind, "mount");
	CHECK_STR(f->culprit.name, "/var");
	CHECK_STR(f->title, "/var is full");
	CHECK_NEAR(f->exhausted_in_s, 0, 0);
	CHECK_U64(f->nproof, 1); /* that of the other filesystem is no matter */
	CHECK(strstr(f->proof[0], "30 GiB") && strstr(f->proof[0], "logger (pid 42)"));
	CHECK(strstr(f->summary, "Root may still use 5.0 GiB") != NULL);
	CHECK(isnan(f->lost_task_s_per_s));
	window_build_deinit(&b);
}

static void test_inodes(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	mounted(&b, "/srv", 50 * GIB, 0)->inodes_free = 3;
	expect_found(&b, SEVERITY_CRITICAL);
	CHECK_STR(b.findings.v[0].title, "/srv has no inodes left");
	window_build_deinit(&b);
}

static void test_levels(void)
{
	static const struct {
		uint64_t available;
		enum outcome outcome;
		enum severity severity;
	} levels[] = {
		{ 11 * GIB, OUTCOME_CLEARED, 0 },
		{ 9 * GIB, OUTCOME_FOUND, SEVERITY_NOTE },
		{ 3 * GIB / 2, OUTCOME_FOUND, SEVERITY_RISK },
		{ GIB / 10, OUTCOME_FOUND, SEVERITY_RISK }, /* a promille, but 100 MiB: not the end yet */
		{ GIB / 100, OUTCOME_FOUND, SEVERITY_CRITICAL },
	};

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		struct window_build b;

		window_build_init(&b, 5, 2);
		mounted(&b, "/", levels[i].available, 0);
		expect(&b, levels[i].outcome);
		if (b.findings.n)
			CHECK_U64(b.findings.v[0].severity, levels[i].severity);
		window_build_deinit(&b);
	}
}

/* The pace makes a risk of a note, above 90 % alone. */
static void test_pace(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	mounted(&b, "/", 9 * GIB, 0);
	b.first.filesystems.v[0].available_bytes += GIB / 10; /* 20 MiB/s: 450 s */
	expect_found(&b, SEVERITY_RISK);
	CHECK_NEAR(b.findings.v[0].exhausted_in_s, 450, 1);
	window_build_deinit(&b);

	window_build_init(&b, 5, 2);
	mounted(&b, "/", 9 * GIB, 0);
	b.first.filesystems.v[0].available_bytes -= GIB; /* it empties */
	expect_found(&b, SEVERITY_NOTE);
	CHECK(isnan(b.findings.v[0].exhausted_in_s));
	window_build_deinit(&b);

	window_build_init(&b, 5, 2);
	mounted(&b, "/", 40 * GIB, 0);
	b.first.filesystems.v[0].available_bytes += 5 * GIB; /* a large copy into a roomy filesystem */
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

static void test_decoys(void)
{
	struct window_build b;

	window_build_init(&b, 5, 2);
	expect(&b, OUTCOME_UNMEASURED);
	mounted(&b, "/cdrom", 0, 0)->read_only = true;
	expect(&b, OUTCOME_CLEARED);
	struct filesystem *dead = mounted(&b, "/nfs", 0, 0);
	dead->presence = UNREAD;
	dead->total_bytes = dead->available_bytes = dead->free_bytes = READING_ABSENT;
	expect(&b, OUTCOME_CLEARED);
	CHECK(strstr(b.verdict.reason, "did not answer") != NULL);
	/* btrfs: inodes as needed; most of it reserved: df says 50 % */
	struct filesystem *fs = mounted(&b, "/data", 30 * GIB, 40 * GIB);
	fs->inodes = fs->inodes_free = 0;
	expect(&b, OUTCOME_CLEARED);
	window_build_deinit(&b);
}

int main(void)
{
	test_full();
	test_inodes();
	test_levels();
	test_pace();
	test_decoys();
	return check_exit();
}
