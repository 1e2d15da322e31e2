#include "dig/image/section_unpack.h"

#include <errno.h>
#include <libdeflate.h>
#include <zstd.h>

#include "dig/image/elf_image.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

int section_unpackable(const Elf64_Chdr *h, size_t n)
{
	if (h->ch_size > ELF_IMAGE_UNPACKED_MAX)
		return -EFBIG;
	/* No packer gets further than this: what claims so is damaged, and is not worth the memory. */
	return h->ch_size / 20000 > n ? -EBADMSG : 0;
}

static int inflate_all(const char *from, size_t n, char *to, size_t size)
{
	struct libdeflate_decompressor *z = libdeflate_alloc_decompressor();

	if (!z)
		return -ENOMEM;
	/* Without a place for the size, fewer bytes than promised are an error as well. */
	enum libdeflate_result r = libdeflate_zlib_decompress(z, from, n, to, size, NULL);
	libdeflate_free_decompressor(z);
	return r == LIBDEFLATE_SUCCESS ? 0 : -EBADMSG;
}

int section_unpack(const Elf64_Chdr *h, const char *from, size_t n, char *to)
{
	int r = section_unpackable(h, n);

	if (r < 0)
		return r;
	if (h->ch_type == ELFCOMPRESS_ZLIB)
		return inflate_all(from, n, to, h->ch_size);
	if (h->ch_type == ELFCOMPRESS_ZSTD)
		return ZSTD_decompress(to, h->ch_size, from, n) == h->ch_size ? 0 : -EBADMSG;
	return -EBADMSG;
}
