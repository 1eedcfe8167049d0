/* context.c: names of signing contexts. */
#include "context.h"

#include <stddef.h>
#include <string.h>

static const struct {
	unsigned value;
	const char *name;
} contexts[] = {
#define KM_CONTEXT_ROW(id, value, text) {value, text},
	KM_CONTEXT_LIST(KM_CONTEXT_ROW)
#undef KM_CONTEXT_ROW
};

const char *km_context_name(unsigned context)
{
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (contexts[i].value == context)
			return contexts[i].name;
	return NULL;
}

unsigned km_context_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (strcmp(contexts[i].name, name) == 0)
			return contexts[i].value;
	return 0;
}
