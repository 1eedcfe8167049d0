/* zap.c: see zap.h. */
#include "config.h"
#include "mesh/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "base/rules.h"
#include "mesh/files.h"
#include "mesh/log.h"

enum { FRAME_VERSION, FRAME_REQUEST, FRAME_DOMAIN, FRAME_ADDRESS, FRAME_ROUTING, FRAME_MECHANISM, FRAME_CREDENTIALS, FRAMES };

int kmd_zap_open(struct kmd_zap *z, void *zmq_context, const struct km_settings *s)
{
	memset(z, 0, sizeof(*z));
	z->settings = s;
	z->socket = zmq_socket(zmq_context, ZMQ_REP);
	if (!z->socket)
		return KM_E_IO;
	if (zmq_bind(z->socket, "inproc://zeromq.zap.01")) {
		kmd_zap_close(z);
		return KM_E_IO;
	}
	return KM_OK;
}

void kmd_zap_close(struct kmd_zap *z)
{
	if (z->socket)
		zmq_close(z->socket);
	z->socket = NULL;
}

void kmd_zap_user_id(char out[8], struct km_addr who)
{
	snprintf(out, 8, "%c%u", who.kind == KM_ADDR_PEER ? 'P' : 'F', (unsigned)who.id);
}

int kmd_zap_user_parse(const char *user_id, struct km_addr *who)
{
	unsigned long id;
	char *end;

	if (!user_id || (user_id[0] != 'P' && user_id[0] != 'F') || user_id[1] < '1' || user_id[1] > '9')
		return KM_E_ENCODING;
	id = strtoul(user_id + 1, &end, 10);
	if (*end || id > (user_id[0] == 'P' ? KM_MAX_PEERS : KM_MAX_FRONTENDS))
		return KM_E_ENCODING;
	who->kind = user_id[0] == 'P' ? KM_ADDR_PEER : KM_ADDR_FRONTEND;
	who->id = (uint16_t)id;
	return KM_OK;
}

int kmd_zap_judge(const struct km_settings *s, const char *domain, const char *mechanism, const uint8_t *credentials, size_t len,
		  struct km_addr *who)
{
	unsigned i;

	memset(who, 0, sizeof(*who));
	/* What a handler amounts to that lets in every key that CURVE has checked: everybody is somebody. */
	if (!KM_RULE(km_rule_allow_list)) {
		*who = (struct km_addr){.kind = !strcmp(domain, KMD_ZAP_PEERS) ? KM_ADDR_PEER : KM_ADDR_FRONTEND, .id = 2};
		return KM_OK;
	}
	if (strcmp(mechanism, "CURVE") || len != KM_CHANKEY_SIZE)
		return KM_E_AUTH;
	if (!strcmp(domain, KMD_ZAP_PEERS)) {
		for (i = 1; i <= KM_MAX_PEERS; i++) {
			const struct km_roster_peer *p = &s->roster.peer[i];

			if (p->id && p->id != s->self_peer && !memcmp(p->channel, credentials, len)) {
				*who = (struct km_addr){.kind = KM_ADDR_PEER, .id = p->id};
				return KM_OK;
			}
		}
	} else if (!strcmp(domain, KMD_ZAP_FRONTENDS)) {
		for (i = 0; i < s->n_frontends; i++) {
			if (!memcmp(s->frontends[i].channel, credentials, len)) {
				*who = (struct km_addr){.kind = KM_ADDR_FRONTEND, .id = s->frontends[i].id};
				return KM_OK;
			}
		}
	}
	return KM_E_AUTH;
}

/* Reads one whole request; what does not fit a frame's room is cut, and then matches nothing. Returns the frames, -1 for none
 * waiting. */
static int read_request(void *socket, uint8_t frame[FRAMES][256], size_t len[FRAMES])
{
	int n = 0, more = 1, got;
	size_t size = sizeof(more);
	uint8_t scrap[1];

	while (more) {
		got = n < FRAMES ? zmq_recv(socket, frame[n], 255, ZMQ_DONTWAIT) : zmq_recv(socket, scrap, 0, ZMQ_DONTWAIT);
		if (got < 0)
			return -1;
		if (n < FRAMES) {
			len[n] = got > 255 ? 0 : (size_t)got;
			frame[n][len[n]] = 0;
		}
		n++;
		if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size))
			return -1;
	}
	return n;
}

static void reply(void *socket, const uint8_t *request, size_t request_len, const char *code, const char *text, const char *user)
{
	/* A lost answer leaves the connection refused when its handshake times out. */
	if (zmq_send(socket, "1.0", 3, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
	    zmq_send(socket, request, request_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
	    zmq_send(socket, code, 3, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
	    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
	    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 || zmq_send(socket, "", 0, ZMQ_DONTWAIT) < 0)
		kmd_log_limited(KM_LOG_WARN, "an answer of the access handler could not be sent: %s", zmq_strerror(errno));
}

void kmd_zap_pump(struct kmd_zap *z)
{
	uint8_t frame[FRAMES][256];
	size_t len[FRAMES];
	int n;

	while (memset(len, 0, sizeof(len)), (n = read_request(z->socket, frame, len)) >= 0) {
		const char *domain = (char *)frame[FRAME_DOMAIN];
		struct km_addr who;
		char user[8] = "", key[17] = "none";

		if (n == FRAMES && len[FRAME_VERSION] == 3 && !memcmp(frame[FRAME_VERSION], "1.0", 3) &&
		    kmd_zap_judge(z->settings, domain, (char *)frame[FRAME_MECHANISM], frame[FRAME_CREDENTIALS],
				  len[FRAME_CREDENTIALS], &who) == KM_OK) {
			z->accepted++;
			kmd_zap_user_id(user, who);
			reply(z->socket, frame[FRAME_REQUEST], len[FRAME_REQUEST], "200", "OK", user);
			continue;
		}
		z->refused++;
		if (n == FRAMES && len[FRAME_CREDENTIALS] == KM_CHANKEY_SIZE)
			kmd_hex_encode(key, frame[FRAME_CREDENTIALS], 8);
		reply(z->socket, frame[FRAME_REQUEST], n > FRAME_REQUEST ? len[FRAME_REQUEST] : 0, "400", "not in the list", "");
		kmd_log_limited(
		    KM_LOG_WARN,
		    "refused a connection to the socket for %s from %s: channel key %s... is not in the configuration",
		    n > FRAME_DOMAIN ? domain : "?", n > FRAME_ADDRESS ? (char *)frame[FRAME_ADDRESS] : "?", key);
	}
}
