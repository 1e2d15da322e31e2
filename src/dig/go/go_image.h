/* A Go program's file: its version, its table of functions, and where its inline trees lie.
 *
 * The table is found by its section (.gopclntab; .data.rel.ro.gopclntab), or where headers were stripped by
 * its first bytes in the segments; inline trees by the symbol go:func.* (go.func.* before 1.20), else by
 * moduledata in the file's data. Sources: debug/buildinfo (the format of .go.buildinfo), runtime/symtab.go
 * (moduledata). Any bytes are taken. Cost: reads the table, some MB, once. */
#ifndef OSPREY_DIG_GO_GO_IMAGE_H
#define OSPREY_DIG_GO_GO_IMAGE_H

#include "base/buf.h"
#include "dig/go/go_table.h"
#include "dig/image/address_space.h"

struct go_image {
	struct go_table table;
	uint64_t table_address; /* the file's own */
	struct elf_image *elf;
	struct buf bytes;  /* of the table, when it was found by its first bytes */
	char version[64];  /* "go1.19.8"; "": not told in the file */
	unsigned minor;	   /* 19; 0: not known */
};

/* -ENOENT: no Go program; -ENOMEM. */
int go_image_open(struct image *i, struct go_image **ret) __attribute__((warn_unused_result));
void go_image_free(struct go_image *g);
/* Pure: "go1.19.8", "devel go1.22-…" -> 19, 22; 0: neither. */
unsigned go_version_minor(struct span version);
/* Pure: the version in a .go.buildinfo section of Go 1.18 on; false: older (it stands elsewhere), or none. */
bool go_build_info_parse(struct span section, char *ret, size_t size);
/* Pure: go.func.* of a moduledata that lies in `data` (8-byte aligned words), told by its first words; 0: it
 * is not there. */
uint64_t go_funcdata_in(struct span data, const struct go_table *t, uint64_t table_address);

#endif
