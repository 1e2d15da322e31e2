#include "act/tunable.h"

#include <ctype.h>
#include <errno.h>

#include "base/check.h"

static bool is_sentence(const char *s)
{
	size_t n = strlen(s);

	return n > 3 && (isalnum((unsigned char)s[0]) || s[0] == '-') && (s[n - 1] == '.' || s[n - 1] == ')');
}

/* The name of a sysctl is its path; a disk's path has one star. */
static bool name_fits_path(const struct tunable *t)
{
	char path[128] = "/proc/sys/";

	if (t->scope == SCOPE_DISK)
		return strncmp(t->path, "/sys/block/*/queue/", 19) == 0 && strcmp(t->path + 19, t->name + 6) == 0 &&
		       strncmp(t->name, "block.", 6) == 0;
	if (strncmp(t->path, "/sys/kernel/mm/", 15) == 0)
		return strlen(t->path) == 15 + strlen(t->name);
	for (size_t i = 0; i <= strlen(t->name); i++)
		path[10 + i] = t->name[i] == '.' ? '/' : t->name[i];
	return strcmp(path, t->path) == 0;
}

static void test_table(void)
{
	CHECK(TUNABLE_COUNT >= 40);
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct tunable *t = &tunables[i];

		if (!name_fits_path(t))
			fprintf(stderr, "%s: %s\n", t->name, t->path);
		CHECK(name_fits_path(t));
		CHECK(is_sentence(t->what) && is_sentence(t->normal) && is_sentence(t->risk));
		CHECK(strlen(t->what) > 40);
		CHECK(isdigit((unsigned char)t->since[0]));
		CHECK(strncmp(t->doc, "Documentation/", 14) == 0);
		CHECK(t->roles != 0 && (t->roles & ~(unsigned)ROLE_ANY) == 0);
		CHECK(t->advise != NULL);
		CHECK(t->scope != SCOPE_NET || strncmp(t->name, "net.", 4) == 0);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(t->name, tunables[k].name) != 0 && strcmp(t->what, tunables[k].what) != 0);
		CHECK(tunable_find(t->name) == t && tunable_find(t->path) == t);
	}
	CHECK(tunable_find("vm/swappiness") == &tunables[TUNABLE_swappiness]);
	CHECK(tunable_find("swappiness") == NULL && tunable_find("") == NULL && tunable_find("vm.swappines") == NULL);
}

static void test_values(void)
{
	struct tune_value v = { .error = 7 };

	CHECK(tune_value_parse(SPAN("60\n"), SHAPE_NUMBER, &v) == 0);
	CHECK(v.error == 0 && !v.negative);
	CHECK_U64(v.number[0], 60);
	CHECK_STR(v.text, "60");
	CHECK(tune_value_parse(SPAN("-1\n"), SHAPE_NUMBER, &v) == 0 && v.negative);
	CHECK(tune_value_parse(SPAN("4096\t131072\t6291456\n"), SHAPE_TRIPLE, &v) == 0);
	CHECK_U64(v.number[2], 6291456);
	CHECK(tune_value_parse(SPAN("32768\t60999\n"), SHAPE_PAIR, &v) == 0);
	CHECK_U64(v.number[1], 60999);
	CHECK(tune_value_parse(SPAN("none [mq-deadline] kyber\n"), SHAPE_CHOICE, &v) == 0);
	CHECK_STR(v.word, "mq-deadline");
	CHECK(tune_value_offers(&v, "none") && tune_value_offers(&v, "mq-deadline") && !tune_value_offers(&v, "bfq"));
	CHECK(tune_value_parse(SPAN("none\n"), SHAPE_CHOICE, &v) == 0);
	CHECK_STR(v.word, "none");
	CHECK(tune_value_parse(SPAN("cubic\n"), SHAPE_WORD, &v) == 0);
	CHECK_STR(v.word, "cubic");
	struct tune_value before = v;
	CHECK(tune_value_parse(SPAN(""), SHAPE_NUMBER, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("\n"), SHAPE_WORD, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("6x"), SHAPE_NUMBER, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("1 2"), SHAPE_NUMBER, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("1 2"), SHAPE_TRIPLE, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("1 -2"), SHAPE_PAIR, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("99999999999999999999"), SHAPE_NUMBER, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("none mq-deadline"), SHAPE_CHOICE, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("none []"), SHAPE_CHOICE, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("[]"), SHAPE_CHOICE, &v) == -EBADMSG);
	CHECK(tune_value_parse(SPAN("1\n2\n"), SHAPE_NUMBER, &v) == -EBADMSG);
	CHECK(memcmp(&before, &v, sizeof v) == 0);
}

static void test_paths(void)
{
	char path[160];

	tunable_path(&tunables[TUNABLE_scheduler], "vda", path, sizeof path);
	CHECK_STR(path, "/sys/block/vda/queue/scheduler");
	tunable_path(&tunables[TUNABLE_scheduler], "cciss/c0d0", path, sizeof path);
	CHECK_STR(path, "/sys/block/cciss!c0d0/queue/scheduler");
	tunable_path(&tunables[TUNABLE_swappiness], "", path, sizeof path);
	CHECK_STR(path, "/proc/sys/vm/swappiness");
}

static void test_captured_host(void)
{
	static const char text[] = "osprey-capture 1\ntick 1 1 1\nhave 3 /proc/sys/vm/swappiness\n60\n\n"
				   "miss 13 /proc/sys/vm/dirty_ratio\n"
				   "have 4 netns:12:/proc/sys/net/core/somaxconn\n128\n\n";
	struct buf b = { 0 }, scratch = { 0 };
	struct host *h;
	struct tune_value v;

	CHECK(buf_append(&b, text, sizeof text - 1) == 0);
	if (host_open_capture_text(&b, &h, NULL) < 0) {
		CHECK(!"the capture opens");
		return;
	}
	tune_value_read(h, &tunables[TUNABLE_swappiness], NULL, 0, &scratch, &v);
	CHECK(v.error == 0 && v.number[0] == 60);
	tune_value_read(h, &tunables[TUNABLE_dirty_ratio], NULL, 0, &scratch, &v);
	CHECK(v.error == -EACCES);
	tune_value_read(h, &tunables[TUNABLE_somaxconn], NULL, 12, &scratch, &v);
	CHECK(v.error == 0 && v.number[0] == 128);
	tune_value_read(h, &tunables[TUNABLE_somaxconn], NULL, 0, &scratch, &v);
	CHECK(v.error == -ENOENT);
	host_free(h);
	buf_deinit(&scratch);
}

int main(void)
{
	test_table();
	test_values();
	test_paths();
	test_captured_host();
	return check_exit();
}
