/* schema.h: every key of keymesh.conf: type, bounds, default, meaning. Checking, filling in and the manual page follow this
 * table. */
#ifndef KMD_SCHEMA_H
#define KMD_SCHEMA_H

#include <stddef.h>

enum kmd_kind {
	KMD_KIND_INT = 1, /* unsigned */
	KMD_KIND_STRING,  /* char * */
	KMD_KIND_STRINGS, /* struct kmd_strings */
	KMD_KIND_GROUP,	  /* { }, its keys are the section of that name, in the same object */
	KMD_KIND_LIST,	  /* ( { }, { } ), each an object of the section of that name */
};

enum kmd_schema_flags { KMD_REQUIRED = 1 };

struct kmd_schema {
	const char *section; /* "" = top level */
	const char *key;
	enum kmd_kind kind;
	unsigned flags;
	long min, max;	  /* INT: bounds; STRING, STRINGS: lengths of a string; LIST: entries */
	const char *def;  /* as it would stand in the file; NULL: none */
	size_t offset;	  /* INT, STRING, STRINGS: in the object of the section */
	const char *help; /* what a good value is, for the error message and the manual */
};

extern const struct kmd_schema kmd_schema[];
extern const size_t kmd_schema_n;

/* NULL if there is none. */
const struct kmd_schema *kmd_schema_find(const char *section, const char *key);
/* The key of that section that looks most like `key`, NULL when none is near. */
const char *kmd_schema_nearest(const char *section, const char *key);

#endif
