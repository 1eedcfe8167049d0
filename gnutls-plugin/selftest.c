/* selftest.c: does libgnutls call through us in this process?
 *
 * A libgnutls linked with -Bsymbolic-functions, or a plugin that was not loaded first, would take a stub for an ordinary key
 * and sign with its sentinel. No client accepts such a signature, but nobody would know why. */
#include "config.h"
#include "plugin.h"

#include <dlfcn.h>
#include <string.h>
#include "rpc/der.h"
#include "rpc/stubkey.h"

/* The base point of P-256: on the curve, and nobody's key. */
static const uint8_t generator[65] = {
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce,
    0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

/* SubjectPublicKeyInfo of P-256, up to the point. */
static const uint8_t spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

static __thread int running;

int kmg_selftest_running(void)
{
	return running;
}

/* Loads the stub as a raw public key pair: GnuTLS imports the key and makes its "test text" signature, all by calls to
 * itself. Returns 1 when both came by. */
static int hooks_called(void)
{
	uint8_t spki[sizeof(spki_head) + sizeof(generator)], stub[512];
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t dspki = {spki, sizeof(spki)}, dstub;
	struct km_buf b;
	int ret;

	memcpy(spki, spki_head, sizeof(spki_head));
	memcpy(spki + sizeof(spki_head), generator, sizeof(generator));
	km_buf_init_fixed(&b, stub, sizeof(stub));
	if (km_stub_put_der(&b, 1, generator, sizeof(generator)) != KM_OK || gnutls_certificate_allocate_credentials(&cred) < 0)
		return 0;
	dstub.data = stub;
	dstub.size = (unsigned)b.len;
	kmg_tested()->seen = 0;
	running = 1;
	ret = gnutls_certificate_set_rawpk_key_mem(cred, &dspki, &dstub, GNUTLS_X509_FMT_DER, NULL, 0, NULL, 0, 0);
	running = 0;
	gnutls_certificate_free_credentials(cred);
	/* seen is set only if the import made the stub ours and the signature was asked of us */
	return ret >= 0 && kmg_tested()->seen;
}

void kmg_selftest(void *own)
{
	void *first = dlsym(RTLD_DEFAULT, "gnutls_privkey_sign_data2");

	if (first != own)
		kmg_log("libgnutls-keymesh.so is not first among the libraries: keys of the mesh do not work here; load it with "
			"LD_PRELOAD");
	else if (!hooks_called())
		kmg_log("this libgnutls does not call through its own symbols (-Bsymbolic-functions?): keys of the mesh do not "
			"work here");
	kmg_tested()->seen = 0;
}
