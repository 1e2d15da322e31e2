/* Weighted call trees as people and programs read them: a tree in text, flame graphs, and the formats of other tools.
 *
 * All of them take a summed tree (call_tree_sum), or one of two profiles compared (call_compare). Names come from
 * the target and are made harmless for each format: text by report/page.h, XML by escapes, JSON by base/json.h. Each
 * appends to *ret and returns 0 or -errno (-ENOMEM). */
#ifndef OSPREY_REPORT_FLAME_H
#define OSPREY_REPORT_FLAME_H

#include "base/json.h"
#include "dig/profile/call_tree.h"
#include "report/page.h"

struct flame {
	const struct call_tree *tree;
	const char *title; /* "CPU profile of python3 [1234]" */
	const char *whole; /* what 100 % is: "the CPU time" */
	const char *proof; /* how it was measured and what is missing; nullable */
	const char *event; /* "cpu-clock" */
	uint64_t period_ns;   /* between samples; 0: the weight is no count of timed samples */
	uint64_t duration_ns; /* 0: not known */
	uint64_t real_ns;     /* when it began, CLOCK_REALTIME; 0: not known */
	bool compared;	      /* the tree holds an earlier profile too */
	double cut;	      /* share of the whole below which text leaves a branch out */
	bool cut_exactly;     /* else it leaves out more where the tree were longer than two screens */
	size_t nfunctions;    /* how many text lists; 0: none */
	/* Further members of the JSON document; nullable. */
	void (*put_more)(struct json *j, const void *more);
	const void *more;
	bool answered;	      /* the caller has said what comes first: text begins with the lists */
};

/* First the answer in words, then the hottest functions, then the tree. 80 columns suffice. */
void flame_text(struct page *p, const struct flame *f);
/* What grew and what shrank, then the tree. Of compared trees. */
void flame_compared_text(struct page *p, const struct flame *f);

/* "main;work;hash_[k] 12" a line, as stackcollapse-perf.pl --all. Semicolons and what is no text are replaced. */
int flame_folded(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));
/* profile.proto, gzip'ed; read back by call_pprof_parse. */
int flame_pprof(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));
/* https://www.speedscope.app/file-format-schema.json, a "sampled" profile. */
int flame_speedscope(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));
/* Schema osprey.profile/1: frames, functions and stacks, flat. */
int flame_json(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));
/* Self-contained: no network, no other file; without its script a picture all the same. Branches that would be
 * narrower than a fifth of a pixel are left out. */
int flame_svg(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));
/* The same in a page with a search field and the hottest functions. */
int flame_html(const struct flame *f, struct buf *ret) __attribute__((warn_unused_result));

/* Text for XML and HTML, in content and in quoted attributes. */
int flame_escape(struct span s, struct buf *ret) __attribute__((warn_unused_result));
/* "12 ms", "1.5 MiB", "1 234 samples" */
void flame_weight(enum call_unit unit, uint64_t weight, char *ret, size_t size);

#endif
