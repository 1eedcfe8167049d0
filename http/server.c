/* server.c: the two listeners: one in the clear for what everybody may see, one with TLS and client certificates for signing. */
#include "config.h"
#include "http/http.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/address.h"
#include "mesh/files.h"
#include "mesh/log.h"

#define IDLE_S 30
#define PER_ADDRESS 128
#define MAX_PEM (256u * 1024)

struct kmh_server {
	struct kmh_conf *conf;
	struct MHD_Daemon *pages, *sign;
	char *certificate, *client_ca; /* PEM */
	uint8_t *key;                  /* PEM; arena */
};

/* Of a connection to the listener for signing. */
struct guest {
	int judged;
	unsigned status; /* of the refusal, 0 = admitted */
	struct kmh_client *client;
};

struct upload {
	char *body;
	size_t len;
	int too_long;
};

static void log_line(void *ctx, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void log_line(void *ctx, const char *fmt, va_list ap)
{
	char text[300];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\r\n")] = '\0';
	/* strangers cause these: no more than a few of them in the log */
	kmd_log_limited(KM_LOG_INFO, "%s", text);
}

static enum MHD_Result send_reply(struct MHD_Connection *conn, struct kmh_reply *r)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(r->len, r->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ret;
	char seconds[12];

	if (!response) {
		free(r->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", r->type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:");
	if (r->retry_after_s) {
		snprintf(seconds, sizeof(seconds), "%u", r->retry_after_s);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	if (r->status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	ret = MHD_queue_response(conn, r->status, response);
	MHD_destroy_response(response);
	return ret;
}

/* ---- pages */

static enum MHD_Result on_page(void *ctx, struct MHD_Connection *conn, const char *url, const char *method, const char *version, const char *data,
			       size_t *size, void **state)
{
	static char seen;
	struct kmh_reply r;

	if (!*state) {
		*state = &seen; /* the head alone */
		return MHD_YES;
	}
	if (*size) {
		*size = 0; /* a body that nobody asked for */
		return MHD_YES;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		r = kmh_problem(405, "MethodNotAllowed", "this address shows things only; signatures are made at the address of sign.listen");
	else
		r = kmh_page(((struct kmh_server *)ctx)->conf, url);
	return send_reply(conn, &r);
}

/* ---- signing */

static struct kmh_client *client_of(struct kmh_conf *c, const gnutls_datum_t *der)
{
	struct kmh_client *found = NULL;
	uint8_t id[32];
	size_t n = sizeof(id);
	char hex[2 * sizeof(id) + 1];
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) < 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) >= 0 && gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &n) >= 0 &&
	    n == sizeof(id)) {
		kmd_hex_encode(hex, id, n);
		for (unsigned i = 0; i < c->n_clients && !found; i++)
			if (!strcmp(c->clients[i].fingerprint, hex))
				found = &c->clients[i];
	}
	gnutls_x509_crt_deinit(crt);
	return found;
}

static void judge(struct kmh_conf *c, struct MHD_Connection *conn, struct guest *g)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_t session = info ? info->tls_session : NULL;
	unsigned status = ~0u, n = 0;
	const gnutls_datum_t *certs = session ? gnutls_certificate_get_peers(session, &n) : NULL;

	g->judged = 1;
	g->status = 401;
	if (!certs || !n || gnutls_certificate_verify_peers2(session, &status) < 0 || status)
		return;
	g->client = client_of(c, &certs[0]);
	g->status = g->client ? 0 : 403;
}

static void on_connection(void *ctx, struct MHD_Connection *conn, void **socket_state, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_state = calloc(1, sizeof(struct guest));
	} else {
		free(*socket_state);
		*socket_state = NULL;
	}
}

static enum MHD_Result take_body(struct upload *u, const char *data, size_t *size)
{
	/* the rest is read and thrown away, so that the client gets to see the answer */
	if (u->len + *size > KMH_MAX_BODY)
		u->too_long = 1;
	if (!u->too_long) {
		char *more = realloc(u->body, u->len + *size);

		if (!more)
			return MHD_NO;
		u->body = more;
		memcpy(u->body + u->len, data, *size);
		u->len += *size;
	}
	*size = 0;
	return MHD_YES;
}

static int is_json(const char *type)
{
	static const char want[] = "application/json";
	size_t n = sizeof(want) - 1;

	return type && !strncasecmp(type, want, n) && (!type[n] || type[n] == ';' || type[n] == ' ');
}

static struct kmh_reply dispatch(struct kmh_conf *c, struct MHD_Connection *conn, const struct guest *g, const struct upload *u, const char *url,
				 const char *method)
{
	if (!g || g->status == 401)
		return kmh_problem(401, "Unauthorized", "a client certificate of sign.client_ca is needed");
	if (g->status)
		return kmh_problem(403, "Forbidden", "no client of the configuration has the public key of this certificate");
	if (strcmp(url, "/v1/sign"))
		return kmh_problem(404, "NotFound", "there is POST /v1/sign");
	if (strcmp(method, "POST"))
		return kmh_problem(405, "MethodNotAllowed", "POST it");
	if (u->too_long)
		return kmh_problem(413, "TooLarge", "the body is longer than 65536 bytes");
	if (!is_json(MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Type")))
		return kmh_problem(415, "UnsupportedMediaType", "Content-Type is application/json");
	return kmh_sign(c, g->client, u->body ? u->body : "", u->len, MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Idempotency-Key"));
}

static enum MHD_Result on_sign(void *ctx, struct MHD_Connection *conn, const char *url, const char *method, const char *version, const char *data,
			       size_t *size, void **state)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct guest *g = info ? info->socket_context : NULL;
	struct kmh_conf *c = ((struct kmh_server *)ctx)->conf;
	struct upload *u = *state;
	struct kmh_reply r;

	if (!u) {
		*state = calloc(1, sizeof(*u));
		if (g && !g->judged)
			judge(c, conn, g);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*size)
		return take_body(u, data, size);
	r = dispatch(c, conn, g, u, url, method);
	return send_reply(conn, &r);
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
	struct upload *u = *state;

	if (!u)
		return;
	free(u->body);
	free(u);
	*state = NULL;
}

/* ---- opening */

static int listen_at(const char *address, struct kmd_fail *f)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list, *a;
	const char *port = strrchr(address, ':');
	int fd = -1, one = 1, err;
	char host[256];

	if (!kmd_address_valid(address))
		return kmd_fail(f, KM_E_CONFIG, "%s is no address; write HOST:PORT or [V6]:PORT", address), -1;
	snprintf(host, sizeof(host), "%.*s", (int)(port - address), address);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	err = getaddrinfo(host, port + 1, &hints, &list);
	if (err)
		return kmd_fail(f, KM_E_IO, "%s: %s", address, gai_strerror(err)), -1;
	for (a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
		if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) || bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 256))) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		kmd_fail(f, KM_E_IO, "cannot listen at %s: %s", address, strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static int read_pem(const char *path, unsigned flags, uint8_t **out, struct kmd_fail *f)
{
	size_t len;

	return kmd_file_read(path, flags, MAX_PEM, out, &len, f);
}

static int open_pages(struct kmh_server *s, struct kmd_fail *f)
{
	int fd = listen_at(s->conf->metrics_listen, f);

	if (fd < 0)
		return KM_E_IO;
	s->pages = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_page, s, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
				    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 64u, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
				    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_END);
	if (s->pages)
		return KM_OK;
	close(fd);
	return kmd_fail(f, KM_E_NOMEM, "the server for metrics cannot be started");
}

static int open_sign(struct kmh_server *s, struct kmd_fail *f)
{
	const struct kmh_conf *c = s->conf;
	uint8_t *certificate = NULL, *ca = NULL;
	int fd, err = read_pem(c->certificate, 0, &certificate, f);

	if (!err)
		err = read_pem(c->client_ca, 0, &ca, f);
	if (!err)
		err = read_pem(c->key, KMD_FILE_PRIVATE, &s->key, f);
	if (!err && (!(s->certificate = strdup((char *)certificate)) || !(s->client_ca = strdup((char *)ca))))
		err = kmd_fail(f, KM_E_NOMEM, "out of memory");
	km_secret_free(certificate);
	km_secret_free(ca);
	if (err)
		return err;
	fd = listen_at(c->sign_listen, f);
	if (fd < 0)
		return KM_E_IO;
	s->sign = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_USE_TLS, 0, NULL, NULL, on_sign, s, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, (const char *)s->key, MHD_OPTION_HTTPS_MEM_CERT, s->certificate, MHD_OPTION_HTTPS_MEM_TRUST,
	    s->client_ca, MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", MHD_OPTION_THREAD_POOL_SIZE, c->threads,
	    MHD_OPTION_CONNECTION_LIMIT, c->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_NOTIFY_COMPLETED,
	    on_completed, NULL, MHD_OPTION_END);
	if (s->sign)
		return KM_OK;
	close(fd);
	return kmd_fail(f, KM_E_CONFIG, "the server for signing cannot be started: do %s and %s belong together, is %s a certificate in PEM?", c->certificate,
			c->key, c->client_ca);
}

int kmh_server_open(struct kmh_server **out, struct kmh_conf *c, struct kmd_fail *f)
{
	struct kmh_server *s = calloc(1, sizeof(*s));
	int err;

	*out = NULL;
	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	s->conf = c;
	err = c->metrics_listen ? open_pages(s, f) : KM_OK;
	if (!err && c->sign_listen)
		err = open_sign(s, f);
	if (err)
		kmh_server_close(s);
	else
		*out = s;
	return err;
}

void kmh_server_close(struct kmh_server *s)
{
	if (!s)
		return;
	if (s->pages)
		MHD_stop_daemon(s->pages);
	if (s->sign)
		MHD_stop_daemon(s->sign);
	free(s->certificate);
	free(s->client_ca);
	km_secret_free(s->key);
	free(s);
}
