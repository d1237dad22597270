/* SPDX-License-Identifier: MIT */
#include "plugin/sanitizer.h"

#include <elf.h>
#include <link.h>

static const struct obi_sanitizer sanitizers[] = {
    {"AddressSanitizer", "__asan_init", "libasan.so"},
    {"ThreadSanitizer", "__tsan_init", "libtsan.so"},
    {"MemorySanitizer", "__msan_init", NULL},
};

/* The part of the file from offset on; empty if it is not all there. */
static struct ob_bytes part(struct ob_bytes file, uint64_t offset, uint64_t size)
{
	if (offset > file.len || size > file.len - offset) {
		return ob_bytes_of(NULL, 0);
	}
	return ob_bytes_of(file.data + offset, (size_t)size);
}

/* Program header number i. The file may be at any address. */
static bool get_header(struct ob_bytes file, const ElfW(Ehdr) * elf, uint32_t i, ElfW(Phdr) * ret)
{
	struct ob_bytes bytes = part(file, elf->e_phoff + (uint64_t)i * sizeof *ret,
				     i < elf->e_phnum ? sizeof *ret : 0);
	if (bytes.len == 0) {
		return false;
	}
	memcpy(ret, bytes.data, sizeof *ret);
	return true;
}

/* The part that is mapped at an address. */
static struct ob_bytes mapped(struct ob_bytes file, const ElfW(Ehdr) * elf, uint64_t at,
			      uint64_t size)
{
	ElfW(Phdr) h;
	for (uint32_t i = 0; get_header(file, elf, i, &h); i++) {
		if (h.p_type == PT_LOAD && at >= h.p_vaddr && at - h.p_vaddr < h.p_filesz &&
		    at - h.p_vaddr <= UINT64_MAX - h.p_offset) {
			return part(file, h.p_offset + (at - h.p_vaddr), size);
		}
	}
	return ob_bytes_of(NULL, 0);
}

/* The names of its symbols, those that it needs included. */
static struct ob_bytes symbol_names(struct ob_bytes file, const ElfW(Ehdr) * elf)
{
	ElfW(Phdr) h;
	uint64_t at = 0, size = 0;
	for (uint32_t i = 0; get_header(file, elf, i, &h); i++) {
		struct ob_bytes table = h.p_type == PT_DYNAMIC ? part(file, h.p_offset, h.p_filesz)
							       : ob_bytes_of(NULL, 0);
		for (ElfW(Dyn) d; table.len >= sizeof d; table.len -= sizeof d) {
			memcpy(&d, table.data, sizeof d);
			table.data += sizeof d;
			at = d.d_tag == DT_STRTAB ? d.d_un.d_ptr : at;
			size = d.d_tag == DT_STRSZ ? d.d_un.d_val : size;
		}
	}
	return mapped(file, elf, at, size);
}

static bool has_name(struct ob_bytes names, const char *name)
{
	size_t len = strlen(name) + 1; /* with the NUL behind it */
	for (size_t i = 1; i + len <= names.len; i++) {
		if (names.data[i - 1] == '\0' && memcmp(names.data + i, name, len) == 0) {
			return true;
		}
	}
	return false;
}

const struct obi_sanitizer *obi_sanitizer_of(struct ob_bytes file)
{
	ElfW(Ehdr) elf;
	if (file.len < sizeof elf) {
		return NULL;
	}
	memcpy(&elf, file.data, sizeof elf);
	int class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != class ||
	    elf.e_phentsize != sizeof(ElfW(Phdr))) {
		return NULL;
	}
	struct ob_bytes names = symbol_names(file, &elf);
	for (size_t i = 0; i < sizeof sanitizers / sizeof sanitizers[0]; i++) {
		if (has_name(names, sanitizers[i].symbol)) {
			return &sanitizers[i];
		}
	}
	return NULL;
}
