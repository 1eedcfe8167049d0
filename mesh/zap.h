/* zap.h: who may connect: the ZAP handler (ZeroMQ RFC 27) over an allow-list.
 *
 * WHY it is a must: CURVE alone encrypts, and lets in every client key there is (attack B29). */
#ifndef KMD_ZAP_H
#define KMD_ZAP_H

#include <stdint.h>
#include "node/settings.h"
#include "node/step.h"

#define KMD_ZAP_PEERS "peers" /* domains: of the two listening sockets */
#define KMD_ZAP_FRONTENDS "frontends"

struct kmd_zap {
	void *socket;
	const struct km_settings *settings;
	uint64_t accepted, refused;
};

/* Binds the handler of a context. KM_E_IO: then nothing may listen. */
int kmd_zap_open(struct kmd_zap *z, void *zmq_context, const struct km_settings *s) KM_MUST;
void kmd_zap_close(struct kmd_zap *z);
/* Answers what is waiting. */
void kmd_zap_pump(struct kmd_zap *z);
/* The decision. KM_OK and who it is, or KM_E_AUTH. Pure. */
int kmd_zap_judge(const struct km_settings *s, const char *domain, const char *mechanism, const uint8_t *credentials, size_t len,
		  struct km_addr *who) KM_MUST;
/* "P7", "F12" and back; KM_E_ENCODING. */
void kmd_zap_user_id(char out[8], struct km_addr who);
int kmd_zap_user_parse(const char *user_id, struct km_addr *who) KM_MUST;

#endif
