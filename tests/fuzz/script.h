/* script.h: the input of fuzz_node as a list of changes, which its mutator (script_mutate.c) reads and writes as well.
 *
 *	what u8 | packet u16 | at u16 | value u8, and for INJECT, ASK, WRITE and LIE value bytes more
 *
 * packet: when, counted over what the corrupt peer sends to other peers. */
#ifndef KM_FUZZ_SCRIPT_H
#define KM_FUZZ_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_MAX 16

/* X(name): a record of it stays what it is when others are added behind it. */
#define SCRIPT_KINDS(X)                                                                                                           \
	X(FLIP)      /* a byte of the packet */                                                                                   \
	X(FLIP_SIGN) /* a byte of the body of an envelope, which is signed again */                                               \
	X(CUT)       /* to `at` bytes */                                                                                          \
	X(LOSE)                                                                                                                   \
	X(TWICE)                                                                                                                  \
	X(INJECT)    /* frame, besides the packet */                                                                              \
	X(ASK)       /* the same, from the frontend */                                                                            \
	X(MESH)      /* no packet: which mesh, see SCRIPT_SHAPE and what follows it */                                            \
	X(OPEN)      /* a verdict of a presign run: FAIL or OPEN instead, with the seed of the run (at even) or another */        \
	X(WRITE)     /* these bytes at `at` of the body of an envelope, which is signed again */                                  \
	X(HEAD)      /* other header, or a shorter or longer body, signed again: see head_and_sign */                             \
	X(PROOF)     /* evidence made of what was heard, offered by gossip: see lies.h */                                         \
	X(LIE)       /* these bytes, offered as evidence */

enum script_what {
#define SCRIPT_KIND(name) name,
	SCRIPT_KINDS(SCRIPT_KIND)
#undef SCRIPT_KIND
	WHATS
};

/* value of MESH: % 3 of its low bits: T is 2 of 3 (engine majority), 3 of 3 or 2 of 2 (engine any) */
#define SCRIPT_SHAPE 0x3f
#define SCRIPT_STORED 0x40   /* the key is there already */
#define SCRIPT_REAL 0x80     /* P-256, Ed25519 and base OTs as they are: a thousand times as slow */

struct script_record {
	unsigned what, packet, at;
	uint8_t value;
	const uint8_t *bytes;        /* value of them, in the input; NULL: none */
};

int script_has_bytes(unsigned what);
/* The number of records, or -1: not an input. */
int script_read(struct script_record *r, const uint8_t *data, size_t size);
/* Returns the size; records that find no room are left out. */
size_t script_write(const struct script_record *r, unsigned n, uint8_t *data, size_t room);

/* Packets that the corrupt peer sent in the last mesh. */
extern unsigned script_packets;

#endif
