#include "kernel/capture.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"

#define MAGIC "osprey-capture 1\n"

/* Bounds what a hostile file can make us allocate. */
#define MAX_TEXT (UINT64_C(1) << 30)

struct capture_writer {
	FILE *file;
	ZSTD_CCtx *zstd;
	int error; /* the first one */
	char out[1 << 16];
};

static void put(struct capture_writer *w, const void *data, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { data, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { w->out, sizeof w->out, 0 };

		left = ZSTD_compressStream2(w->zstd, &out, &in, how);
		if (ZSTD_isError(left)) {
			w->error = w->error ? w->error : -EIO;
			return;
		}
		if (out.pos && fwrite(w->out, 1, out.pos, w->file) != out.pos)
			w->error = w->error ? w->error : -errno;
	} while (how == ZSTD_e_continue ? in.pos < in.size : left != 0);
}

int capture_writer_new(const char *path, struct capture_writer **ret, struct note *note)
{
	struct capture_writer *w = calloc(1, sizeof *w);

	if (!w)
		return -ENOMEM;
	w->file = fopen(path, "we");
	w->zstd = w->file ? ZSTD_createCCtx() : NULL;
	if (!w->zstd) {
		int error = w->file ? ENOMEM : errno;
		if (w->file)
			fclose(w->file);
		free(w);
		return note_set(note, -error, "cannot write %s: %s", path, strerror(error));
	}
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, 9);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	put(w, MAGIC, sizeof MAGIC - 1, ZSTD_e_continue);
	*ret = w;
	return 0;
}

void capture_write_tick(struct capture_writer *w, struct host_time at)
{
	char line[96];
	int n = snprintf(line, sizeof line, "tick %llu %llu %llu\n", (unsigned long long)at.mono_ns,
			 (unsigned long long)at.boot_ns, (unsigned long long)at.real_ns);

	put(w, line, (size_t)n, ZSTD_e_continue);
}

/* A mount point may hold a newline, which ends a key here; NUL stands for it. */
static void put_key(struct capture_writer *w, const char *key)
{
	const char *newline;

	for (; (newline = strchr(key, '\n')); key = newline + 1) {
		put(w, key, (size_t)(newline - key), ZSTD_e_continue);
		put(w, "", 1, ZSTD_e_continue);
	}
	put(w, key, strlen(key), ZSTD_e_continue);
	put(w, "\n", 1, ZSTD_e_continue);
}

void capture_write(struct capture_writer *w, const char *key, int result, struct span bytes)
{
	char word[32];
	int n = result < 0 ? snprintf(word, sizeof word, "miss %d ", -result) :
			     snprintf(word, sizeof word, "have %zu ", bytes.n);

	put(w, word, (size_t)n, ZSTD_e_continue);
	put_key(w, key);
	if (result < 0)
		return;
	put(w, bytes.p, bytes.n, ZSTD_e_continue);
	put(w, "\n", 1, ZSTD_e_continue);
}

int capture_writer_end(struct capture_writer *w)
{
	put(w, "", 0, ZSTD_e_end);
	if (fclose(w->file) != 0 && !w->error)
		w->error = -errno;
	int error = w->error;
	ZSTD_freeCCtx(w->zstd);
	free(w);
	return error;
}

struct answer {
	struct span bytes;
	int error;
	uint32_t next; /* answer under the same key in the same tick; MAP_NONE: none */
	/* of the first such answer: */
	uint32_t last, turn; /* the newest, and which comes next */
};

struct tick_at {
	struct host_time at;
};

struct capture_reader {
	struct buf text;
	VEC(struct answer) answers;
	VEC(struct tick_at) ticks;
	struct map index; /* key and tick -> position of the first in answers */
	size_t tick;
};

static uint64_t index_key(size_t tick, struct span key)
{
	uint64_t h = map_hash(key.p, key.n) ^ (tick + 1) * UINT64_C(0xff51afd7ed558ccd);
	return h ? h : 1;
}

static int parse_tick(struct span line, struct capture_reader *r)
{
	struct tick_at *t = vec_push(&r->ticks);

	if (!t)
		return -ENOMEM;
	if (!span_next_u64(&line, &t->at.mono_ns) || !span_next_u64(&line, &t->at.boot_ns) ||
	    !span_next_u64(&line, &t->at.real_ns))
		return -EBADMSG;
	return 0;
}

static int enter(struct capture_reader *r, uint64_t key, uint32_t at)
{
	struct answer *answers = r->answers.v;
	uint32_t first = map_get(&r->index, key);

	answers[at].next = MAP_NONE;
	answers[at].last = answers[at].turn = at;
	if (first == MAP_NONE)
		return map_set(&r->index, key, at);
	answers[answers[first].last].next = at;
	answers[first].last = at;
	return 0;
}

static int parse_answer(struct span line, bool have, struct span *text, struct capture_reader *r)
{
	uint64_t number;

	if (r->ticks.n == 0 || !span_next_u64(&line, &number) || line.n < 2)
		return -EBADMSG;
	struct span key = { line.p + 1, line.n - 1 };
	struct answer *answer = vec_push(&r->answers);
	if (!answer)
		return -ENOMEM;
	if (have) {
		if (number >= text->n || text->p[number] != '\n')
			return -EBADMSG;
		answer->bytes = (struct span){ text->p, number };
		text->p += number + 1;
		text->n -= number + 1;
	} else {
		if (number == 0 || number > 4095)
			return -EBADMSG;
		answer->error = -(int)number;
	}
	return enter(r, index_key(r->ticks.n - 1, key), (uint32_t)(r->answers.n - 1));
}

static int parse(struct capture_reader *r)
{
	struct span text = buf_span(&r->text), line, word;

	if (!span_starts(text, MAGIC))
		return -EBADMSG;
	span_line(&text, &line);
	while (span_line(&text, &line)) {
		int error = -EBADMSG;

		if (!span_word(&line, &word))
			return -EBADMSG;
		if (span_is(word, "tick"))
			error = parse_tick(line, r);
		else if (span_is(word, "have") || span_is(word, "miss"))
			error = parse_answer(line, word.p[0] == 'h', &text, r);
		if (error < 0)
			return error;
	}
	return r->ticks.n ? 0 : -EBADMSG;
}

int capture_reader_from_text(struct buf *text, struct capture_reader **ret, struct note *note)
{
	struct capture_reader *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->text = *text;
	*text = (struct buf){ 0 };
	int error = parse(r);
	if (error < 0) {
		capture_reader_free(r);
		return note_set(note, error, error == -ENOMEM ? "out of memory" : "not a capture, or damaged");
	}
	*ret = r;
	return 0;
}

static int decompress(FILE *file, ZSTD_DCtx *zstd, struct buf *text)
{
	char chunk[1 << 16];
	size_t got, state = 0;

	while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
		ZSTD_inBuffer in = { chunk, got, 0 };
		bool full;

		do {
			int r = buf_reserve(text, 1 << 18);
			if (r < 0)
				return r;
			ZSTD_outBuffer out = { text->data + text->n, 1 << 18, 0 };
			state = ZSTD_decompressStream(zstd, &out, &in);
			if (ZSTD_isError(state) || text->n + out.pos > MAX_TEXT)
				return -EBADMSG;
			text->n += out.pos;
			full = out.pos == out.size;
		} while (in.pos < in.size || full);
	}
	if (ferror(file))
		return -EIO;
	return state == 0 ? 0 : -EBADMSG; /* a frame that was cut */
}

int capture_reader_new(const char *path, struct capture_reader **ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	FILE *file = fopen(path, "re");

	struct stat st;

	if (!file)
		return note_set(note, -errno, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(file);
		return note_set(note, -EISDIR, "cannot read %s: it is a directory, a capture is a file", path);
	}
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	int r = zstd ? decompress(file, zstd, &text) : -ENOMEM;
	ZSTD_freeDCtx(zstd);
	fclose(file);
	if (r == 0)
		r = capture_reader_from_text(&text, ret, NULL);
	if (r < 0)
		return note_set(note, r, "%s: %s", path, r == -EBADMSG ? "not a capture, or damaged" : strerror(-r));
	return 0;
}

void capture_reader_free(struct capture_reader *r)
{
	if (!r)
		return;
	buf_deinit(&r->text);
	vec_free(&r->answers);
	vec_free(&r->ticks);
	map_deinit(&r->index);
	free(r);
}

struct host_time capture_time(const struct capture_reader *r)
{
	return r->ticks.v[r->tick].at;
}

bool capture_at_end(const struct capture_reader *r)
{
	return r->tick + 1 >= r->ticks.n;
}

int capture_next(struct capture_reader *r)
{
	if (capture_at_end(r))
		return -ENODATA;
	r->tick++;
	return 0;
}

static uint64_t index_key_of_text(size_t tick, const char *key)
{
	char written[PATH_MAX + 64];
	size_t n = strlen(key);

	if (!strchr(key, '\n'))
		return index_key(tick, (struct span){ key, n });
	n = n < sizeof written ? n : sizeof written;
	for (size_t i = 0; i < n; i++)
		written[i] = key[i] == '\n' ? '\0' : key[i];
	return index_key(tick, (struct span){ written, n });
}

int capture_get(struct capture_reader *r, const char *key, struct span *ret)
{
	uint32_t at = map_get(&r->index, index_key_of_text(r->tick, key));

	if (at == MAP_NONE)
		return -ENOENT;
	struct answer *first = &r->answers.v[at], *now = &r->answers.v[first->turn];
	if (now->next != MAP_NONE)
		first->turn = now->next;
	*ret = now->bytes;
	return now->error;
}
