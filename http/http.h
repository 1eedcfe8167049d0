/* http.h: what the files of keymesh-http share.
 *
 *	keymesh_http.c  main: options, signals                 conf.c     keymesh-http.conf
 *	server.c        listeners, limits, who asks            pages.c    /metrics /livez /readyz /status.json /
 *	metrics.c       status as Prometheus text              ready.c    can a signature be made now?
 *	sign.c          POST /v1/sign                          idem.c     answers kept for repeated requests
 *	agent.c         connections to keymeshd                reply.c    bodies, problem+json
 *
 * WHY a process of its own: what parses HTTP, TLS and JSON of strangers holds no share and no frontend secret. It is one more local
 * client of keymeshd, with no more rights than a TLS server has. */
#ifndef KMH_HTTP_H
#define KMH_HTTP_H

#include <jansson.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include "base/limits.h"
#include "mesh/cli.h"
#include "mesh/fail.h"

#define KMH_MAX_BODY 65536u       /* of a request */
#define KMH_MAX_CLIENTS 256       /* in the configuration */
#define KMH_MAX_IDEM_KEY 255

/* ---- configuration */

struct kmh_client {
	char *name, *fingerprint;       /* SHA-256 of its public key (SubjectPublicKeyInfo), 64 hex digits */
	char **keys;
	unsigned n_keys;
	uint32_t contexts;              /* bits of km_context_bit */
	unsigned rate;                  /* requests a second, 0 = no limit */
	/* bucket of the rate: requests left in millionths, and when that was true */
	int64_t micro;
	uint64_t at_us;
};

struct kmh_conf {
	char *file, *socket, *metrics_listen, *sign_listen, *certificate, *key, *client_ca;
	unsigned threads, max_connections, deadline_ms;
	struct kmh_client *clients;
	unsigned n_clients;
	pthread_mutex_t rates;
};

/* f->text is "file:line: what is wrong; what to write instead". KM_E_CONFIG, KM_E_NOTFOUND, KM_E_NOMEM. */
int kmh_conf_load(struct kmh_conf **out, const char *path, struct kmd_fail *f) KM_MUST;
void kmh_conf_free(struct kmh_conf *c);

/* ---- replies */

struct kmh_reply {
	unsigned status;
	const char *type;               /* static */
	char *body;                     /* malloc'd */
	size_t len;
	unsigned retry_after_s;         /* 0 = say nothing */
};

/* Takes body (malloc'd, NULL: out of memory, 500). */
struct kmh_reply kmh_reply_text(unsigned status, const char *type, char *body);
/* application/problem+json (RFC 9457). code: stable, a word; detail: what happened and what to do. */
struct kmh_reply kmh_problem(unsigned status, const char *code, const char *detail);
/* Takes o. */
struct kmh_reply kmh_reply_json(unsigned status, json_t *o);

/* ---- keymeshd */

/* The status of the daemon, parsed; NULL and f when it does not answer. The caller's: json_decref. */
json_t *kmh_agent_status(const struct kmh_conf *c, struct kmd_fail *f);
/* A connection of this thread, made if there is none; NULL and f. After an error of input or output: kmh_agent_drop. */
struct kmd_cli *kmh_agent(const struct kmh_conf *c, struct kmd_fail *f);
void kmh_agent_drop(void);

/* ---- what it says of it */

/* Prometheus text of a status; malloc'd, NULL without memory. */
char *kmh_metrics(const json_t *status);
/* 1 when a signature can be made now; else 0 and why, for people. */
int kmh_ready(const json_t *status, char *why, size_t size);
struct kmh_reply kmh_page(const struct kmh_conf *c, const char *path);

/* ---- signing */

/* body: the request's JSON; idem: value of Idempotency-Key, NULL = none. */
struct kmh_reply kmh_sign(struct kmh_conf *c, struct kmh_client *client, const char *body, size_t len, const char *idem);

/* ---- listening */

struct kmh_server;
int kmh_server_open(struct kmh_server **out, struct kmh_conf *c, struct kmd_fail *f) KM_MUST;
void kmh_server_close(struct kmh_server *s);

#endif
