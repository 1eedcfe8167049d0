/* cli_reseal.c: keymesh reseal. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>

/* A slow command for the key, and two writes to a slow disk for every file. */
#define RESEAL_MS 600000

int kmd_cmd_reseal(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	const char *socket = NULL;
	struct km_rpc_frame f;
	struct km_rpc_text text;
	struct kmd_cli c;
	struct km_buf b;
	int opt, err, status = KMD_EXIT_OK;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 's')
			return kmd_cli_usage("reseal", "wrong option");
		socket = optarg;
	}
	if (optind < argc)
		return kmd_cli_usage("reseal", "what is %s?", argv[optind]);
	km_buf_init(&b);
	err = kmd_cli_open(&c, socket);
	if (!err)
		err = km_rpc_encode_reseal(&b, c.seq);
	if (!err)
		err = kmd_cli_call(&c, &b, KM_RPC_DONE, RESEAL_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, &text);
	if (err)
		status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		printf("%.*s\n", (int)text.len, text.text);
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return status;
}
