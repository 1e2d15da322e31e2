/* Where addresses of a process lie: its mappings, and the ELF files behind them.
 *
 * Files are opened when an address in them is first asked for: by /proc/PID/map_files (needs CAP_SYS_ADMIN or, since
 * 5.9, CAP_CHECKPOINT_RESTORE), which gives the very file that is mapped, also when it is deleted or in another
 * mount namespace; else by /proc/PID/root and the path, taken only when the inode is that of the mapping. The
 * vDSO is copied from the target's memory. One file is opened once, however many mappings it has; images that are
 * shared by several processes are shared by their spaces through `struct image_store`.
 *
 * Nothing stops the target. Threads: a store, and all spaces made with it, belong to one thread. */
#ifndef OSPREY_DIG_IMAGE_ADDRESS_SPACE_H
#define OSPREY_DIG_IMAGE_ADDRESS_SPACE_H

#include "dig/image/elf_image.h"
#include "dig/image/memory_map.h"

/* A file that is mapped, with what is worked out of it once. */
struct image {
	struct elf_image *elf; /* NULL: could not be opened, and `why` says so */
	char why[96];
	const char *path; /* as the first mapping calls it; "[vdso]" */
	uint64_t device, inode;
	int32_t opened_pid; /* it was opened through this process */
	/* Of the layers above (dig/unwind, dig/symbol), made when first asked for. Each has its own free function. */
	void *unwind, *symbols;
	void (*free_unwind)(void *);
	void (*free_symbols)(void *);
	bool unwind_tried, symbols_tried;
};

struct image_store;
int image_store_new(struct image_store **ret) __attribute__((warn_unused_result));
void image_store_free(struct image_store *s);

/* Of an address: its mapping, its file, and what to subtract to get the file's own address. */
struct place {
	const struct mapping *mapping;
	struct image *image; /* NULL: no file (anonymous memory, JIT code, stack) */
	uint64_t bias;	     /* file's address = address - bias; only with an image whose elf is not NULL */
};

struct address_space {
	struct image_store *store;
	int pid; /* of a process whose first thread has ended: another thread of it; 0: a core file */
	struct memory_map map;
	VEC(struct image_of_mapping {
		struct image *image;
		uint64_t bias;
		bool tried;
	}) images; /* beside map.mapping */
	/* Where files of a core come from; for a live process NULL. Returns an open fd or -errno. */
	int (*open_file)(void *arg, const struct mapping *m);
	/* Bytes of the target, for the vDSO and what is in no file. 0 or -errno: all of n or nothing. */
	int (*read)(void *arg, uint64_t address, void *to, size_t n);
	void *arg;
};

/* Reads the maps. -ESRCH, -EACCES (needs the same user or CAP_SYS_PTRACE), -ETIMEDOUT, -ENOMEM. */
int address_space_of_process(struct image_store *s, int pid, struct address_space **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Takes the map over, on failure too. The caller then sets pid, open_file, read and arg as it needs them. */
int address_space_of_map(struct image_store *s, struct memory_map *map, struct address_space **ret)
	__attribute__((warn_unused_result));
/* Reads the maps again, when an address was in none: a dlopen, a JIT. Places that were found before are no longer
 * to be used; images stay. On failure the space has no mappings. */
int address_space_refresh(struct address_space *a) __attribute__((warn_unused_result));
void address_space_free(struct address_space *a);

/* False: the address is in no mapping. */
bool address_space_find(struct address_space *a, uint64_t address, struct place *ret);
/* Bytes of the target, or where it has none, as core files leave out what files hold, of the file that is mapped there: not for what
 * the program may have written. All of n or -EFAULT. */
int address_space_read(struct address_space *a, uint64_t address, void *to, size_t n) __attribute__((warn_unused_result));

#endif
