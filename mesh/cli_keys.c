/* cli_keys.c: keymesh keygen, stub and sign. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/context.h"
#include "ec/curve.h"
#include "rpc/der.h"
#include "rpc/stubkey.h"

struct options {
	const char *socket, *out, *name, *curve, *context;
	long threshold;
	int raw;
};

/* The options of all three; a command refuses what is none of its own by `allowed`. */
static int parse(struct options *o, int argc, char **argv, const char *allowed)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"output", required_argument, NULL, 'o'},
	    {"threshold", required_argument, NULL, 't'},
	    {"curve", required_argument, NULL, 'C'},
	    {"context", required_argument, NULL, 'c'},
	    {"der", no_argument, NULL, 'd'},
	    {"raw", no_argument, NULL, 'r'},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (opt == '?' || !strchr(allowed, opt))
			return kmd_cli_usage(argv[0], "wrong option");
		switch (opt) {
		case 's':
			o->socket = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		case 't':
			o->threshold = kmd_cli_number(optarg, KM_MIN_THRESHOLD, KM_MAX_PEERS);
			if (o->threshold < 0)
				return kmd_cli_usage(argv[0], "--threshold is a number from %d to %d", KM_MIN_THRESHOLD,
						     KM_MAX_PEERS);
			break;
		case 'C':
			o->curve = optarg;
			break;
		case 'c':
			o->context = optarg;
			break;
		default:
			o->raw = opt == 'r';
		}
	}
	if (optind + 1 != argc)
		return kmd_cli_usage(argv[0], "one NAME of a key is needed");
	o->name = argv[optind];
	return KMD_EXIT_OK;
}

int kmd_cmd_keygen(int argc, char **argv)
{
	struct options o = {.curve = "P-256"};
	struct km_rpc_keygen m = {.curve = KM_CURVE_P256};
	struct km_rpc_frame f;
	struct km_rpc_text text;
	struct kmd_cli c;
	struct km_buf b;
	int err, status = parse(&o, argc, argv, "stC");

	if (status)
		return status;
	if (!o.threshold)
		return kmd_cli_usage("keygen", "--threshold T is needed");
	if (strcmp(o.curve, "P-256"))
		return kmd_cli_usage("keygen", "curve %s is not made by this version; P-256 is", o.curve);
	if (!km_rpc_name_valid(o.name, strlen(o.name)))
		return kmd_cli_usage("keygen",
				     "name %s is not allowed; 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit", o.name);
	memcpy(m.name, o.name, strlen(o.name));
	m.threshold = (uint8_t)o.threshold;
	km_buf_init(&b);
	err = kmd_cli_open(&c, o.socket);
	if (!err)
		err = km_rpc_encode_keygen(&b, c.seq, &m);
	if (!err)
		err = kmd_cli_call(&c, &b, KM_RPC_DONE, KMD_CLI_KEYGEN_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, &text);
	if (err)
		status = kmd_cli_error(err, "key %s was not made: %s", o.name, c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		printf("%.*s\n", (int)text.len, text.text);
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return status;
}

int kmd_cmd_stub(int argc, char **argv)
{
	struct options o = {0};
	struct km_rpc_key_info info;
	struct kmd_cli c;
	struct km_buf b;
	int err, status = parse(&o, argc, argv, "so");

	if (status)
		return status;
	km_buf_init(&b);
	err = kmd_cli_open(&c, o.socket);
	if (!err)
		err = kmd_cli_key(&c, o.name, &info);
	if (!err)
		err = km_stub_put_pem(&b, info.curve, info.point, info.point_len);
	if (err)
		status = kmd_cli_error(err, "%s: %s", o.name, c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		/* WHY 0600 although it holds no secret: servers refuse or warn about key files that others can read. */
		status = kmd_cli_write(o.out, 0600, b.data, b.len);
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return status;
}

static int read_input(struct km_buf *b)
{
	uint8_t chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0 && b->len <= KM_MAX_REQUEST_BYTES)
		km_put_bytes(b, chunk, n);
	return ferror(stdin) ? KM_E_STATE : b->err;
}

int kmd_cmd_sign(int argc, char **argv)
{
	struct options o = {0};
	struct km_rpc_signature sig;
	struct km_rpc_key_info info;
	struct km_buf in, out;
	struct kmd_cli c;
	int err, status = parse(&o, argc, argv, "socdr");

	if (status)
		return status;
	if (!o.context || !km_context_by_name(o.context))
		return kmd_cli_usage("sign", "--context is one of tls13-server, tls12-server, csr, x509-self");
	km_buf_init(&in);
	km_buf_init(&out);
	err = kmd_cli_open(&c, o.socket);
	if (!err && (err = read_input(&in)))
		kmd_fail(&c.fail, err, "standard input cannot be read");
	if (!err)
		err = kmd_cli_key(&c, o.name, &info);
	if (!err)
		err = kmd_cli_sign(&c, info.key_id, km_context_by_name(o.context), in.data, in.len, &sig);
	if (!err && o.raw) {
		km_put_bytes(&out, sig.r, sig.size);
		km_put_bytes(&out, sig.s, sig.size);
		err = out.err;
	} else if (!err) {
		err = km_der_put_signature(&out, sig.r, sig.s, sig.size);
	}
	if (err)
		status = kmd_cli_error(err, "%s: %s", o.name, c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		status = kmd_cli_write(o.out, 0644, out.data, out.len);
	kmd_cli_close(&c);
	km_buf_clear(&in);
	km_buf_clear(&out);
	return status;
}
