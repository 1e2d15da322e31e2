/* A cursor over DWARF bytes that cannot leave them: past the end everything reads as 0 and `failed` stays set, so
 * that a parser checks once, behind its last field. Little endian. Pure. Pointer encodings: Linux Standard Base,
 * "DWARF Exception Header Encoding". */
#ifndef OSPREY_DIG_UNWIND_DWARF_BYTES_H
#define OSPREY_DIG_UNWIND_DWARF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dwarf_bytes {
	const uint8_t *p, *end;
	bool failed;
};

enum dwarf_pointer_encoding {
	DWARF_POINTER_ABSOLUTE = 0x00, /* the low four bits: format */
	DWARF_POINTER_ULEB = 0x01,
	DWARF_POINTER_UDATA2 = 0x02,
	DWARF_POINTER_UDATA4 = 0x03,
	DWARF_POINTER_UDATA8 = 0x04,
	DWARF_POINTER_SLEB = 0x09,
	DWARF_POINTER_SDATA2 = 0x0a,
	DWARF_POINTER_SDATA4 = 0x0b,
	DWARF_POINTER_SDATA8 = 0x0c,
	DWARF_POINTER_FROM_PC = 0x10, /* the next three: relative to what */
	DWARF_POINTER_FROM_TEXT = 0x20,
	DWARF_POINTER_FROM_DATA = 0x30,
	DWARF_POINTER_FROM_FUNCTION = 0x40,
	DWARF_POINTER_ALIGNED = 0x50,
	DWARF_POINTER_INDIRECT = 0x80,
	DWARF_POINTER_NONE = 0xff,
};

/* What encoded pointers count from. */
struct dwarf_pointer_base {
	const uint8_t *section; /* the first byte, and its address */
	uint64_t section_address;
	uint64_t text, data, function;
	/* The 8 bytes at a file's address, for pointers that are stored elsewhere; NULL: such ones fail. */
	int (*read)(void *arg, uint64_t address, uint64_t *ret);
	void *arg;
};

static inline bool dwarf_has(struct dwarf_bytes *b, size_t n)
{
	if ((size_t)(b->end - b->p) >= n)
		return true;
	b->failed = true;
	b->p = b->end;
	return false;
}

#define DWARF_FIXED(name, type)                         \
	static inline type name(struct dwarf_bytes *b)  \
	{                                               \
		type value = 0;                         \
                                                        \
		if (dwarf_has(b, sizeof value)) {       \
			memcpy(&value, b->p, sizeof value); \
			b->p += sizeof value;           \
		}                                       \
		return value;                           \
	}
DWARF_FIXED(dwarf_u8, uint8_t)
DWARF_FIXED(dwarf_u16, uint16_t)
DWARF_FIXED(dwarf_u32, uint32_t)
DWARF_FIXED(dwarf_u64, uint64_t)
#undef DWARF_FIXED

static inline struct dwarf_bytes dwarf_take(struct dwarf_bytes *b, uint64_t n)
{
	struct dwarf_bytes piece = { b->p, b->p, false };

	if (n > (uint64_t)(b->end - b->p)) {
		b->failed = piece.failed = true;
		b->p = b->end;
		piece.p = piece.end = b->end;
		return piece;
	}
	b->p += n;
	piece.end = b->p;
	return piece;
}

uint64_t dwarf_uleb_long(struct dwarf_bytes *b);
int64_t dwarf_sleb(struct dwarf_bytes *b);

static inline uint64_t dwarf_uleb(struct dwarf_bytes *b)
{
	if (b->p < b->end && *b->p < 0x80)
		return *b->p++;
	return dwarf_uleb_long(b);
}

/* Fails too on an encoding that is none. `base` NULL: the format alone counts (lengths). */
uint64_t dwarf_pointer(struct dwarf_bytes *b, unsigned encoding, const struct dwarf_pointer_base *base);

#endif
