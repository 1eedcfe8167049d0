/* json_tool.c: json_tool PATH < JSON: the values at a path like frontend.peers.live, one a line; arrays are gone through. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Depth is bounded by the dots of PATH and the arrays of our own status. */
static void show(const json_t *v, const char *path)
{
	char key[64];
	size_t i, n = strcspn(path, ".");

	if (json_is_array(v)) {
		for (i = 0; i < json_array_size(v); i++)
			show(json_array_get(v, i), path);
		return;
	}
	if (*path) {
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		v = json_object_get(v, key);
		if (v)
			show(v, path + n + (path[n] == '.'));
		return;
	}
	if (json_is_string(v))
		puts(json_string_value(v));
	else if (json_is_integer(v))
		printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
	else if (json_is_real(v))
		printf("%.3f\n", json_real_value(v));
	else
		puts(json_is_true(v) ? "true" : "false");
}

int main(int argc, char **argv)
{
	json_error_t why;
	json_t *v = argc == 2 ? json_loadf(stdin, 0, &why) : NULL;

	if (!v)
		return 1;
	show(v, argv[1]);
	json_decref(v);
	return 0;
}
