/* chacha8.h: eight ChaCha20 streams side by side, each of its own key: the pads of the OT extension are short, so many keys at
 * once is what fills the vector units. The bytes are those of the cipher in Nettle with nonce 0, counter from 0. */
#ifndef KM_PROTO_CHACHA8_H
#define KM_PROTO_CHACHA8_H

#include <stddef.h>
#include <stdint.h>

#define KM_CHACHA8_LANES 8
#define KM_CHACHA8_BLOCK 64

/* out[lane * stride ...] = the first `blocks` blocks of the stream of keys[lane]; stride >= 64 * blocks. Constant time. */
void km_chacha8(uint8_t *out, size_t stride, size_t blocks, const uint8_t (*keys)[32]);

#endif
