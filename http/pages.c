/* pages.c: what anybody at the metrics address may see. */
#include "config.h"
#include "http/http.h"

#include <stdlib.h>
#include <string.h>
#include "http/page.h"

#define PLAIN "text/plain; charset=utf-8"

static struct kmh_reply text(unsigned status, const char *line)
{
	return kmh_reply_text(status, PLAIN, strdup(line));
}

struct kmh_reply kmh_page(const struct kmh_conf *c, const char *path)
{
	struct kmd_fail f = {""};
	struct kmh_reply r;
	json_t *status;
	char why[300];

	if (!strcmp(path, "/"))
		return kmh_reply_text(200, "text/html; charset=utf-8", strdup(kmh_page_html));
	if (strcmp(path, "/metrics") && strcmp(path, "/livez") && strcmp(path, "/readyz") && strcmp(path, "/status.json"))
		return kmh_problem(404, "NotFound", "there are /, /metrics, /livez, /readyz and /status.json");
	status = kmh_agent_status(c, &f);
	if (!status)
		return !strcmp(path, "/metrics") || !strcmp(path, "/status.json") ? kmh_problem(503, "NoDaemon", f.text) : text(503, f.text);
	if (!strcmp(path, "/metrics"))
		r = kmh_reply_text(200, "text/plain; version=0.0.4; charset=utf-8", kmh_metrics(status));
	else if (!strcmp(path, "/livez"))
		r = text(200, "alive\n");
	else if (!strcmp(path, "/status.json"))
		r = kmh_reply_json(200, json_incref(status));
	else
		r = kmh_ready(status, why, sizeof(why)) ? text(200, "ready\n") : text(503, why);
	json_decref(status);
	return r;
}
