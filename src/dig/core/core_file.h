/* The file that a core becomes: addresses get their place in it as they are first written, in any order and as often
 * as wanted; headers come last. So nothing of the memory is kept in osprey, and what was copied early is put right in
 * place.
 *
 * Until it is finished it has no name (O_TMPFILE), so nothing is left when osprey is killed; file systems without that
 * (NFS, some FUSE) get NAME.part, whose first bytes stay zero until the end: no tool takes it for a core. Mode 0600,
 * owned by who runs osprey. 64 KiB of zeros and more are holes.
 *
 * Layout: a header zone, then the ranges in the order they were first seen, each at an offset that is a multiple of the
 * page. A mapping that has grown is two ranges, and so two segments. When program headers and notes outgrow the zone,
 * they stand at the end of the file. More than 65534 segments: PN_XNUM, the number stands in section header 0.
 *
 * --zstd: the raw file is made first, without a name and sparse, and then compressed into a second; the raw one gives
 * its blocks back as it is read. So both together need about the space of the raw one, and the target has long been
 * let go. Written with a checksum; holes cost a few bytes each 128 KiB. */
#ifndef OSPREY_DIG_CORE_CORE_FILE_H
#define OSPREY_DIG_CORE_CORE_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/note.h"
#include "base/span.h"
#include "base/vec.h"

struct core_extent {
	uint64_t start, end; /* addresses */
	uint64_t offset;
};

struct core_file {
	int fd;
	int directory; /* where it will be named; -1: standard output */
	char *name;    /* in that directory */
	char *part;    /* its name until then; NULL: it has none */
	bool replace;
	uint64_t header_zone, end; /* offsets */
	VEC(struct core_extent) extent; /* by address */
	uint64_t written_bytes; /* given to write(), rewritten pages counted again */
};

/* "-": standard output; then a file without a name in $TMPDIR or /var/tmp holds it until the end. `segments` and
 * `notes_bytes`: as far as is known now, for the header zone. -EEXIST: it is there, and `replace` is not set; -errno of
 * open, with the reason in `note`. */
int core_file_new(const char *path, bool replace, uint64_t segments, uint64_t notes_bytes, struct core_file *ret,
		  struct note *note) __attribute__((warn_unused_result));
/* Unfinished: it is gone. */
void core_file_deinit(struct core_file *f);

/* Bytes that can be written where it lies; UINT64_MAX: not known. */
uint64_t core_file_free_bytes(const struct core_file *f);

/* Gives [start, end) its place where it has none. -ENOMEM. */
int core_file_place(struct core_file *f, uint64_t start, uint64_t end) __attribute__((warn_unused_result));
/* Whole pages, within what was placed. `fresh`: they were never written, so zeros need not be. -errno of pwrite. */
int core_file_write(struct core_file *f, uint64_t address, const void *data, size_t n, bool fresh)
	__attribute__((warn_unused_result));
/* As if nothing had been placed or written. */
int core_file_reset(struct core_file *f) __attribute__((warn_unused_result));
/* Whether all of [start, end) has its place. */
bool core_file_holds(const struct core_file *f, uint64_t start, uint64_t end);
/* Within one place: n bytes or -EIO. */
int core_file_read(const struct core_file *f, uint64_t address, void *to, size_t n) __attribute__((warn_unused_result));
/* Makes a range read as zeros, where it was placed at all. */
int core_file_clear(struct core_file *f, uint64_t start, uint64_t end) __attribute__((warn_unused_result));

/* One piece of an address space. */
struct core_segment {
	uint64_t start, end;
	uint64_t file_bytes; /* 0, or a part from its start on: within what was placed */
	uint32_t flags;	     /* PF_R and so on */
};
/* Headers, notes, the name; a hole for every range that is in no segment. `segment`s with bytes that lie over several
 * ranges become several. `machine`: EM_…; `compress`: zstd. */
struct core_finish {
	const struct core_segment *segment;
	size_t nsegments;
	struct span notes;
	uint16_t machine;
	bool compress;
	int level; /* of zstd; 0: its default */
	bool (*go_on)(void *arg, uint64_t done, uint64_t all); /* nullable; false: -EINTR */
	void *arg;
};
/* *ret_bytes: size; *ret_blocks_bytes: what it takes on disk (0 for standard output). */
int core_file_finish(struct core_file *f, const struct core_finish *how, uint64_t *ret_bytes,
		     uint64_t *ret_disk_bytes, struct note *note) __attribute__((warn_unused_result));

#endif
