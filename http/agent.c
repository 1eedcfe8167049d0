/* agent.c: connections to keymeshd, one for each thread that asks, kept open. */
#include "config.h"
#include "http/http.h"

#include <stdlib.h>
#include <string.h>

static pthread_key_t mine;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void end(void *p)
{
	kmd_cli_close(p);
	free(p);
}

static void begin(void)
{
	KM_ASSERT(!pthread_key_create(&mine, end));
}

struct kmd_cli *kmh_agent(const struct kmh_conf *c, struct kmd_fail *f)
{
	struct kmd_cli *a;

	pthread_once(&once, begin);
	a = pthread_getspecific(mine);
	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a) {
		kmd_fail(f, KM_E_NOMEM, "out of memory");
		return NULL;
	}
	if (kmd_cli_open(a, c->socket)) {
		*f = a->fail;
		end(a);
		return NULL;
	}
	if (pthread_setspecific(mine, a)) {
		kmd_fail(f, KM_E_NOMEM, "out of memory");
		end(a);
		return NULL;
	}
	return a;
}

void kmh_agent_drop(void)
{
	struct kmd_cli *a;

	pthread_once(&once, begin);
	a = pthread_getspecific(mine);
	if (!a)
		return;
	(void)pthread_setspecific(mine, NULL);
	end(a);
}

json_t *kmh_agent_status(const struct kmh_conf *c, struct kmd_fail *f)
{
	struct km_rpc_text text;
	json_t *o = NULL;

	/* WHY twice: the daemon may have been restarted since the connection was made */
	for (int attempt = 0; attempt < 2 && !o; attempt++) {
		struct kmd_cli *a = kmh_agent(c, f);

		if (!a)
			return NULL;
		if (kmd_cli_status(a, &text)) {
			*f = a->fail;
			kmh_agent_drop();
			continue;
		}
		o = json_loadb(text.text, text.len, 0, NULL);
		if (!o)
			kmd_fail(f, KM_E_ENCODING, "the status of keymeshd cannot be read");
	}
	return o;
}
