#include "dig/image/address_space.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

static void finds_our_own_code(void)
{
	struct image_store *s = NULL;
	struct address_space *a = NULL;
	struct place place, again;
	Elf64_Sym found = { 0 };
	struct span symtab, strtab;

	CHECK(image_store_new(&s) == 0);
	CHECK(address_space_of_process(s, getpid(), &a, NULL) == 0);
	uint64_t here = (uint64_t)(uintptr_t)finds_our_own_code;
	CHECK(address_space_find(a, here, &place));
	CHECK(place.image && place.image->elf && place.image->inode);
	/* The symbol table of the file says where this function is in it. */
	CHECK(elf_image_section(place.image->elf, ".symtab", &symtab) == 0);
	CHECK(elf_image_section(place.image->elf, ".strtab", &strtab) == 0);
	for (size_t i = 0; i + sizeof found <= symtab.n; i += sizeof found) {
		memcpy(&found, symtab.p + i, sizeof found);
		if (found.st_name < strtab.n && strcmp(strtab.p + found.st_name, "finds_our_own_code") == 0)
			break;
	}
	CHECK_U64(here - place.bias, found.st_value);
	static int data = 1;
	CHECK(address_space_find(a, (uint64_t)(uintptr_t)&data, &again));
	CHECK(again.image == place.image && again.bias == place.bias);
	address_space_free(a);
	image_store_free(s);
}

static void finds_the_vdso(void)
{
	struct image_store *s = NULL;
	struct address_space *a = NULL;
	struct place place;
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);

	if (!vdso)
		return;
	CHECK(image_store_new(&s) == 0);
	CHECK(address_space_of_process(s, getpid(), &a, NULL) == 0);
	CHECK(address_space_find(a, vdso, &place) && place.image && place.image->elf);
	CHECK_STR(place.image->path, "[vdso]");
	address_space_free(a);
	image_store_free(s);
}

static void tells_what_is_no_file(void)
{
	struct image_store *s = NULL;
	struct address_space *a = NULL;
	struct place place;
	struct note note = { 0 };

	CHECK(image_store_new(&s) == 0);
	CHECK(address_space_of_process(s, 0x7ffffff0, &a, &note) == -ESRCH);
	CHECK_STR(note.text, "there is no process 2147483632");
	CHECK(address_space_of_process(s, getpid(), &a, NULL) == 0);
	CHECK(address_space_find(a, (uint64_t)(uintptr_t)&place, &place) && !place.image);
	CHECK(!address_space_find(a, 1, &place));
	void *fresh = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(address_space_refresh(a) == 0);
	CHECK(address_space_find(a, (uint64_t)(uintptr_t)fresh, &place) && !place.image);
	munmap(fresh, 4096);
	address_space_free(a);
	image_store_free(s);
}

int main(void)
{
	finds_our_own_code();
	finds_the_vdso();
	tells_what_is_no_file();
	return check_exit();
}
