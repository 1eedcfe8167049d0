/* conf_impl.h: private to conf.c and conf_check.c. */
#ifndef KMD_CONFIG_IMPL_H
#define KMD_CONFIG_IMPL_H

#include <libconfig.h>
#include "mesh/conf.h"

struct kmd_conf_at {
	const char *file; /* the main file: libconfig names only included ones */
	config_t *lc;
	struct kmd_fail *f;
};

/* f->text = "file:line: " and the sentence; the line is that of s, or of its child `key` if it has one. Returns KM_E_CONFIG. */
int kmd_conf_error(const struct kmd_conf_at *at, const config_setting_t *s, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Everything that goes beyond one value: roster, policies, own identity, users, files. */
int kmd_config_check(struct kmd_config *c, const struct kmd_conf_at *at) KM_MUST;

/* Of one entry of keys: members, excluded, pin, refresh; the roster is finished. */
int kmd_config_check_epochs(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s,
			    const struct kmd_conf_key *k, struct km_key_policy *out) KM_MUST;

#endif
