/* url.c: keymesh:NAME wherever a server hands its key file's name to GnuTLS. */
#include "config.h"
#include "plugin.h"

#include <stdio.h>
#include <string.h>
#include <gnutls/urls.h>

#define SCHEME "keymesh:"

static int ask(const char *url, struct km_rpc_key_info *info)
{
	const char *name = url + sizeof(SCHEME) - 1;
	struct km_rpc_key query = {.by = KM_RPC_BY_NAME};
	char why[KMG_WHY_SIZE];
	size_t n = strlen(name);
	int err;

	if (!km_rpc_name_valid(name, n)) {
		kmg_log("%.80s: no name of a key (1 to %d of a-z 0-9 . _ -, a letter or digit first)", url, KM_MAX_NAME);
		return GNUTLS_E_PARSING_ERROR;
	}
	if (kmg_settings.broken[0]) {
		kmg_log("%s: %s", url, kmg_settings.broken);
		return GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	}
	memcpy(query.name, name, n + 1);
	/* patient: without the daemon there is not even a public key, and the server would not start */
	err = kmg_key_ask(&query, kmg_now_ms() + kmg_settings.deadline_ms, 1, info, why, sizeof(why));
	if (!err && strcmp(info->name, query.name) != 0) {
		snprintf(why, sizeof(why), "keymeshd answered with the key %s", info->name);
		err = KM_E_MISMATCH;
	}
	if (!err)
		return GNUTLS_E_SUCCESS;
	kmg_log("%s: %s", url, why);
	return GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static int import_key(gnutls_privkey_t pkey, const char *url, unsigned flags)
{
	struct km_rpc_key_info info;
	int ret = ask(url, &info);

	return ret < 0 ? ret : kmg_key_attach(pkey, &info, NULL);
}

static int import_pubkey(gnutls_pubkey_t pubkey, const char *url, unsigned flags)
{
	struct km_rpc_key_info info;
	int ret = ask(url, &info);

	return ret < 0 ? ret : kmg_pubkey_import(pubkey, info.curve, info.point);
}

void kmg_url_register(void)
{
	static const gnutls_custom_url_st st = {
	    .name = SCHEME,
	    .name_size = sizeof(SCHEME) - 1,
	    .import_key = import_key,
	    .import_pubkey = import_pubkey,
	};
	int ret = gnutls_register_custom_url(&st);

	if (ret < 0)
		kmg_log("keymesh:NAME is not available: %s", gnutls_strerror(ret));
}
