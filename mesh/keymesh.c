/* keymesh.c: main of the operator's tool. */
#include "config.h"
#include "mesh/cli.h"

#include <signal.h>
#include <string.h>

/* clang-format off */
static const struct kmd_command commands[] = {
	{ "init", kmd_cmd_init, "make a node's secret file, sealing key and configuration",
	  "keymesh init --dir DIR --name NAME [--peer-id N] [--frontend-id N] [--address HOST:PORT]\n"
	  "             [--frontend-address HOST:PORT] [--local PATH]\n"
	  "\n"
	  "Makes DIR (mode 0700) with identity.secret, seal.key, keymesh.conf and a roster.conf to be completed, and prints\n"
	  "the node's entries for the rosters of all others (also in DIR/peer.entry and DIR/frontend.entry).\n"
	  "Nothing that exists is overwritten.\n"
	  "\n"
	  "  --dir DIR                        where\n"
	  "  --name NAME                      the node's name, a-z 0-9 . _ -\n"
	  "  --peer-id N                      role peer with this id, 1 to 32\n"
	  "  --frontend-id N                  role frontend with this id, 1 to 1024\n"
	  "  --address HOST:PORT              where other peers reach it (needed with --peer-id)\n"
	  "  --frontend-address HOST:PORT     where frontends reach it (needed with --peer-id)\n"
	  "  --local PATH                     its unix socket (default /run/keymesh/keymesh.sock)\n" },
	{ "keygen", kmd_cmd_keygen, "make a key that never exists anywhere",
	  "keymesh keygen NAME --threshold T [--curve P-256] [--socket SOCKET]\n"
	  "\n"
	  "The peers make the key together; every peer's configuration must list it with this threshold. Ask a daemon with role peer.\n"
	  "Progress goes to standard error.\n" },
	{ "status", kmd_cmd_status, "show peers, keys, pools and rates",
	  "keymesh status [--json] [--watch] [--socket SOCKET]\n"
	  "\n"
	  "  --json     the daemon's JSON as it is\n"
	  "  --watch    again every second, until interrupted\n" },
	{ "stub", kmd_cmd_stub, "write the key file for servers: it holds no secret",
	  "keymesh stub NAME [-o FILE] [--socket SOCKET]\n"
	  "\n"
	  "A PEM private key with the key's public point and no secret, for servers that run with libgnutls-keymesh.\n" },
	{ "csr", kmd_cmd_csr, "write a certificate request signed by the mesh",
	  "keymesh csr NAME --dns HOST [--dns HOST ...] [-o FILE] [--socket SOCKET]\n"
	  "\n"
	  "PKCS #10 in PEM. The first --dns is the common name too. The key's policy must allow the context csr.\n" },
	{ "selfsign", kmd_cmd_selfsign, "write a self-signed certificate signed by the mesh",
	  "keymesh selfsign NAME --dns HOST [--dns HOST ...] [--days N] [-o FILE] [--socket SOCKET]\n"
	  "\n"
	  "An X.509 server certificate in PEM, valid for N days (default 90). The key's policy must allow the context x509-self.\n" },
	{ "sign", kmd_cmd_sign, "sign the bytes of standard input",
	  "keymesh sign NAME --context CONTEXT [--der | --raw] [-o FILE] [--socket SOCKET] < FILE\n"
	  "\n"
	  "CONTEXT says what the bytes are (tls13-server, tls12-server, csr, x509-self); they must be exactly that.\n"
	  "  --der      Ecdsa-Sig-Value (default)\n"
	  "  --raw      r and s, each of the size of the curve\n" },
	{ "rotate", kmd_cmd_rotate, "replace a key by a new one, step by step",
	  "keymesh rotate NAME [--dns HOST ...] [--certificate FILE] [--dir DIR] [--socket SOCKET] [--peer-socket SOCKET]\n"
	  "\n"
	  "Looks how far the replacement of NAME is, does the next steps, and says what is to be done by hand; call it as often as you like.\n"
	  "The new key is the one whose configuration says replaces = \"NAME\". Both are served until the old one is retired: a server takes\n"
	  "the key of its certificate, so none fails a handshake.\n"
	  "  --dns HOST            the names for the certificate request\n"
	  "  --certificate FILE    the certificate that the authority made of the request\n"
	  "  --dir DIR             where key file and request are written (default: here)\n"
	  "  --socket SOCKET       of a keymeshd with role frontend\n"
	  "  --peer-socket SOCKET  of one with role peer, if that is another\n" },
	{ "retire", kmd_cmd_retire, "end a key at one peer: its share is wiped",
	  "keymesh retire NAME [--force] [--socket SOCKET]\n"
	  "\n"
	  "Wipes every share of NAME that the asked peer holds, on the disk too. Nothing brings it back but a backup: the key is gone when fewer\n"
	  "peers than its threshold have kept theirs. Each operator does it for his own peer. Refused while the key was in use within ten\n"
	  "minutes, or the peer was started within them.\n"
	  "  --force    all the same\n" },
	{ "refresh", kmd_cmd_refresh, "give the peers of a key new shares",
	  "keymesh refresh NAME [--socket SOCKET]\n"
	  "\n"
	  "Ask one peer that has a share. The key, its committee and its threshold stay; old shares, wherever they were copied to, are worth\n"
	  "nothing together with new ones. Signing goes on meanwhile. A peer that is away keeps its old share until it is recovered.\n" },
	{ "reshare", kmd_cmd_reshare, "hand a key to another committee or threshold",
	  "keymesh reshare NAME [--members PEER,PEER,...] [--threshold T] [--socket SOCKET]\n"
	  "\n"
	  "First change members and threshold of NAME in the configuration of every peer, and restart them one by one: each compares the\n"
	  "new committee with its own file. Then ask one peer that has a share and stays. The key itself does not change.\n"
	  "  --members    names or ids; refused when the configuration of the asked peer says others\n"
	  "  --threshold  the same for the threshold\n" },
	{ "recover", kmd_cmd_recover, "give a peer that lost its share a new one",
	  "keymesh recover NAME --peer PEER [--socket SOCKET]\n"
	  "\n"
	  "A refresh in which PEER (a name or an id) must take part; everybody's share changes. Ask a peer that has a share. If PEER lost\n"
	  "its whole disk, its configuration must pin the key's id (pin = in keys of keymesh.conf).\n" },
	{ "evidence", kmd_cmd_evidence, "judge a proof that a peer has cheated",
	  "keymesh evidence verify FILE [--roster FILE] [--table FILE]\n"
	  "       keymesh evidence list [--state DIR]\n"
	  "\n"
	  "verify judges without a mesh, a daemon or a secret, and says who did what, in which run, when. FILE is one that a peer keeps in\n"
	  "state_dir/evidence, or - for standard input; it brings what is needed to judge it.\n"
	  "  --roster FILE  compare identities with those of this roster.conf, and name the peers\n"
	  "  --table FILE   take the key's table from here (another evidence file, or a table alone)\n"
	  "Exit status of verify: 0 proved; 1 void, it proves nothing; 2 wrong usage; 3 a file cannot be read or is no evidence.\n"
	  "\n"
	  "list judges all that a peer has kept, one line each.\n"
	  "  --state DIR    its state_dir (default /var/lib/keymesh)\n" },
	{ "transcript", kmd_cmd_transcript, "verify the record of a key generation or a reshare",
	  "keymesh transcript verify FILE [--roster FILE] [--table FILE] [--old-table FILE]\n"
	  "       keymesh transcript export NAME [-o FILE] [--config FILE]\n"
	  "\n"
	  "Verifies without a mesh, a daemon or a secret that the key of a table was made, or handed on unchanged, by the peers named in it, and\n"
	  "says who took part. FILE is a transcript, or - for standard input; it brings the tables. An archive alone needs --table, that of a\n"
	  "reshare --old-table too.\n"
	  "  --roster FILE     compare identities with those of this roster.conf, and name the peers\n"
	  "  --table FILE      the table that was made (an evidence file, or a table alone)\n"
	  "  --old-table FILE  the table that was reshared\n"
	  "Exit status: 0 it holds; 1 it does not; 2 wrong usage; 3 a file cannot be read or is no transcript.\n"
	  "\n"
	  "export takes the newest transcript of a key out of this peer's store, as the daemon's user; it holds nothing secret.\n"
	  "  -o FILE           a new file (default: standard output)\n"
	  "  --config FILE     configuration of the peer (default /etc/keymesh/keymesh.conf)\n" },
	{ "quarantine", kmd_cmd_quarantine, "show and end what a peer holds against others",
	  "keymesh quarantine list [--json] [--socket SOCKET]\n"
	  "       keymesh quarantine clear PEER [--socket SOCKET]\n"
	  "\n"
	  "list shows whom the asked peer has quarantined, who is accused or suspected, why, and since when.\n"
	  "  --json     for programs: the peers of the list as in the status\n"
	  "clear forgets all that this peer holds against PEER (a name or an id): proofs, accusations of and by it, suspicion. What is\n"
	  "known by now does not come back by the word of others; what it does from now on counts. Each operator decides for his own\n"
	  "peer: ask one with role peer, as a user of listen.admin_users.\n" },
	{ "reseal", kmd_cmd_reseal, "change the key that seals the shares on the disk",
	  "keymesh reseal [--socket SOCKET]\n"
	  "\n"
	  "First write the new source of the key into the group seal of keymesh.conf, and keep the old key until this has succeeded. The\n"
	  "running keymeshd reads the group again and seals every file anew; it goes on signing. Should it stop half-way, it goes on at its\n"
	  "next start, with the new key.\n" },
	{ "backup", kmd_cmd_backup, "write this peer's shares, encrypted to its recovery recipients",
	  "keymesh backup [NAME] [--config FILE] [--keep-old] [--socket SOCKET]\n"
	  "\n"
	  "As the user of keymeshd, on the peer, whether keymeshd runs or not: one file for each key (or for NAME only) into backup.directory of\n"
	  "keymesh.conf, encrypted by age, or by backup.command, to backup.recipients. No two peers may have a recipient in common. The files of\n"
	  "older epochs of this peer are erased from the directory.\n"
	  "  --config FILE  (default /etc/keymesh/keymesh.conf)\n"
	  "  --keep-old     leave files of older epochs: T of them from different peers are the key\n" },
	{ "restore", kmd_cmd_restore, "put a share from a backup back into its peer",
	  "keymesh restore FILE (--identity AGE-IDENTITY | --gpg) [--config FILE] [--write-identity FILE]\n"
	  "\n"
	  "On the peer, with its keymeshd stopped. The share must be this peer's, fit its public point, and be of no older epoch than what is\n"
	  "there.\n"
	  "  --identity FILE        open it with age --decrypt --identity FILE\n"
	  "  --gpg                  open it with gpg --decrypt\n"
	  "  --config FILE          (default /etc/keymesh/keymesh.conf)\n"
	  "  --write-identity FILE  first write the peer's identity.secret from the backup to FILE, a new one\n" },
	{ "drill", kmd_cmd_drill, "prove that backups open, without a key coming together",
	  "keymesh drill FILE... (--identity AGE-IDENTITY | --gpg) [--record FILE] [--socket SOCKET]\n"
	  "       keymesh drill --report FILE... [--socket SOCKET]\n"
	  "\n"
	  "A custodian opens backups in memory, each for itself, compares share and public table, and makes a record that proves it: a proof of\n"
	  "knowledge of the share, worth nothing else. It goes to the keymeshd at SOCKET, is appended to FILE, or is printed as a line.\n"
	  "--report hands in such lines at a peer (FILE - is standard input), whose status then shows the age of the last drill.\n" },
	{ "audit", kmd_cmd_audit, "check, show and compare the logs of what peers did",
	  "keymesh audit verify [--dir DIR] [--roster FILE] [--peer PEER]\n"
	  "       keymesh audit show [--dir DIR] [--from N] [--until N] [--kind KIND]\n"
	  "       keymesh audit prove ENTRY [--dir DIR]\n"
	  "       keymesh audit check FILE --roster FILE [--peer PEER]\n"
	  "       keymesh audit compare PEER=DIR ... --roster FILE\n"
	  "       keymesh audit export --to DIR [--dir DIR]\n"
	  "\n"
	  "verify reads a log, or a copy of one, to its end: chain, tree, and what its checkpoint says. It needs no daemon and no secret.\n"
	  "show prints one line for each entry: its number, time, kind (share, signature, epoch, quarantine, operator, process, witness).\n"
	  "prove prints a proof that ENTRY is in the log, with the checkpoint (C2SP tlog-proof; extra is the entry).\n"
	  "check verifies what prove has printed, without the log.\n"
	  "compare holds the logs of several peers against each other: every signature must be in those of its whole quorum.\n"
	  "export copies full segments and marks them, so that the daemon may delete them (audit.max_mb).\n"
	  "  --dir DIR      the log (default /var/lib/keymesh/audit)\n"
	  "  --roster FILE  whose keys: roster.conf\n"
	  "  --peer PEER    whose log it is; default: the last part of its name\n"
	  "Exit status of verify and compare: 0 good; 1 changed, cut, forked or incomplete; 3 a file cannot be read; 64 wrong usage.\n" },
	{ "bench", kmd_cmd_bench, "measure signing",
	  "keymesh bench NAME [--clients N] [--rate R] [--seconds S] [--json] [--socket SOCKET]\n"
	  "\n"
	  "Asks for signatures of TLS 1.3 handshakes and prints how long they took. Latency counts from the moment a request was due.\n"
	  "  --clients N    connections (default 8)\n"
	  "  --rate R       requests a second in all (default 200); 0: each client asks again as soon as it has its answer\n"
	  "  --seconds S    how long (default 10)\n" },
};
/* clang-format on */
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	size_t i;

	fputs("usage: keymesh COMMAND ...\n\n", out);
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nkeymesh COMMAND --help says more about each. SOCKET is the unix socket of keymeshd, a path or @NAME; else "
	      "$KEYMESH_SOCKET,\n"
	      "else /run/keymesh/keymesh.sock.\n"
	      "\n"
	      "Exit status: 0 done; 1 refused or failed; 2 not now, may work later (no quorum, no presignature, deadline); 3 no "
	      "keymeshd answers;\n"
	      "64 wrong usage.\n",
	      out);
}

int main(int argc, char **argv)
{
	size_t i;
	int a;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		usage(stderr);
		return KMD_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return KMD_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("keymesh " PACKAGE_VERSION);
		return KMD_EXIT_OK;
	}
	for (i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		for (a = 2; a < argc; a++) {
			if (!strcmp(argv[a], "--help") || !strcmp(argv[a], "-h")) {
				printf("usage: %s", commands[i].usage);
				return KMD_EXIT_OK;
			}
		}
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "keymesh: there is no command %s\n", argv[1]);
	usage(stderr);
	return KMD_EXIT_USAGE;
}
