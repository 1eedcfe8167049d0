/* err.h: the operating errors of keymesh, one list for code, name and text.
 *
 * Three kinds of trouble, never mixed: a programmer error ends in KM_ASSERT, an operating error is
 * one of these codes, misbehaviour of a peer is an effect with evidence and never a return code. */
#ifndef KM_BASE_ERR_H
#define KM_BASE_ERR_H

#define KM_ERR_LIST(X)                                                             \
	X(KM_E_NOMEM, -1, "out of memory")                                         \
	X(KM_E_INVAL, -2, "invalid argument")                                      \
	X(KM_E_RANGE, -3, "value out of range")                                    \
	X(KM_E_ENCODING, -4, "not a canonical encoding")                           \
	X(KM_E_TRUNCATED, -5, "input ends too early")                              \
	X(KM_E_TRAILING, -6, "input continues after its end")                      \
	X(KM_E_SPACE, -7, "output does not fit")                                   \
	X(KM_E_LIMIT, -8, "over a limit")                                          \
	X(KM_E_VERIFY, -9, "verification failed")                                  \
	X(KM_E_IDENTITY, -10, "point at infinity where it is not allowed")         \
	X(KM_E_STATE, -11, "not possible in this state")                           \
	X(KM_E_NOTFOUND, -12, "not found")                                         \
	X(KM_E_EXISTS, -13, "exists already")                                      \
	X(KM_E_DUPLICATE, -14, "already seen")                                     \
	X(KM_E_STALE, -15, "too old, too new, or of another session")              \
	X(KM_E_AUTH, -16, "authentication failed")                                 \
	X(KM_E_RIGHTS, -17, "not permitted")                                       \
	X(KM_E_CONTEXT, -18, "the bytes do not fit the signing context")           \
	X(KM_E_RATE, -19, "over the rate limit")                                   \
	X(KM_E_NOQUORUM, -20, "not enough live peers for a quorum")                \
	X(KM_E_EMPTY, -21, "no presignature left")                                 \
	X(KM_E_DEADLINE, -22, "deadline passed")                                   \
	X(KM_E_MISMATCH, -23, "values differ that must be equal")                  \
	X(KM_E_IO, -24, "input or output failed")                                  \
	X(KM_E_CONFIG, -25, "configuration error")                                 \
	X(KM_E_SEAL, -26, "sealed data does not open: wrong key or damaged")       \
	X(KM_E_VERSION, -27, "version not supported")                              \
	X(KM_E_BUSY, -28, "busy, try again")                                       \
	X(KM_E_UNVERIFIED, -29, "the signature made does not verify")              \
	X(KM_E_DEGENERATE, -30, "a degenerate value (zero or infinity) came out")

enum km_err {
	KM_OK = 0,
#define KM_ERR_ENUM(name, code, text) name = code,
	KM_ERR_LIST(KM_ERR_ENUM)
#undef KM_ERR_ENUM
};

/* Text of an error code, "unknown error" for none of ours. Never NULL, static. */
const char *km_strerror(int err);
/* Name of an error code ("KM_E_RANGE"), never NULL, static. */
const char *km_errname(int err);

#define KM_MUST __attribute__((warn_unused_result))

/* A broken promise of our own code: says where and aborts; kept in release builds. */
#define KM_ASSERT(cond) ((cond) ? (void)0 : km_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void km_assert_failed(const char *cond, const char *file, int line);
/* "file:line: broken promise: cond" once an assertion failed, else empty. For a SIGABRT handler to print. */
#define KM_ASSERT_MESSAGE_SIZE 256
extern char km_assert_message[KM_ASSERT_MESSAGE_SIZE];

#endif
