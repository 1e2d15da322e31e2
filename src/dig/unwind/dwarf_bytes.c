#include "dig/unwind/dwarf_bytes.h"

/* Bits beyond the 64th are dropped, as all readers do. */
uint64_t dwarf_uleb_long(struct dwarf_bytes *b)
{
	uint64_t value = 0;
	unsigned shift = 0;

	while (b->p < b->end) {
		uint8_t byte = *b->p++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80))
			return value;
	}
	b->failed = true;
	return 0;
}

int64_t dwarf_sleb(struct dwarf_bytes *b)
{
	uint64_t value = 0;
	unsigned shift = 0;

	while (b->p < b->end) {
		uint8_t byte = *b->p++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (shift < 64 && (byte & 0x40))
			value |= ~UINT64_C(0) << shift;
		return (int64_t)value;
	}
	b->failed = true;
	return 0;
}

static uint64_t formatted(struct dwarf_bytes *b, unsigned format)
{
	switch (format) {
	case DWARF_POINTER_ABSOLUTE:
	case DWARF_POINTER_UDATA8:
	case DWARF_POINTER_SDATA8: return dwarf_u64(b);
	case DWARF_POINTER_ULEB: return dwarf_uleb(b);
	case DWARF_POINTER_UDATA2: return dwarf_u16(b);
	case DWARF_POINTER_UDATA4: return dwarf_u32(b);
	case DWARF_POINTER_SLEB: return (uint64_t)dwarf_sleb(b);
	case DWARF_POINTER_SDATA2: return (uint64_t)(int16_t)dwarf_u16(b);
	case DWARF_POINTER_SDATA4: return (uint64_t)(int32_t)dwarf_u32(b);
	}
	b->failed = true;
	return 0;
}

static uint64_t address_here(const struct dwarf_bytes *b, const struct dwarf_pointer_base *base)
{
	return base->section_address + (uint64_t)(b->p - base->section);
}

static uint64_t aligned(struct dwarf_bytes *b, const struct dwarf_pointer_base *base)
{
	dwarf_take(b, -address_here(b, base) & 7);
	return dwarf_u64(b);
}

uint64_t dwarf_pointer(struct dwarf_bytes *b, unsigned encoding, const struct dwarf_pointer_base *base)
{
	uint64_t value, from = 0;

	if (!base)
		return formatted(b, encoding & 0x0f);
	if (encoding == DWARF_POINTER_NONE) {
		b->failed = true;
		return 0;
	}
	switch (encoding & 0x70) {
	case DWARF_POINTER_ABSOLUTE: break;
	case DWARF_POINTER_FROM_PC: from = address_here(b, base); break;
	case DWARF_POINTER_FROM_TEXT: from = base->text; break;
	case DWARF_POINTER_FROM_DATA: from = base->data; break;
	case DWARF_POINTER_FROM_FUNCTION: from = base->function; break;
	case DWARF_POINTER_ALIGNED: return aligned(b, base);
	default: b->failed = true; return 0;
	}
	value = formatted(b, encoding & 0x0f) + from;
	if (!b->failed && (encoding & DWARF_POINTER_INDIRECT) &&
	    (!base->read || base->read(base->arg, value, &value) < 0))
		b->failed = true;
	return b->failed ? 0 : value;
}
