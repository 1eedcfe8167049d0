/* context.h: what a request says it wants signed. Wire values; a key's policy lists those it allows. */
#ifndef KM_BASE_CONTEXT_H
#define KM_BASE_CONTEXT_H

#include <stdint.h>

#define KM_CONTEXT_LIST(X)                                                                             \
	X(KM_CTX_TLS13_SERVER, 1, "tls13-server")  /* RFC 8446 4.4.3 CertificateVerify of a server */  \
	X(KM_CTX_TLS12_SERVER, 2, "tls12-server")  /* RFC 8422 5.4 ServerKeyExchange, named curve */   \
	X(KM_CTX_CSR, 3, "csr")                    /* RFC 2986 CertificationRequestInfo */             \
	X(KM_CTX_X509_SELF, 4, "x509-self")        /* TBSCertificate of the key's own, self-issued */  \
	X(KM_CTX_X509, 5, "x509")                                                                      \
	X(KM_CTX_CRL, 6, "crl")                                                                        \
	X(KM_CTX_OCSP, 7, "ocsp")                                                                      \
	X(KM_CTX_SCT, 8, "sct")                                                                        \
	X(KM_CTX_DIGEST, 9, "digest")              /* a bare hash: blind */                            \
	X(KM_CTX_CANARY, 10, "canary")             /* H("canary", sid, S): never on request */

enum km_context {
#define KM_CONTEXT_ENUM(name, value, text) name = value,
	KM_CONTEXT_LIST(KM_CONTEXT_ENUM)
#undef KM_CONTEXT_ENUM
};

/* "tls13-server", or NULL for no context. */
const char *km_context_name(unsigned context);
/* The context of a name, 0 for none. */
unsigned km_context_by_name(const char *name);
/* Policies are bit sets of contexts. */
static inline uint32_t km_context_bit(unsigned context) { return context >= 1 && context <= 31 ? (uint32_t)1 << context : 0; }

#endif
