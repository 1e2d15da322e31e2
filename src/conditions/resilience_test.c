/* The doctor under failures, one after another: every answer of the kernel in turn is an error,
 * empty, cut or garbage; every allocation in turn fails. It must come to an end without a crash,
 * and a verdict on every condition, each time. */
#include <errno.h>
#include <glob.h>
#include <unistd.h>
#include <zstd.h>

#include "base/check.h"
#include "base/failing_allocator.h"
#include "base/vec.h"
#include "conditions/conditions.h"
#include "diagnose/doctor.h"

struct answer {
	size_t header, body, body_bytes, end; /* offsets in the text */
};
typedef VEC(struct answer) answer_vec;

static void load(const char *path, struct buf *ret)
{
	FILE *file = fopen(path, "re");
	static char compressed[4 << 20];
	size_t n = file ? fread(compressed, 1, sizeof compressed, file) : 0;

	if (file)
		fclose(file);
	CHECK(n > 0 && n < sizeof compressed);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	ZSTD_inBuffer in = { compressed, n, 0 };
	size_t left = 1;
	while (in.pos < in.size && !ZSTD_isError(left)) {
		CHECK(buf_reserve(ret, 1 << 20) == 0);
		ZSTD_outBuffer out = { ret->data + ret->n, 1 << 20, 0 };
		left = ZSTD_decompressStream(zstd, &out, &in);
		ret->n += out.pos;
	}
	ZSTD_freeDCtx(zstd);
	ret->data[ret->n] = '\0';
}

static void find_answers(struct span text, answer_vec *ret)
{
	const char *start = text.p;
	struct span line, word;
	uint64_t n;

	span_line(&text, &line);
	while (span_line(&text, &line)) {
		struct span rest = line;
		struct answer a = { .header = (size_t)(line.p - start), .body = (size_t)(text.p - start) };

		if (!span_word(&rest, &word) || !span_is(word, "have") || !span_next_u64(&rest, &n))
			continue;
		text.p += n + 1;
		text.n -= n + 1;
		a.body_bytes = n;
		a.end = (size_t)(text.p - start);
		struct answer *kept = vec_push(ret);
		CHECK(kept != NULL);
		*kept = a;
	}
}

enum damage { FAILS, EMPTY, CUT, GARBAGE, DAMAGES };

static const char *key_of(const struct buf *text, const struct answer *a)
{
	const char *p = text->data + a->header + sizeof "have " - 1;
	return strchr(p, ' ') + 1;
}

static void damaged(const struct buf *text, const struct answer *a, enum damage how, struct buf *ret)
{
	const char *key = key_of(text, a);
	int key_length = (int)(text->data + a->body - 1 - key);
	size_t half = a->body_bytes / 2;

	buf_clear(ret);
	CHECK(buf_append(ret, text->data, a->header) == 0);
	switch (how) {
	case FAILS:
		CHECK(buf_printf(ret, "miss %d %.*s\n", EIO, key_length, key) == 0);
		break;
	case EMPTY:
		CHECK(buf_printf(ret, "have 0 %.*s\n\n", key_length, key) == 0);
		break;
	case CUT:
		CHECK(buf_printf(ret, "have %zu %.*s\n", half, key_length, key) == 0);
		CHECK(buf_append(ret, text->data + a->body, half) == 0);
		CHECK(buf_append(ret, "\n", 1) == 0);
		break;
	default:
		CHECK(buf_printf(ret, "have 24 %.*s\n-1 \xff:99999999999999999999\n(\n", key_length, key) == 0);
	}
	CHECK(buf_append(ret, text->data + a->end, text->n - a->end) == 0);
}

/* Every condition ends in exactly one of found, cleared and not measurable. */
static void check_whole(const struct diagnosis *d, size_t nconditions)
{
	size_t told = d->cleared.n + d->unmeasured.n;

	for (size_t i = 0; i < d->findings.n; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first &= d->findings.v[j].condition != d->findings.v[i].condition;
		told += first;
	}
	CHECK_U64(told, nconditions);
}

static int run_on(struct buf *text, const char *what)
{
	struct doctor_options options = { .window_ns = 3600 * NS_PER_S };
	struct doctor_report report;
	struct note note = { "" };
	struct host *h;
	size_t n;
	const struct condition *const *all = conditions_all(&n);
	int r = host_open_capture_text(text, &h, &note);

	if (r < 0)
		return r;
	r = doctor_run(h, all, n, &options, &report, &note);
	if (r == 0)
		check_whole(&report.diagnosis, n);
	else if (note.text[0] == '\0')
		fprintf(stderr, "%s: failed without a word: %d\n", what, r), check_failures++;
	doctor_report_deinit(&report);
	host_free(h);
	return r;
}

static void every_answer_fails_in_turn(const struct buf *text, const answer_vec *answers)
{
	struct buf copy = { 0 };
	/* All answers would take minutes: a stride that is prime to the looks of a capture takes every
	 * key, at changing moments. */
	size_t stride = answers->n / 400 | 1;

	for (size_t i = 0; i < answers->n; i += stride)
		for (enum damage how = 0; how < DAMAGES; how++) {
			damaged(text, &answers->v[i], how, &copy);
			(void)run_on(&copy, "a damaged answer");
		}
	buf_deinit(&copy);
}

#if CAN_FAIL_ALLOCATIONS
static void every_allocation_fails_in_turn(const struct buf *text)
{
	bool failed = true;

	for (long n = 0; failed && n < 100000; n = n < 300 ? n + 1 : n + n / 16) {
		struct buf copy = { 0 };

		CHECK(buf_append(&copy, text->data, text->n) == 0);
		allocations_left = n;
		int r = run_on(&copy, "no memory");
		failed = allocations_left < 0;
		allocations_left = -1;
		if (failed && r != -ENOMEM && r != 0)
			fprintf(stderr, "allocation %ld: result %d\n", n, r), check_failures++;
		buf_deinit(&copy);
	}
}
#endif

int main(int argc, char **argv)
{
	struct buf text = { 0 };
	answer_vec answers = { 0 };
	glob_t captures;

	if (glob(argc > 1 ? argv[1] : "tests/hosts/*.capture", 0, NULL, &captures) != 0)
		check_skip("no captures in tests/hosts");
	load(captures.gl_pathv[0], &text);
	find_answers(buf_span(&text), &answers);
	CHECK(answers.n > 50);
	every_answer_fails_in_turn(&text, &answers);
#if CAN_FAIL_ALLOCATIONS
	every_allocation_fails_in_turn(&text);
#endif
	globfree(&captures);
	vec_free(&answers);
	buf_deinit(&text);
	return check_exit();
}
