/* mark_symbolic.c: copies a shared library (64-bit) and marks the copy DT_SYMBOLIC, so that the loader binds its references to
 * itself first: what a build with -Bsymbolic-functions is, for testing that the plugin notices.  mark_symbolic IN OUT */
#include "config.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int mark(unsigned char *p, size_t n)
{
	Elf64_Ehdr *eh = (Elf64_Ehdr *)p;
	Elf64_Phdr *ph;
	Elf64_Dyn *d;
	int i;

	if (n < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64)
		return -1;
	ph = (Elf64_Phdr *)(p + eh->e_phoff);
	for (i = 0; i < eh->e_phnum && ph[i].p_type != PT_DYNAMIC; i++)
		;
	if (i == eh->e_phnum)
		return -1;
	/* the linker leaves spare DT_NULL entries at the end; one of two is free to use */
	for (d = (Elf64_Dyn *)(p + ph[i].p_offset); d->d_tag != DT_NULL; d++)
		;
	if ((unsigned char *)(d + 2) > p + ph[i].p_offset + ph[i].p_filesz || d[1].d_tag != DT_NULL)
		return -1;
	d->d_tag = DT_SYMBOLIC;
	return 0;
}

int main(int argc, char **argv)
{
	FILE *in, *out;
	unsigned char *p;
	long n;

	if (argc != 3 || !(in = fopen(argv[1], "rb")) || fseek(in, 0, SEEK_END) != 0 || (n = ftell(in)) <= 0)
		return 1;
	rewind(in);
	p = malloc((size_t)n);
	if (!p || fread(p, 1, (size_t)n, in) != (size_t)n || mark(p, (size_t)n) != 0)
		return 1;
	out = fopen(argv[2], "wb");
	if (!out || fwrite(p, 1, (size_t)n, out) != (size_t)n || fclose(out) != 0)
		return 1;
	fclose(in);
	free(p);
	return 0;
}
