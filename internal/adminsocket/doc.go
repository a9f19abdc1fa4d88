// Package adminsocket knows where a gateway puts the Unix socket of its admin API if nobody
// says where, so that commands find it. Whoever opens the socket can replace the
// configuration, so no other user may open it, put one of theirs in its place, or make a
// gateway use a folder of theirs.
package adminsocket
