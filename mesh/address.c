/* address.c: see address.h. */
#include "config.h"
#include "mesh/address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int kmd_address_valid(const char *address)
{
	const char *colon = strrchr(address, ':');
	unsigned long port;
	char *end;

	if (!colon || colon == address || !isdigit((unsigned char)colon[1]))
		return 0;
	if (address[0] == '[' ? colon[-1] != ']' : memchr(address, ':', (size_t)(colon - address)) != NULL)
		return 0;
	if (strpbrk(address, " \t/;,*"))
		return 0;
	port = strtoul(colon + 1, &end, 10);
	return !*end && port >= 1 && port <= 65535;
}
