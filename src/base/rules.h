/* rules.h: names of the rules that an attack test switches off to show that the attack then succeeds.
 *
 *	if (KM_RULE(km_rule_dealing_check) && !degree_ok)
 *		drop;
 *
 * In every ordinary build KM_RULE is the constant 1: the mask does not exist and no rule can be switched off. Only the
 * libraries that the attack tests link are compiled with KM_ATTACK_BUILD. A rule is added here, one line each. */
#ifndef KM_BASE_RULES_H
#define KM_BASE_RULES_H

#define KM_RULE_LIST(X)                                                                                    \
	X(km_rule_c3_proofs, "A1", "proof of (a_i, c_i) with the points of a tuple")                       \
	X(km_rule_zero_shares, "A5", "zero shares over the quorum at the hand-over")                       \
	X(km_rule_dealing_check, "A6", "degree of the dealt sharings")                                     \
	X(km_rule_c0, "A7", "R_i committed before w is opened")                                            \
	X(km_rule_bind_once, "A8", "a tuple is bound once, to the key in its sid")                         \
	X(km_rule_v_proof, "A11", "proof of the v_i")                                                      \
	X(km_rule_zero_fresh, "A12", "a fresh zero share for every index and kind")                        \
	X(km_rule_request_id, "B15", "the request id covers every field of the request")                   \
	X(km_rule_degenerate, "B17", "w, R, r and s are not zero")                                         \
	X(km_rule_frontend_verify, "B18", "the frontend verifies before it answers")                       \
	X(km_rule_authenticator, "B25", "the request carries the frontend's authenticator")                \
	X(km_rule_one_context, "B27", "the bytes parse under one enabled context only")                    \
	X(km_rule_burn_first, "B5", "a presignature leaves the pool before anything is computed with it")  \
	X(km_rule_incarnation, "B5", "a restarted peer shares no presignature any more")                   \
	X(km_rule_known_id, "B13", "only ids of the roster are heard")                                     \
	X(km_rule_fresh_sid, "B14", "a sid needs a fresh nonce of every participant")                      \
	X(km_rule_channel_sender, "B19", "the sender field is the channel's identity")                     \
	X(km_rule_same_roster, "B20", "a run with another roster is refused and blames nobody")            \
	X(km_rule_request_fresh, "B25", "a request is not older than the clock tolerance")                 \
	X(km_rule_presig_owner, "B25", "only the owner spends a presignature")                             \
	X(km_rule_spends, "B25", "presignatures that one request may cost a signer")                       \
	X(km_rule_rights, "B26", "frontend and context are allowed for the key")                           \
	X(km_rule_rate, "B26", "requests a second of a frontend")                                          \
	X(km_rule_link_scores, "A24", "lateness scores links, never peers")                                \
	X(km_rule_run_slots, "A26", "one run per initiator, a slot for unscored links, back-off")          \
	X(km_rule_wide_scalars, "B28", "128 bits beyond the order before a reduction")                     \
	X(km_rule_allow_list, "B29", "only channel keys of the configuration are let in")                  \
	X(km_rule_wipe_before_pass, "A3", "what could be opened is wiped before PASS is signed")            \
	X(km_rule_barrier, "A3", "no C4 before PASS of every participant")                                 \
	X(km_rule_skew_blames_nobody, "B20", "what does not hold under another list of peers is held against nobody") \
	X(km_rule_dispute_votes, "A24", "T accusers quarantine, not fewer")                                \
	X(km_rule_record_names, "A9", "a signing record names the request that was signed")                \
	X(km_rule_content_digest, "A22", "digests are over the content, not the signature")                \
	X(km_rule_dkg_e_proof, "A4", "proof of knowledge of e with every E")                               \
	X(km_rule_dealer_view, "A16", "a complaint is judged in the dealer's view")                        \
	X(km_rule_judge_sid, "A25", "a judge makes the sid anew from PROPOSE and JOINs")                   \
	X(km_rule_judge_view, "A15", "a judge takes a message under its author's view")                    \
	X(km_rule_judge_own_ready, "A20", "a judge takes what was held from the signer's own READY")       \
	X(km_rule_echo, "B9", "a round whose messages name another view than ours ends the run")           \
	X(km_rule_commit_count, "B11", "exactly T commitments from every dealer")                          \
	X(km_rule_dkg_commit, "B12", "contributions are committed to before any is opened")                \
	X(km_rule_dkg_key_proof, "B12", "proof of knowledge of a dealer's constant term")                  \
	X(km_rule_distinct_ids, "B13", "one identity, one id")                                             \
	X(km_rule_proof_context, "B14", "proofs are bound to sid, role and author")                        \
	X(km_rule_c3_sums, "A2", "sum A' = wG and sum C' = wV")                                            \
	X(km_rule_ot_fresh, "B1", "base OTs are fresh in every run")                                       \
	X(km_rule_ot_uniform, "B2", "one of the two points of a base OT is hashed to")                     \
	X(km_rule_ot_identity, "B2", "no base OT key from the identity")                                   \
	X(km_rule_ot_check, "B3", "the columns of the OT extension name one choice vector")                \
	X(km_rule_ole_theta, "B4", "theta covers the whole payload")                                        \
	X(km_rule_delta, "B8", "R moves with everything that is signed")                                    \
	X(km_rule_rollback, "B5", "no presignature outlives a sign that the memory was copied")             \
	X(km_rule_stored_durable, "B10", "STORED is said after the share is on disk")                       \
	X(km_rule_reshare_constant, "A10", "a dealer hands on its share and nothing else")                  \
	X(km_rule_certificate, "B10", "who holds STORED of all hands them on")                              \
	X(km_rule_full_challenge, "B16", "challenges are full-size scalars")                                 \
	X(km_rule_fail_opens, "A14", "FAIL opens its author's own run")                                     \
	X(km_rule_ok_before_pass, "A14", "OK of everybody comes before PASS, which so excuses nobody")      \
	X(km_rule_timeout_drops, "A14", "a deadline drops a run and never opens it")                                        \
	X(km_rule_answer_rate, "B22", "a peer's questions are answered at a bounded rate")                        \
	X(km_rule_log_chain, "B30", "an entry names the hash of the one before it")                         \
	X(km_rule_log_consistency, "B30", "a log that grew begins with what was seen of it")                \
	X(km_rule_cert_binds, "A23", "a certificate binds only who stored it or whose operator's file agrees") \
	X(km_rule_wipe_all, "A10", "old shares go when no member's STORED is missing")                     \
	X(km_rule_wipe_unlisted, "A19", "... also below an epoch that does not list this peer")            \
	X(km_rule_any_epoch, "A21", "every certified epoch that is not wiped signs")                       \
	X(km_rule_own_file, "A18", "a run's committee and T are those of the own operator's file")         \
	X(km_rule_vote_again, "A13", "a promise that nobody certified does not keep from another")         \
	X(km_rule_epoch_clock, "A13", "no name that is far ahead of the clock is built on")                \
	X(km_rule_full_name, "A17", "STORED counts for the table that it names")

enum km_rule {
#define KM_RULE_ENUM(name, attack, text) name,
	KM_RULE_LIST(KM_RULE_ENUM)
#undef KM_RULE_ENUM
	KM_RULES
};

#ifdef KM_ATTACK_BUILD
#include <stdint.h>
extern uint64_t km_rules_off, km_rules_off_too;   /* bit mask by enum km_rule; from the 65th on */
#define KM_RULE(rule) (!((((rule) < 64 ? km_rules_off : km_rules_off_too) >> ((rule) % 64)) & 1))
#else
#define KM_RULE(rule) ((void)(rule), 1)
#endif

#endif
