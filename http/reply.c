/* reply.c: bodies of replies. */
#include "config.h"
#include "http/http.h"

#include <stdlib.h>
#include <string.h>

struct kmh_reply kmh_reply_text(unsigned status, const char *type, char *body)
{
	if (!body)
		return (struct kmh_reply){.status = 500, .type = "text/plain; charset=utf-8"};
	return (struct kmh_reply){.status = status, .type = type, .body = body, .len = strlen(body)};
}

static struct kmh_reply from_json(unsigned status, const char *type, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(o);
	return kmh_reply_text(status, type, text);
}

struct kmh_reply kmh_reply_json(unsigned status, json_t *o)
{
	return from_json(status, "application/json", o);
}

static const char *title(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	case 424:
		return "Failed Dependency";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

struct kmh_reply kmh_problem(unsigned status, const char *code, const char *detail)
{
	/* a text from elsewhere may hold bytes that are no UTF-8: then jansson takes nothing, and the code alone must do */
	json_t *o = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title(status), "status", (int)status, "code", code);

	if (o && json_object_set_new(o, "detail", json_string(detail)))
		json_object_del(o, "detail");
	struct kmh_reply r = from_json(status, "application/problem+json", o);
	if (status == 429 || status == 503)
		r.retry_after_s = 1;
	return r;
}
